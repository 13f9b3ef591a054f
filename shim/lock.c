/* SPDX-License-Identifier: MIT */
#include "lock.h"

_Thread_local uint32_t lock_thread;

void lock_take_slow(struct lock *lock, uint32_t self)
{
	int kept = errno;

	for (;;) {
		uint32_t seen = __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);

		if (seen == 0) {
			/* others may sleep still: whoever slept takes it marked, so that they are
			 * woken */
			if (__atomic_compare_exchange_n(&lock->owner, &seen, self | LOCK_WAITED,
							false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				break;
			continue;
		}
		if (!(seen & LOCK_WAITED) &&
		    !__atomic_compare_exchange_n(&lock->owner, &seen, seen | LOCK_WAITED, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		libc.syscall(SYS_futex, (long)&lock->owner, FUTEX_WAIT_PRIVATE, seen | LOCK_WAITED,
			     0, 0, 0);
	}
	errno = kept;
}

void lock_wake(struct lock *lock)
{
	int kept = errno;

	libc.syscall(SYS_futex, (long)&lock->owner, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	errno = kept;
}
