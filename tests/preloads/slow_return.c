/* SPDX-License-Identifier: MIT */
/*
 * slow_return: all threads but the first are long on their way back from close and epoll_pwait, as
 * one is that is preempted there. What the others do in between shows.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LONG_US = 1000 };

static void return_late(void)
{
	int kept = errno;

	if (gettid() != getpid())
		usleep(LONG_US);
	errno = kept;
}

int close(int fd)
{
	int (*next)(int), ret;

	*(void **)&next = dlsym(RTLD_NEXT, "close");
	ret = next(fd);
	return_late();
	return ret;
}

int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout,
		const sigset_t *mask)
{
	int (*next)(int, struct epoll_event *, int, int, const sigset_t *), ret;

	*(void **)&next = dlsym(RTLD_NEXT, "epoll_pwait");
	ret = next(epfd, events, maxevents, timeout, mask);
	return_late();
	return ret;
}
