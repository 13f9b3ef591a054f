/* SPDX-License-Identifier: MIT */
/* no_pwait2: a kernel before 5.11, which has no epoll_pwait2. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

int epoll_pwait2(int epfd, struct epoll_event *events, int maxevents,
		 const struct timespec *timeout, const sigset_t *mask)
{
	(void)epfd, (void)events, (void)maxevents, (void)timeout, (void)mask;
	errno = ENOSYS;
	return -1;
}
