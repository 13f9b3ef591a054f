/* SPDX-License-Identifier: MIT */
/* nothing: a preload that stands before libc and does nothing: what interposition itself costs. */
#include <dlfcn.h>
#include <stddef.h>

#define PASS(name)                                                                                \
	static void *real_##name;                                                                 \
	static __attribute__((constructor)) void find_##name(void)                                \
	{                                                                                         \
		real_##name = dlsym(RTLD_NEXT, #name);                                            \
	}                                                                                         \
	long name(long a, long b, long c, long d, long e, long f);                                \
	long name(long a, long b, long c, long d, long e, long f)                                 \
	{                                                                                         \
		return ((long (*)(long, long, long, long, long, long))real_##name)(a, b, c, d, e, \
										   f);            \
	}

PASS(recvmsg)
PASS(sendmsg)
PASS(read)
PASS(write)
PASS(poll)
PASS(epoll_wait)
PASS(close)
