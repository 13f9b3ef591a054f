/* SPDX-License-Identifier: MIT */
/* Doors: poll and select. */
#include <errno.h>
#include <stdbool.h>

#include "doors/doors.h"
#include "hidden.h"
#include "readiness.h"

/* What the kernel refuses as a whole is the kernel's to answer. */
static bool concerns(struct pollfd *fds, nfds_t nfds)
{
	return !nowhere(fds) && nfds <= FDTABLE_SIZE && readiness_concerns(fds, nfds);
}

static bool is_nowhere(const fd_set *set)
{
	return set && nowhere(set);
}

static bool concerns_sets(int nfds, const fd_set *in, const fd_set *out, const fd_set *except)
{
	return !is_nowhere(in) && !is_nowhere(out) && !is_nowhere(except) &&
	       readiness_concerns_sets(nfds, in, out, except);
}

static struct timespec from_ms(int ms)
{
	return (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
}

static int our_poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	struct timespec time = from_ms(timeout);

	return readiness_poll(fds, nfds, timeout < 0 ? NULL : &time, NULL);
}

int poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	return concerns(fds, nfds) ? our_poll(fds, nfds, timeout) : libc.poll(fds, nfds, timeout);
}

int __poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	return concerns(fds, nfds) ? our_poll(fds, nfds, timeout) : libc.__poll(fds, nfds, timeout);
}

/* More entries than the array has is libc's to punish. */
int __poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t fdslen)
{
	if (fdslen / sizeof(*fds) < nfds || !concerns(fds, nfds))
		return libc.__poll_chk(fds, nfds, timeout, fdslen);
	return our_poll(fds, nfds, timeout);
}

int ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *mask)
{
	return concerns(fds, nfds) ? readiness_poll(fds, nfds, timeout, mask)
				   : libc.ppoll(fds, nfds, timeout, mask);
}

int __ppoll_chk(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
		const sigset_t *mask, size_t fdslen)
{
	if (fdslen / sizeof(*fds) < nfds || !concerns(fds, nfds))
		return libc.__ppoll_chk(fds, nfds, timeout, mask, fdslen);
	return readiness_poll(fds, nfds, timeout, mask);
}

/* select tells in `timeout` how much of it is left (select(2), Linux); pselect does not. */
static int our_select(int nfds, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct timespec time = {0, 0};
	uint64_t began = now_ns(), asked = 0, spent;
	int ret;

	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
			errno = EINVAL;
			return -1;
		}
		time.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
		time.tv_nsec = timeout->tv_usec % 1000000 * 1000;
		asked = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	}
	ret = readiness_select(nfds, in, out, except, timeout ? &time : NULL, NULL);
	if (timeout) {
		spent = now_ns() - began;
		spent = spent < asked ? asked - spent : 0;
		if (ret == 0)
			spent = 0;
		timeout->tv_sec = (time_t)(spent / 1000000000u);
		timeout->tv_usec = (suseconds_t)(spent % 1000000000u / 1000u);
	}
	return ret;
}

int select(int nfds, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
	   struct timeval *restrict timeout)
{
	nfds = hidden_reach(nfds);
	return concerns_sets(nfds, in, out, except) ? our_select(nfds, in, out, except, timeout)
						    : libc.select(nfds, in, out, except, timeout);
}

int __select(int nfds, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	nfds = hidden_reach(nfds);
	return concerns_sets(nfds, in, out, except) ? our_select(nfds, in, out, except, timeout)
						    : libc.__select(nfds, in, out, except, timeout);
}

int pselect(int nfds, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
	    const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
	nfds = hidden_reach(nfds);
	return concerns_sets(nfds, in, out, except)
		       ? readiness_select(nfds, in, out, except, timeout, mask)
		       : libc.pselect(nfds, in, out, except, timeout, mask);
}
