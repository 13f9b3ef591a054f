/* SPDX-License-Identifier: MIT */
/* Doors: sending. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#include "doors/doors.h"
#include "passing.h"
#include "routing.h"

static ssize_t send_vector(struct endpoint *endpoint, int fd, const struct iovec *iov,
			   size_t iovcnt, int flags, const struct sockaddr *addr, socklen_t addrlen)
{
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)addr,
		.msg_namelen = addrlen,
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = iovcnt,
	};

	return routing_send(endpoint, fd, &msg, flags);
}

/* Over AF_UNIX: a descriptor that goes along may be an endpoint. */
static ssize_t plain_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t ret = libc.sendmsg(fd, msg, flags);

	if (ret >= 0 && msg->msg_controllen > 0)
		passing_sent(msg);
	return ret;
}

static __attribute__((noinline)) ssize_t our_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ENTER(endpoint, fd);

	return endpoint && !nowhere(msg) ? routing_send(endpoint, fd, msg, flags)
					 : plain_sendmsg(fd, msg, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return endpoint_foreign(fd) ? libc.sendmsg(fd, msg, flags) : our_sendmsg(fd, msg, flags);
}

/* net/socket.c:__sys_sendmmsg: an error after the first is told by the next call. */
static int send_many(struct endpoint *endpoint, int fd, struct mmsghdr *vec, unsigned int vlen,
		     int flags)
{
	unsigned int n = 0;
	ssize_t sent = 0;

	while (n < vlen && n < IOV_MAX) {
		sent = routing_send(endpoint, fd, &vec[n].msg_hdr, flags);
		if (sent < 0)
			break;
		vec[n++].msg_len = (unsigned int)sent;
	}
	return n > 0 || sent >= 0 ? (int)n : -1;
}

static int plain_sendmmsg(int fd, struct mmsghdr *vec, unsigned int vlen, int flags)
{
	int ret = libc.sendmmsg(fd, vec, vlen, flags);

	for (int i = 0; i < ret; i++)
		if (vec[i].msg_hdr.msg_controllen > 0)
			passing_sent(&vec[i].msg_hdr);
	return ret;
}

static int our_sendmmsg(int fd, struct mmsghdr *vec, unsigned int vlen, int flags)
{
	ENTER(endpoint, fd);

	return endpoint && !nowhere(vec) ? send_many(endpoint, fd, vec, vlen, flags)
					 : plain_sendmmsg(fd, vec, vlen, flags);
}

int sendmmsg(int fd, struct mmsghdr *vec, unsigned int vlen, int flags)
{
	return endpoint_foreign(fd) ? libc.sendmmsg(fd, vec, vlen, flags)
				    : our_sendmmsg(fd, vec, vlen, flags);
}

int __sendmmsg(int fd, struct mmsghdr *vec, unsigned int vlen, int flags)
{
	return sendmmsg(fd, vec, vlen, flags);
}

ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
	       socklen_t addrlen)
{
	struct iovec iov = {(void *)(uintptr_t)buf, len};

	/* a name of no length is a bad name here, and none at all in sendmsg (net/socket.c) */
	if (endpoint_foreign(fd) ||
	    (addr && (addrlen == 0 || addrlen > sizeof(struct sockaddr_storage))))
		return libc.sendto(fd, buf, len, flags, addr, addrlen);
	ENTER(endpoint, fd);

	return endpoint ? send_vector(endpoint, fd, &iov, 1, flags, addr, addrlen)
			: libc.sendto(fd, buf, len, flags, addr, addrlen);
}

static ssize_t our_send(int fd, const void *buf, size_t len, int flags)
{
	struct iovec iov = {(void *)(uintptr_t)buf, len};
	ENTER(endpoint, fd);

	return endpoint ? send_vector(endpoint, fd, &iov, 1, flags, NULL, 0)
			: libc.send(fd, buf, len, flags);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	return endpoint_foreign(fd) ? libc.send(fd, buf, len, flags)
				    : our_send(fd, buf, len, flags);
}

ssize_t __send(int fd, const void *buf, size_t len, int flags)
{
	return endpoint_foreign(fd) ? libc.__send(fd, buf, len, flags)
				    : our_send(fd, buf, len, flags);
}

static ssize_t our_write(int fd, const void *buf, size_t len)
{
	struct iovec iov = {(void *)(uintptr_t)buf, len};
	ENTER_KNOWN(endpoint, fd);

	return endpoint ? send_vector(endpoint, fd, &iov, 1, 0, NULL, 0) : libc.write(fd, buf, len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return endpoint_not_known(fd) ? libc.write(fd, buf, len) : our_write(fd, buf, len);
}

ssize_t __write(int fd, const void *buf, size_t len)
{
	return endpoint_not_known(fd) ? libc.__write(fd, buf, len) : our_write(fd, buf, len);
}

/* What names nobody means nothing that is peeled off. */
ssize_t writev(int fd, const struct iovec *iov, int iovcnt)
{
	return libc.writev(fd_visible(fd), iov, iovcnt);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
	return libc.pwritev2(fd_visible(fd), iov, iovcnt, offset, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int iovcnt, off64_t offset, int flags)
{
	return libc.pwritev64v2(fd_visible(fd), iov, iovcnt, offset, flags);
}
