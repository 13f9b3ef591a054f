/* SPDX-License-Identifier: MIT */
/* minutes: sched_yield takes a minute, says the clock that counts from the start. */
#include <dlfcn.h>
#include <sched.h>
#include <time.h>

static long ahead; /* seconds */

int sched_yield(void)
{
	__atomic_add_fetch(&ahead, 61, __ATOMIC_SEQ_CST);
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	static int (*next)(clockid_t, struct timespec *);
	int failed;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
	failed = next(clock, ret);
	if (failed == 0 && clock == CLOCK_MONOTONIC)
		ret->tv_sec += __atomic_load_n(&ahead, __ATOMIC_SEQ_CST);
	return failed;
}
