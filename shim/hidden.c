/* SPDX-License-Identifier: MIT */
#include "hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>

#include "epollset.h"
#include "events/events.h"
#include "fdtable.h"
#include "libc.h"
#include "settings.h"

/*
 * A number costs the kernel table space up to it (8 bytes each, copied by fork), so "high" is not
 * the limit itself when that is large.
 */
enum { HIGHEST = 16384, WINDOW = 256, MARGIN_FOR_THREADS = 64, PEELS_A_LOOK = 16 };

static int next_number; /* where the next one is tried; 0: not known yet */
static uint32_t count;

static int limit(void)
{
	struct rlimit rlimit;

	if (getrlimit(RLIMIT_NOFILE, &rlimit) < 0)
		return 1024;
	return rlimit.rlim_cur < FDTABLE_SIZE ? (int)rlimit.rlim_cur : FDTABLE_SIZE;
}

static int top(void)
{
	int highest = limit();

	return highest < HIGHEST ? highest : HIGHEST;
}

uint32_t hidden_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

/* A free number at or above the next one to try, going down; -1 when there is none. */
static int move_up(int fd)
{
	int at = __atomic_load_n(&next_number, __ATOMIC_RELAXED), ret;

	if (at <= 0)
		at = top() - 1;
	for (int tries = 0; tries < 8 && at > fd; tries++) {
		ret = libc.fcntl(fd, F_DUPFD_CLOEXEC, at);
		if (ret >= 0) {
			__atomic_store_n(&next_number, ret > at ? at - 1 : ret - 1,
					 __ATOMIC_RELAXED);
			return ret;
		}
		/* the limit was lowered, or all from here up are taken */
		at = errno == EINVAL ? top() - 1 : at - (1 << (2 * tries));
	}
	return -1;
}

static void publish(int fd, int *slot)
{
	__atomic_store_n(slot, fd, __ATOMIC_RELEASE);
	fdtable_set(fd, fd_word(FD_HIDDEN, slot));
}

void hidden_adopt(int fd, int *slot)
{
	int kept = errno;
	int high = move_up(fd);

	__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	if (high >= 0) {
		publish(high, slot);
		libc.close(fd);
	} else {
		libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
		publish(fd, slot);
	}
	errno = kept;
}

void hidden_inherit(int fd, int *slot)
{
	int kept = errno, next = __atomic_load_n(&next_number, __ATOMIC_RELAXED);

	__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
	publish(fd, slot);
	/* they lie side by side, as they came */
	if (fd > 1 && (next <= 0 || fd <= next))
		__atomic_store_n(&next_number, fd - 1, __ATOMIC_RELAXED);
	errno = kept;
}

void hidden_close(int *slot)
{
	int kept = errno;
	int fd = __atomic_exchange_n(slot, -1, __ATOMIC_ACQ_REL);
	int next = __atomic_load_n(&next_number, __ATOMIC_RELAXED);

	if (fd < 0)
		return;
	fdtable_set(fd, FD_BUSY);
	libc.close(fd);
	fdtable_closed(fd);
	if (fd > next)
		__atomic_store_n(&next_number, fd, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&count, 1, __ATOMIC_RELAXED);
	errno = kept;
}

/* Free numbers among [first, first + n). */
static int free_numbers(int first, int n)
{
	struct pollfd fds[WINDOW];
	int ret = 0;

	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = first + i};
	if (libc.poll(fds, (nfds_t)n, 0) < 0)
		return 0;
	for (int i = 0; i < n; i++)
		ret += (fds[i].revents & POLLNVAL) != 0;
	return ret;
}

/*
 * Looked at anew every few peels only, and not for a while after a refusal: what the margin is for.
 */
bool hidden_budget(uint64_t now)
{
	static uint32_t sure; /* peels that the last look still covers, within that limit */
	static int limit_then;
	static uint64_t refused_ns;
	int wanted = (int)settings_get()->fd_reserve + 1, found = 0, kept = errno, end;
	uint32_t left = __atomic_load_n(&sure, __ATOMIC_RELAXED);

	if (hidden_count() >= settings_get()->max)
		return false;
	if (refused_ns && now - refused_ns < 10000000)
		return false;
	end = limit();
	if (left > 0 && __atomic_load_n(&limit_then, __ATOMIC_RELAXED) == end) {
		__atomic_store_n(&sure, left - 1, __ATOMIC_RELAXED);
		return true;
	}
	if (!__libc_single_threaded)
		wanted += MARGIN_FOR_THREADS;
	__atomic_store_n(&limit_then, end, __ATOMIC_RELAXED);
	while (end > 0 && found < wanted + PEELS_A_LOOK) {
		int n = end < WINDOW ? end : WINDOW;

		found += free_numbers(end - n, n);
		end -= n;
	}
	errno = kept;
	__atomic_store_n(&sure, 0, __ATOMIC_RELAXED);
	if (found < wanted) {
		refused_ns = now;
		return false;
	}
	refused_ns = 0;
	if (found >= wanted + PEELS_A_LOOK)
		__atomic_store_n(&sure, PEELS_A_LOOK - 1, __ATOMIC_RELAXED);
	return true;
}

static bool any_visible(int first)
{
	struct pollfd fds[WINDOW];
	int kept = errno;
	bool ret = false;

	for (int i = 0; i < WINDOW; i++) {
		bool hidden = fd_kind(fdtable_get(first + i)) == FD_HIDDEN;

		fds[i] = (struct pollfd){.fd = hidden ? -1 : first + i};
	}
	if (libc.poll(fds, WINDOW, 0) < 0)
		ret = true;
	for (int i = 0; i < WINDOW; i++)
		ret |= fds[i].fd >= 0 && !(fds[i].revents & POLLNVAL);
	errno = kept;
	return ret;
}

/* Most tell the highest number that they use, or one that nobody does and have few of them. */
int hidden_reach_far(int nfds)
{
	int end = FD_SETSIZE;

	if (hidden_count() == 0 || any_visible(nfds - WINDOW > end ? nfds - WINDOW : end))
		return nfds;
	while (end < nfds && any_visible(end))
		end += WINDOW;
	return end < nfds ? end : nfds;
}

void hidden_make_way(int fd)
{
	uintptr_t word = fdtable_get(fd);
	int *slot, high;

	if (events_own_fd(fd)) {
		events_move_fd(fd);
		return;
	}
	if (fd_kind(word) != FD_HIDDEN)
		return;
	slot = fd_object(word);
	high = move_up(fd);
	if (high < 0)
		high = libc.fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		return;
	/* readiness is registered under the number: the new one first, so that nothing is missed */
	epollset_hidden_moves(slot, fd, high);
	publish(high, slot);
	fdtable_set(fd, FD_UNKNOWN);
	libc.close(fd);
}
