/* SPDX-License-Identifier: MIT */
/* Doors: where descriptors come from and go to. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "doors/doors.h"
#include "epollset.h"
#include "hidden.h"

/* ------------------------------------------------------------------ new numbers */

static int opened(int fd, int domain, int type, int protocol)
{
	if (fd >= 0)
		endpoint_opened(fd, domain, type, protocol);
	return fd;
}

int socket(int domain, int type, int protocol)
{
	return opened(libc.socket(domain, type, protocol), domain, type, protocol);
}

int __socket(int domain, int type, int protocol)
{
	return opened(libc.__socket(domain, type, protocol), domain, type, protocol);
}

/* Never a one-to-many socket: said here, it need not be asked about later. */
static int plain(int fd, uintptr_t word)
{
	if (fd >= 0)
		fdtable_set(fd, word);
	return fd;
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
	int ret = libc.socketpair(domain, type, protocol, fds);

	if (ret == 0) {
		plain(fds[0], domain == AF_UNIX ? FD_UNIX : FD_FOREIGN);
		plain(fds[1], domain == AF_UNIX ? FD_UNIX : FD_FOREIGN);
	}
	return ret;
}

int accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
{
	uintptr_t word = fdtable_get(fd);

	return plain(libc.accept(fd_visible(fd), addr, len), fd_plain(word));
}

int accept4(int fd, struct sockaddr *restrict addr, socklen_t *restrict len, int flags)
{
	uintptr_t word = fdtable_get(fd);

	return plain(libc.accept4(fd_visible(fd), addr, len, flags), fd_plain(word));
}

/* ------------------------------------------------------------------ copies */

/* What the copy is: the same endpoint, the same epoll set, or whatever its like was. */
static uintptr_t word_of_copy(struct endpoint *endpoint, uintptr_t word)
{
	if (!endpoint)
		return fd_plain(word);
	return endpoint_count_number(endpoint) ? fd_word(FD_ENDPOINT, endpoint) : FD_UNKNOWN;
}

static int copied(struct endpoint *endpoint, uintptr_t word, int to)
{
	if (to < 0 || !endpoint_own_process())
		return to;
	if (fd_kind(word) == FD_SET)
		epollset_duplicated(fd_object(word), to);
	else
		fdtable_set(to, word_of_copy(endpoint, word));
	return to;
}

int dup(int fd)
{
	uintptr_t word = fdtable_get(fd);
	ENTER_KNOWN(endpoint, fd);

	return copied(endpoint, word, libc.dup(fd));
}

/* The number `to` is closed and is a copy of `fd` in one step; what is hidden there moves away. */
static int copy_over(int fd, int to, int flags, bool three)
{
	uintptr_t word = fdtable_get(fd), old;
	ENTER_KNOWN(endpoint, fd);
	int ret, kept;

	if (fd == to || to < 0)
		return three ? libc.dup3(fd, to, flags) : libc.dup2(fd, to);
	if (libc.fcntl(fd, F_GETFD) < 0)
		return -1;
	/* a child of vfork has descriptors of its own, and our memory */
	if (fd_kind(fdtable_get(to)) == FD_HIDDEN && endpoint_own_process())
		hidden_make_way(to);
	old = endpoint_closing(to);
	ret = three ? libc.dup3(fd, to, flags) : libc.dup2(fd, to);
	kept = errno;
	if (old == FD_BUSY)
		return ret;
	if (ret < 0) {
		endpoint_closed(to, old, false, FD_UNKNOWN);
	} else if (fd_kind(word) == FD_SET) {
		endpoint_closed(to, old, true, FD_UNKNOWN);
		epollset_duplicated(fd_object(word), to);
	} else {
		endpoint_closed(to, old, true, word_of_copy(endpoint, word));
	}
	errno = kept;
	return ret;
}

int dup2(int fd, int to)
{
	return copy_over(fd, to, 0, false);
}

int __dup2(int fd, int to)
{
	return copy_over(fd, to, 0, false);
}

int dup3(int fd, int to, int flags)
{
	return copy_over(fd, to, flags, true);
}

/* ------------------------------------------------------------------ closing */

int close(int fd)
{
	return endpoint_close(fd);
}

/* A stream on the socket (fdopen): libc closes its number by itself. */
static int close_stream(FILE *stream, int fd)
{
	uintptr_t word;
	int ret, kept;

	/* the stream's own number is gone already if it is one of ours */
	if (fd_kind(fdtable_get(fd)) == FD_HIDDEN)
		hidden_make_way(fd);
	word = endpoint_closing(fd);
	ret = libc.fclose(stream);
	kept = errno;
	endpoint_closed(fd, word, true, FD_UNKNOWN);
	errno = kept;
	return ret;
}

