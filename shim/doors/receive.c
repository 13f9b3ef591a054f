/* SPDX-License-Identifier: MIT */
/* Doors: receiving. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "doors/doors.h"
#include "fanin.h"
#include "passing.h"
#include "peel.h"

/* read and its kin may be anybody's: unknown numbers are not asked about. */
#define PASS(fd, call)                      \
	do {                                \
		if (endpoint_not_known(fd)) \
			return call;        \
	} while (0)

static ssize_t receive(struct endpoint *endpoint, int fd, const struct iovec *iov, size_t iovcnt,
		       int flags)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = iovcnt};

	return fanin_receive(endpoint, fd, &msg, flags);
}

static ssize_t receive_name(struct endpoint *endpoint, int fd, void *buf, size_t len, int flags,
			    struct sockaddr *addr, socklen_t *addrlen)
{
	struct iovec iov = {buf, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t ret;

	bool named = addr && !nowhere(addr) && !nowhere(addrlen) && (int)*addrlen >= 0;

	if (named) {
		msg.msg_name = addr;
		msg.msg_namelen = *addrlen;
	}
	ret = fanin_receive(endpoint, fd, &msg, flags);
	if (ret >= 0 && addr && !named) {
		/* the kernel looks for the room only after it has taken the message */
		errno = nowhere(addr) || nowhere(addrlen) ? EFAULT : EINVAL;
		return -1;
	}
	if (ret >= 0 && msg.msg_name)
		*addrlen = msg.msg_namelen;
	return ret;
}

/* Over AF_UNIX: a descriptor that comes along may be an endpoint. */
static ssize_t plain_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t ret = libc.recvmsg(fd, msg, flags);

	if (ret >= 0 && msg->msg_controllen > 0)
		passing_received(msg);
	return ret;
}

static __attribute__((noinline)) ssize_t our_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ENTER(endpoint, fd);

	return endpoint && !nowhere(msg) ? fanin_receive(endpoint, fd, msg, flags)
					 : plain_recvmsg(fd, msg, flags);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	return endpoint_foreign(fd) ? libc.recvmsg(fd, msg, flags) : our_recvmsg(fd, msg, flags);
}

/* net/socket.c:do_recvmmsg: blocks for the first or for all, the time-out is looked at in between.
 */
static int receive_many(struct endpoint *endpoint, int fd, struct mmsghdr *vec, unsigned int vlen,
			int flags, struct timespec *timeout)
{
	uint64_t left = 0, began = 0, now;
	unsigned int n = 0;
	ssize_t got;

	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999) {
			errno = EINVAL;
			return -1;
		}
		left = (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
		began = now_ns();
	}
	while (n < vlen) {
		got = fanin_receive(endpoint, fd, &vec[n].msg_hdr, flags & ~MSG_WAITFORONE);
		if (got < 0)
			break;
		vec[n++].msg_len = (unsigned int)got;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (!timeout)
			continue;
		now = now_ns() - began;
		now = now < left ? left - now : 0;
		*timeout =
			(struct timespec){(time_t)(now / 1000000000u), (long)(now % 1000000000u)};
		if (now == 0)
			break;
	}
	return n > 0 || vlen == 0 ? (int)n : -1;
}

static int plain_recvmmsg(int fd, struct mmsghdr *vec, unsigned int vlen, int flags,
			  struct timespec *timeout)
{
	int ret = libc.recvmmsg(fd, vec, vlen, flags, timeout);

	for (int i = 0; i < ret; i++)
		if (vec[i].msg_hdr.msg_controllen > 0)
			passing_received(&vec[i].msg_hdr);
	return ret;
}

int recvmmsg(int fd, struct mmsghdr *vec, unsigned int vlen, int flags, struct timespec *timeout)
{
	if (endpoint_foreign(fd))
		return libc.recvmmsg(fd, vec, vlen, flags, timeout);
	ENTER(endpoint, fd);

	return endpoint && !nowhere(vec) ? receive_many(endpoint, fd, vec, vlen, flags, timeout)
					 : plain_recvmmsg(fd, vec, vlen, flags, timeout);
}

ssize_t recvfrom(int fd, void *restrict buf, size_t len, int flags, struct sockaddr *restrict addr,
		 socklen_t *restrict addrlen)
{
	if (endpoint_foreign(fd))
		return libc.recvfrom(fd, buf, len, flags, addr, addrlen);
	ENTER(endpoint, fd);

	return endpoint ? receive_name(endpoint, fd, buf, len, flags, addr, addrlen)
			: libc.recvfrom(fd, buf, len, flags, addr, addrlen);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct iovec iov = {buf, len};

	if (endpoint_foreign(fd))
		return libc.recv(fd, buf, len, flags);
	ENTER(endpoint, fd);

	return endpoint ? receive(endpoint, fd, &iov, 1, flags) : libc.recv(fd, buf, len, flags);
}

