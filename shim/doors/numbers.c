/* SPDX-License-Identifier: MIT */
/*
 * Doors: system calls by number. They are passed through and see the original alone, so nothing
 * may be peeled from a socket that is used so; but what closes numbers is as by name.
 */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>

#include "doors/doors.h"
#include "peel.h"
#include "telling.h"

static void note(int fd)
{
	ENTER_KNOWN(endpoint, fd);

	if (!endpoint)
		return;
	if (GLANCE(endpoint->associations.peeled) > 0 &&
	    !__atomic_load_n(&endpoint->held, __ATOMIC_RELAXED))
		tell_error(-1, "syscall: what was peeled off already is not seen by it", 0);
	peel_hold(endpoint, "used by system calls by number (syscall)");
}

static void note_all(const struct pollfd *fds, unsigned long count)
{
	for (unsigned long i = 0; i < count && i < INT_MAX && !nowhere(fds); i++)
		if (!endpoint_not_known(fds[i].fd))
			note(fds[i].fd);
}

/* Every thread of some run-times sleeps by it (futex): what is not ours costs a comparison. */
static __attribute__((noinline)) void look(long number, long a, long b, long c)
{
	int kept = errno;

	switch (number) {
	case SYS_epoll_ctl:
		note((int)c);
		break;
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		note_all((const struct pollfd *)a, (unsigned long)b);
		break;
	default:
		note((int)a);
	}
	errno = kept;
}

static int is_io(long number)
{
	switch (number) {
	case SYS_read:
	case SYS_write:
	case SYS_readv:
	case SYS_writev:
	case SYS_preadv2:
	case SYS_pwritev2:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_connect:
	case SYS_getsockopt:
	case SYS_setsockopt:
	case SYS_epoll_ctl:
	case SYS_ppoll:
#ifdef SYS_poll
	case SYS_poll:
#endif
		return 1;
	default:
		return 0;
	}
}

static int closes(long number)
{
	switch (number) {
	case SYS_close:
	case SYS_close_range:
	case SYS_dup3:
#ifdef SYS_dup2
	case SYS_dup2:
#endif
		return 1;
	default:
		return 0;
	}
}

typedef long six_arguments(long number, long a, long b, long c, long d, long e, long f);

/* Takes as many as there can be, as libc's own does; a jump, so that vfork finds its way back. */
EXPORT six_arguments by_number __asm__("syscall");

long by_number(long number, long a, long b, long c, long d, long e, long f)
{
	if (unlikely(is_io(number)))
		look(number, a, b, c);
	if (unlikely(closes(number)))
		return close_by_number(number, a, b, c);
	return ((six_arguments *)(void (*)(void))libc.syscall)(number, a, b, c, d, e, f);
}
