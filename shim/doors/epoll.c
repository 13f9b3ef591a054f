/* SPDX-License-Identifier: MIT */
/* Doors: epoll. */
#include <errno.h>

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

/* A hidden number is none. */
static int visible(int epfd)
{
	return unlikely(fd_kind(fdtable_get(epfd)) == FD_HIDDEN) ? -1 : epfd;
}

static int our_wait(struct epollset *set, int epfd, struct epoll_event *events, int maxevents,
		    int timeout, const sigset_t *mask)
{
	struct timespec time = {timeout / 1000, (long)(timeout % 1000) * 1000000};

	return epollwait(set, epfd, events, maxevents, timeout < 0 ? NULL : &time, mask);
}

/* The first endpoint may have joined the set while we slept in it. */
static int woken(int epfd, struct epoll_event *events, int n)
{
	struct epollset *set = set_of(epfd);

	return unlikely(set && n > 0) ? epollwait_woken(set, events, n) : n;
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	struct epollset *set = set_of(epfd);

	return set ? our_wait(set, epfd, events, maxevents, timeout, NULL)
		   : woken(epfd, events,
			   libc.epoll_wait(visible(epfd), events, maxevents, timeout));
}

int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout,
		const sigset_t *mask)
{
	struct epollset *set = set_of(epfd);

	return set ? our_wait(set, epfd, events, maxevents, timeout, mask)
		   : woken(epfd, events,
			   libc.epoll_pwait(visible(epfd), events, maxevents, timeout, mask));
}

int epoll_pwait2(int epfd, struct epoll_event *events, int maxevents,
		 const struct timespec *timeout, const sigset_t *mask)
{
	struct epollset *set = set_of(epfd);

	return set ? epollwait(set, epfd, events, maxevents, timeout, mask)
		   : woken(epfd, events,
			   libc.epoll_pwait2(visible(epfd), events, maxevents, timeout, mask));
}