ssize_t __recv(int fd, void *buf, size_t len, int flags)
{
	struct iovec iov = {buf, len};

	if (endpoint_foreign(fd))
		return libc.__recv(fd, buf, len, flags);
	ENTER(endpoint, fd);

	return endpoint ? receive(endpoint, fd, &iov, 1, flags) : libc.__recv(fd, buf, len, flags);
}

/* A length beyond the buffer is libc's to punish. */
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t buflen, int flags)
{
	struct iovec iov = {buf, len};

	if (endpoint_foreign(fd) || len > buflen)
		return libc.__recv_chk(fd, buf, len, buflen, flags);
	ENTER(endpoint, fd);

	return endpoint ? receive(endpoint, fd, &iov, 1, flags)
			: libc.__recv_chk(fd, buf, len, buflen, flags);
}

ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t len, size_t buflen, int flags,
		       struct sockaddr *restrict addr, socklen_t *restrict addrlen)
{
	if (endpoint_foreign(fd) || len > buflen)
		return libc.__recvfrom_chk(fd, buf, len, buflen, flags, addr, addrlen);
	ENTER(endpoint, fd);

	return endpoint ? receive_name(endpoint, fd, buf, len, flags, addr, addrlen)
			: libc.__recvfrom_chk(fd, buf, len, buflen, flags, addr, addrlen);
}

/* net/socket.c:sock_read_iter: a read of nothing answers 0 and looks at nothing. */
static ssize_t our_read(int fd, void *buf, size_t len)
{
	struct iovec iov = {buf, len};
	ENTER_KNOWN(endpoint, fd);

	return endpoint && len > 0 ? receive(endpoint, fd, &iov, 1, 0) : libc.read(fd, buf, len);
}

ssize_t read(int fd, void *buf, size_t len)
{
	PASS(fd, libc.read(fd, buf, len));
	return our_read(fd, buf, len);
}

ssize_t __read(int fd, void *buf, size_t len)
{
	PASS(fd, libc.__read(fd, buf, len));
	return our_read(fd, buf, len);
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t buflen)
{
	if (endpoint_not_known(fd) || len > buflen)
		return libc.__read_chk(fd, buf, len, buflen);
	return our_read(fd, buf, len);
}

static bool reads_something(const struct iovec *iov, int iovcnt)
{
	for (int i = 0; i < iovcnt; i++)
		if (iov[i].iov_len > 0)
			return true;
	return false;
}

ssize_t readv(int fd, const struct iovec *iov, int iovcnt)
{
	PASS(fd, libc.readv(fd, iov, iovcnt));
	ENTER_KNOWN(endpoint, fd);

	return endpoint && !nowhere(iov) && iovcnt <= IOV_MAX && reads_something(iov, iovcnt)
		       ? receive(endpoint, fd, iov, (size_t)iovcnt, 0)
		       : libc.readv(fd, iov, iovcnt);
}

/* On a socket only with offset -1, where it is readv; RWF_NOWAIT is MSG_DONTWAIT. */
static ssize_t our_preadv2(int fd, const struct iovec *iov, int iovcnt, off64_t offset, int flags)
{
	ENTER_KNOWN(endpoint, fd);

	if (!endpoint || nowhere(iov) || offset != -1 || iovcnt > IOV_MAX ||
	    !reads_something(iov, iovcnt))
		return libc.preadv64v2(fd, iov, iovcnt, offset, flags);
	return receive(endpoint, fd, iov, (size_t)iovcnt, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0);
}

ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
	PASS(fd, libc.preadv2(fd, iov, iovcnt, offset, flags));
	return our_preadv2(fd, iov, iovcnt, offset, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int iovcnt, off64_t offset, int flags)
{
	PASS(fd, libc.preadv64v2(fd, iov, iovcnt, offset, flags));
	return our_preadv2(fd, iov, iovcnt, offset, flags);
}

struct spliced {
	struct endpoint *endpoint;
	struct association *association;
};

static void splice_done(struct spliced *spliced)
{
	if (spliced->association)
		peel_unuse(spliced->endpoint, spliced->association);
}

/* What the next receive would read from gives its message; what is not accounted is not judged. */
ssize_t splice(int fd, off64_t *offin, int fdout, off64_t *offout, size_t len, unsigned int flags)
{
	PASS(fd, libc.splice(fd, offin, fdout, offout, len, flags));
	ENTER_KNOWN(endpoint, fd);
	struct spliced spliced __attribute__((cleanup(splice_done))) = {endpoint, NULL};
	ssize_t ret;

	if (endpoint)
		fd = fanin_next(endpoint, fd, &spliced.association);
	ret = CANCELLABLE(libc.splice(fd, offin, fdout, offout, len, flags));
	if (endpoint)
		fanin_spliced(endpoint);
	return ret;
}
