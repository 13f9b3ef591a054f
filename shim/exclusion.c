/* SPDX-License-Identifier: MIT */
#include "exclusion.h"

#include <errno.h>

static void wait_for_peel(struct endpoint *endpoint, uint32_t sequence)
{
	int kept = errno;

	libc.syscall(SYS_futex, (long)&endpoint->peeling, FUTEX_WAIT_PRIVATE, sequence, 0, 0, 0);
	errno = kept;
}

bool peel_begin(struct endpoint *endpoint, int fd)
{
	bool ret;

	if (!lock_take(&endpoint->lock))
		return false;
	ret = (endpoint->peeling & 1) == 0 && endpoint->exclusives == 0;
	if (ret) {
		endpoint->peeler = lock_self();
		__atomic_add_fetch(&endpoint->peeling, 1, __ATOMIC_SEQ_CST);
	}
	lock_release(&endpoint->lock);
	/* who closes looks the other way round: number first, then peel */
	if (ret && !endpoint_has(endpoint, fd)) {
		peel_done(endpoint);
		return false;
	}
	return ret;
}

void peel_done(struct endpoint *endpoint)
{
	endpoint->peeler = 0;
	__atomic_add_fetch(&endpoint->peeling, 1, __ATOMIC_RELEASE);
	libc.syscall(SYS_futex, (long)&endpoint->peeling, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0, 0);
}

bool peel_settled(struct endpoint *endpoint, uint32_t sequence)
{
	uint32_t seen;

	/* a signal handler that interrupted the peel itself cannot wait for it */
	while (((seen = peel_sequence(endpoint)) & 1) && endpoint->peeler != lock_self())
		wait_for_peel(endpoint, seen);
	return seen != sequence;
}

void peel_let_end(struct endpoint *endpoint)
{
	(void)peel_settled(endpoint, 0);
}

void peel_exclude(struct endpoint *endpoint)
{
	for (;;) {
		uint32_t seen;
		bool mine;

		if (!lock_take(&endpoint->lock)) {
			__atomic_add_fetch(&endpoint->exclusives, 1, __ATOMIC_RELAXED);
			return;
		}
		seen = peel_sequence(endpoint);
		mine = (seen & 1) == 0 || endpoint->peeler == lock_self();
		if (mine)
			__atomic_add_fetch(&endpoint->exclusives, 1, __ATOMIC_RELAXED);
		lock_release(&endpoint->lock);
		if (mine)
			return;
		wait_for_peel(endpoint, seen);
	}
}

void peel_admit(struct endpoint *endpoint)
{
	__atomic_sub_fetch(&endpoint->exclusives, 1, __ATOMIC_RELEASE);
}