int fclose(FILE *stream)
{
	int kept = errno, fd = fileno(stream);

	errno = kept;
	return likely(fdtable_get(fd) <= FD_BUSY) ? libc.fclose(stream) : close_stream(stream, fd);
}

int __close(int fd)
{
	return close(fd);
}

static bool is_hidden(int fd)
{
	return fd_kind(fdtable_get(fd)) == FD_HIDDEN;
}

/* First hidden number in [first, last], last + 1 when there is none. */
static unsigned int next_hidden(unsigned int first, unsigned int last)
{
	unsigned int end = (unsigned int)fdtable_end();

	for (; first <= last && first < end; first++)
		if (is_hidden((int)first))
			return first;
	return last + 1;
}

/* The endpoints and sets in the range end with their numbers, as with close. */
static void close_ours(unsigned int first, unsigned int last)
{
	unsigned int end = (unsigned int)fdtable_end();

	/* close_range is no cancellation point */
	cancellation_off();
	for (; first <= last && first < end; first++) {
		uintptr_t word = fdtable_get((int)first);

		if (word == FD_FOREIGN || word == FD_UNIX)
			fdtable_set((int)first, FD_UNKNOWN);
		else if (word > FD_BUSY)
			endpoint_close((int)first);
	}
	cancellation_on();
}

/* Around what is hidden, with the same flags. */
int close_range(unsigned int first, unsigned int last, int flags)
{
	const int cloexec = CLOSE_RANGE_CLOEXEC;
	unsigned int at = first, until;
	int ret = 0;

	if (first > last || (flags & ~(cloexec | (int)CLOSE_RANGE_UNSHARE)) != 0)
		return libc.close_range(first, last, flags);
	if (!(flags & cloexec) && endpoint_own_process())
		close_ours(first, last);
	do {
		until = next_hidden(at, last);
		if (until > at || until == 0)
			ret = libc.close_range(at, until == 0 ? UINT32_MAX : until - 1, flags);
		if (ret < 0 || until == 0 || until > last)
			break;
		at = until + 1;
	} while (at != 0 && at <= last);
	return ret;
}

void closefrom(int first)
{
	if (first < 0)
		first = 0;
	if (close_range((unsigned int)first, UINT32_MAX, 0) == 0)
		return;
	/* kernels before 5.9 */
	for (unsigned int fd = (unsigned int)first; fd < FDTABLE_SIZE; fd++)
		if (!is_hidden((int)fd))
			libc.close((int)fd);
}

/* ------------------------------------------------------------------ by number */

static bool is_ours(int fd)
{
	return fdtable_get(fd) > FD_BUSY;
}

static bool has_ours(unsigned int first, unsigned int last)
{
	unsigned int end = (unsigned int)fdtable_end();

	while (first <= last && first < end && !is_ours((int)first))
		first++;
	return first <= last && first < end;
}

static long close_one(int fd)
{
	uintptr_t word = fdtable_get(fd);
	long ret;
	int kept;

	if (word <= FD_BUSY) {
		if (word == FD_FOREIGN || word == FD_UNIX)
			fdtable_set(fd, FD_UNKNOWN);
		return libc.syscall(SYS_close, (long)fd, 0L, 0L, 0L, 0L, 0L);
	}
	word = endpoint_closing(fd);
	ret = libc.syscall(SYS_close, (long)fd_visible(fd), 0L, 0L, 0L, 0L, 0L);
	kept = errno;
	endpoint_closed(fd, word, ret == 0 || kept != EBADF, FD_UNKNOWN);
	errno = kept;
	return ret;
}

/* What another preload behind us does by number comes by here as well: it finds nothing of ours. */
long close_by_number(long number, long a, long b, long c)
{
	int fd = (int)a, to = (int)b;

	if (number == SYS_close)
		return close_one(fd);
	if (number == SYS_close_range) {
		if (!(c & CLOSE_RANGE_CLOEXEC) && has_ours((unsigned int)a, (unsigned int)b))
			return close_range((unsigned int)a, (unsigned int)b, (int)c);
	} else if (fd != to && fdtable_get(to) != FD_BUSY && (is_ours(fd) || is_ours(to))) {
		return number == SYS_dup3 ? dup3(fd, to, (int)c) : dup2(fd, to);
	}
	return libc.syscall(number, a, b, c, 0L, 0L, 0L);
}
