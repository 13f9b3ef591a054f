/* SPDX-License-Identifier: MIT */
/*
 * stand_in: datagram sockets that pass for one-to-many ones, so that what reads memory of other
 * processes can be fed anything without a kernel that has SCTP. It shows that nothing is overrun,
 * leaked or waited for, and nothing about SCTP.
 *
 * The policy has windows, so that associations carry a state of its.
 */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "fdtable.h"
#include "libc.h"

#define check(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* Before the library's own, which reads it. */
static __attribute__((constructor(101))) void set_policy(void)
{
	setenv("SCTPEEL_POLICY", "hog: peel if share(1s) > 50% for 2s; peel if rate(5s) > 1M/s", 1);
	unsetenv("SCTPEEL_TRACE");
}

static bool alive; /* what is said of associations */

static int stand_in_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	static __typeof__(libc.getsockopt) real;

	if (!real)
		real = (__typeof__(real))dlsym(RTLD_NEXT, "getsockopt");
	if (level == SOL_SOCKET && name == SO_PROTOCOL) {
		int ret = real(fd, level, name, value, len);

		if (ret == 0 && *(int *)value == IPPROTO_UDP)
			*(int *)value = IPPROTO_SCTP;
		return ret;
	}
	if (level == SOL_SOCKET && name == SO_TYPE) {
		*(int *)value = SOCK_SEQPACKET;
		return 0;
	}
	if (level != SOL_SCTP)
		return real(fd, level, name, value, len);
	if (name == SCTP_STATUS && !alive) {
		errno = EINVAL;
		return -1;
	}
	memset(value, 0, *len);
	return 0;
}

static int stand_in_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static __typeof__(libc.setsockopt) real;

	if (!real)
		real = (__typeof__(real))dlsym(RTLD_NEXT, "setsockopt");
	return level == SOL_SCTP ? 0 : real(fd, level, name, value, len);
}

static void stand_in(void)
{
	libc.getsockopt = stand_in_getsockopt;
	libc.setsockopt = stand_in_setsockopt;
}

static int new_socket(void)
{
	int ret = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	check(ret >= 0);
	return ret;
}

static int open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int ret = 0;

	check(folder);
	while (readdir(folder))
		ret++;
	closedir(folder);
	return ret;
}

/* What is left of the input. */
struct input {
	const uint8_t *at, *end;
};

/* Zeroes when there is no more. */
static void draw(struct input *input, void *to, size_t size)
{
	size_t left = (size_t)(input->end - input->at), n = size < left ? size : left;

	memset(to, 0, size);
	if (n > 0)
		memcpy(to, input->at, n);
	input->at += n;
}

static unsigned int draw_byte(struct input *input)
{
	uint8_t ret;

	draw(input, &ret, 1);
	return ret;
}

#endif
