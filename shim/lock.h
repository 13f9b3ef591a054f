/* SPDX-License-Identifier: MIT */
/*
 * lock: a short mutual exclusion that a signal handler survives.
 *
 * Held over a few dozen instructions and system calls that cannot block, never over one that can.
 * A handler that interrupts its own thread inside is told so (lock_take answers false) and does
 * without: it would wait for itself otherwise.
 */
#ifndef SCTPEEL_LOCK_H
#define SCTPEEL_LOCK_H

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc.h"

/*
 * What a lock guards but some read without it, as a first look: those reads, and all writes, are
 * made so. What was written before is seen with it.
 */
#define GLANCE(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define PUBLISH(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)

struct lock {
	uint32_t owner; /* 0: free; else the thread's id, LOCK_WAITED when others sleep */
};

#define LOCK_WAITED 0x80000000u

/* This thread's id, asked for once a thread; fork_child resets it. */
extern _Thread_local uint32_t lock_thread;

static inline uint32_t lock_self(void)
{
	if (unlikely(lock_thread == 0))
		lock_thread = (uint32_t)gettid();
	return lock_thread;
}

void lock_take_slow(struct lock *lock, uint32_t self);
void lock_wake(struct lock *lock);

/* True: taken. False: this thread holds it already. errno is kept. */
static inline bool lock_take(struct lock *lock)
{
	uint32_t self = lock_self(), free = 0;

	if (likely(__atomic_compare_exchange_n(&lock->owner, &free, self, false, __ATOMIC_ACQUIRE,
					       __ATOMIC_RELAXED)))
		return true;
	if ((free & ~LOCK_WAITED) == self)
		return false;
	lock_take_slow(lock, self);
	return true;
}

static inline void lock_release(struct lock *lock)
{
	uint32_t was = __atomic_exchange_n(&lock->owner, 0, __ATOMIC_RELEASE);

	if (unlikely(was & LOCK_WAITED))
		lock_wake(lock);
}

/*
 * Over a fork a lock is held, so that the child finds what it guards whole. A handler that forks
 * may have interrupted its own thread in there: that one goes on where it was, in the parent with
 * the lock, in the child, where it is alone, without.
 */
struct fork_lock {
	struct lock lock;
	bool taken;
};

static inline void lock_before_fork(struct fork_lock *lock)
{
	lock->taken = lock_take(&lock->lock);
}

static inline void lock_after_fork(struct fork_lock *lock, bool child)
{
	if (child)
		lock->lock.owner = 0;
	else if (lock->taken)
		lock_release(&lock->lock);
}

#endif
