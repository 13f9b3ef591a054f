/* SPDX-License-Identifier: MIT */
/*
 * fdtable: what each descriptor number is to us.
 *
 * A flat array of words, read without a lock. Zeroed memory says "unknown": the number is asked
 * about when a call on it matters (endpoint.c), so what was inherited, received or missed heals.
 * Numbers beyond the table are never ours.
 */
#ifndef SCTPEEL_FDTABLE_H
#define SCTPEEL_FDTABLE_H

#include <stdint.h>

#include "libc.h"

#define FDTABLE_SIZE (1 << 20)

/* Words. What points to something carries its kind in the low three bits. */
enum fd_kind {
	FD_UNKNOWN = 0,
	FD_FOREIGN = 1, /* not ours: pass through */
	FD_UNIX = 2,	/* not ours, but descriptors may come and go by it (SCM_RIGHTS) */
	FD_BUSY = 3,	/* being closed: its number may be another's any moment */
	FD_ENDPOINT = 4,
	FD_HIDDEN = 5, /* ours, the program must not see it; points to where its number is kept */
	FD_SET = 6,    /* an epoll set with endpoints in it */
};
#define FD_KIND_MASK ((uintptr_t)7)

extern uintptr_t fdtable[FDTABLE_SIZE];

static inline uintptr_t fdtable_get(int fd)
{
	if (unlikely((unsigned int)fd >= FDTABLE_SIZE))
		return FD_FOREIGN;
	return __atomic_load_n(&fdtable[fd], __ATOMIC_ACQUIRE);
}

static inline enum fd_kind fd_kind(uintptr_t word)
{
	return (enum fd_kind)(word & FD_KIND_MASK);
}

static inline void *fd_object(uintptr_t word)
{
	return (void *)(word & ~FD_KIND_MASK);
}

/* The number as the program's own; -1 for a hidden one, so that a call on it answers EBADF. */
static inline int fd_visible(int fd)
{
	return unlikely(fd_kind(fdtable_get(fd)) == FD_HIDDEN) ? -1 : fd;
}

/* What a plain descriptor's copy, or what is accepted by it, is; unknown if it is not plain. */
static inline uintptr_t fd_plain(uintptr_t word)
{
	return word < FD_BUSY ? word : FD_UNKNOWN;
}

/* Publishes a word; numbers beyond the table are left alone. Returns what stood there. */
uintptr_t fdtable_set(int fd, uintptr_t word);

/* A number that was being closed: it may be another's since the kernel let it go. */
static inline void fdtable_closed(int fd)
{
	uintptr_t busy = FD_BUSY;

	if ((unsigned int)fd < FDTABLE_SIZE)
		(void)__atomic_compare_exchange_n(&fdtable[fd], &busy, FD_UNKNOWN, 0,
						  __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline uintptr_t fd_word(enum fd_kind kind, const void *object)
{
	return (uintptr_t)object | kind;
}

/* One more than the highest number that was ever published: where a scan may stop. */
int fdtable_end(void);

#endif
