/* SPDX-License-Identifier: MIT */
/* Doors: options, modes and the like of a socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#include "doors/doors.h"
#include "epollset.h"
#include "fanin.h"
#include "inheritance.h"
#include "options.h"
#include "peel.h"
#include "routing.h"

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	if (endpoint_foreign(fd))
		return libc.getsockopt(fd, level, name, value, len);
	ENTER(endpoint, fd);

	return endpoint ? options_get(endpoint, fd, level, name, value, len)
			: libc.getsockopt(fd, level, name, value, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (endpoint_foreign(fd))
		return libc.setsockopt(fd, level, name, value, len);
	ENTER(endpoint, fd);

	return endpoint ? options_set(endpoint, fd, level, name, value, len)
			: libc.setsockopt(fd, level, name, value, len);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (endpoint_foreign(fd))
		return libc.connect(fd, addr, len);
	ENTER(endpoint, fd);

	return endpoint ? routing_connect(endpoint, fd, addr, len) : libc.connect(fd, addr, len);
}

int __connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (endpoint_foreign(fd))
		return libc.__connect(fd, addr, len);
	ENTER(endpoint, fd);

	return endpoint ? routing_connect(endpoint, fd, addr, len) : libc.__connect(fd, addr, len);
}

int listen(int fd, int backlog)
{
	if (endpoint_foreign(fd))
		return libc.listen(fd, backlog);
	ENTER(endpoint, fd);

	return endpoint ? options_listen(endpoint, fd, backlog) : libc.listen(fd, backlog);
}

int shutdown(int fd, int how)
{
	if (endpoint_foreign(fd))
		return libc.shutdown(fd, how);
	ENTER(endpoint, fd);

	return endpoint ? routing_shutdown(endpoint, fd, how) : libc.shutdown(fd, how);
}

/* ------------------------------------------------------------------ ioctl */

/* The size of what the next receive returns: the receive is then bound to what was asked. */
static int next_size(struct endpoint *endpoint, int fd, unsigned long request, void *arg)
{
	struct association *association;
	int from = fanin_next(endpoint, fd, &association);
	int ret = libc.ioctl(from, request, arg);

	if (association)
		peel_unuse(endpoint, association);
	return ret;
}

static int our_ioctl(int fd, unsigned long request, void *arg)
{
	ENTER_KNOWN(endpoint, fd);
	int ret;

	if (endpoint && request == FIONREAD)
		return next_size(endpoint, fd, request, arg);
	ret = libc.ioctl(fd, request, arg);
	if (ret == 0 && endpoint && request == FIONBIO)
		as_set(endpoint)->nonblock = *(const int *)arg != 0;
	if (ret == 0 && endpoint && request == FIOASYNC && *(const int *)arg)
		inheritance_drive_by_signals(endpoint, fd);
	return ret;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *arg;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	return endpoint_not_known(fd) ? libc.ioctl(fd, request, arg) : our_ioctl(fd, request, arg);
}

/* ------------------------------------------------------------------ fcntl */

static int duplicated(struct endpoint *endpoint, uintptr_t word, int to)
{
	if (to < 0 || !endpoint_own_process())
		return to;
	if (endpoint)
		endpoint_duplicated(endpoint, to);
	else if (fd_kind(word) == FD_SET)
		epollset_duplicated(fd_object(word), to);
	else
		fdtable_set(to, fd_plain(word));
	return to;
}

static int our_fcntl(int fd, int command, void *arg)
{
	uintptr_t word = fdtable_get(fd);
	ENTER_KNOWN(endpoint, fd);
	int ret = libc.fcntl(fd, command, arg);

	if (ret < 0)
		return ret;
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return duplicated(endpoint, word, ret);
	case F_SETFL:
		if (!endpoint)
			break;
		as_set(endpoint)->nonblock = ((intptr_t)arg & O_NONBLOCK) != 0;
		if ((intptr_t)arg & O_ASYNC)
			inheritance_drive_by_signals(endpoint, fd);
		break;
	default:
		break;
	}
	return ret;
}

#define FCNTL(name)                                                                             \
	int name(int fd, int command, ...)                                                      \
	{                                                                                       \
		va_list list;                                                                   \
		void *arg;                                                                      \
                                                                                                \
		va_start(list, command);                                                        \
		arg = va_arg(list, void *);                                                     \
		va_end(list);                                                                   \
		if (endpoint_not_known(fd) && command != F_DUPFD && command != F_DUPFD_CLOEXEC) \
			return libc.name(fd, command, arg);                                     \
		return our_fcntl(fd, command, arg);                                             \
	}

FCNTL(fcntl)
FCNTL(fcntl64)
FCNTL(__fcntl)
