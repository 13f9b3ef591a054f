/* SPDX-License-Identifier: MIT */
/* Doors: epoll. */
#include <errno.h>
#include <stdbool.h>

#include "doors/doors.h"
#include "epollset.h"
#include "epollwait.h"

/* A number that was another's before: what it was is over. */
static int opened(int epfd)
{
	if (epfd >= 0)
		fdtable_set(epfd, FD_FOREIGN);
	return epfd;
}

int epoll_create(int size)
{
	return opened(libc.epoll_create(size));
}

int epoll_create1(int flags)
{
	return opened(libc.epoll_create1(flags));
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (endpoint_foreign(fd))
		return libc.epoll_ctl(epfd, op, fd, event);
	ENTER(endpoint, fd);

	return endpoint ? epollset_ctl(endpoint, epfd, op, fd, event)
			: libc.epoll_ctl(epfd, op, fd, event);
}

/* The set behind the number, if endpoints are registered in it. */
static struct epollset *set_of(int epfd)
{
	uintptr_t word = fdtable_get(epfd);

	return unlikely(fd_kind(word) == FD_SET) ? fd_object(word) : NULL;
}

static int our_wait(struct epollset *set, int epfd, struct epoll_event *events, int maxevents,
		    int timeout, const sigset_t *mask)
{
	struct timespec time = {timeout / 1000, (long)(timeout % 1000) * 1000000};

	return epollwait(set, epfd, events, maxevents, timeout < 0 ? NULL : &time, mask);
}

/* The first endpoint may have joined the set while we slept in it. */
static int woken(int epfd, struct epoll_event *events, int n, int maxevents, bool ends,
		 const sigset_t *mask)
{
	struct epollset *set = set_of(epfd);

	if (likely(!set || n <= 0))
		return n;
	n = epollwait_woken(set, events, n);
	return n == 0 && !ends ? epollwait(set, epfd, events, maxevents, NULL, mask) : n;
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	struct epollset *set = set_of(epfd);

	return set ? our_wait(set, epfd, events, maxevents, timeout, NULL)
		   : woken(epfd, events,
			   libc.epoll_wait(fd_visible(epfd), events, maxevents, timeout), maxevents,
			   timeout >= 0, NULL);
}

int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout,
		const sigset_t *mask)
{
	struct epollset *set = set_of(epfd);

	return set ? our_wait(set, epfd, events, maxevents, timeout, mask)
		   : woken(epfd, events,
			   libc.epoll_pwait(fd_visible(epfd), events, maxevents, timeout, mask),
			   maxevents, timeout >= 0, mask);
}

int epoll_pwait2(int epfd, struct epoll_event *events, int maxevents,
		 const struct timespec *timeout, const sigset_t *mask)
{
	struct epollset *set = set_of(epfd);

	return set ? epollwait(set, epfd, events, maxevents, timeout, mask)
		   : woken(epfd, events,
			   libc.epoll_pwait2(fd_visible(epfd), events, maxevents, timeout, mask),
			   maxevents, timeout != NULL, mask);
}
