/* SPDX-License-Identifier: MIT */
#include "libc.h"

#include <dlfcn.h>
#include <errno.h>

#define CALL(ret, name, params, args, family) static ret first_##name params;
#define CALL_VARIADIC(ret, name, params, fetched, args, family) static ret first_##name fetched;
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC

/*
 * A variadic call is made through a pointer of its own type, its stub takes the one argument that
 * fcntl and ioctl ever fetch (both psABIs pass it in the same register).
 */
struct libc_calls libc = {
#define CALL(ret, name, params, args, family) .name = first_##name,
#define CALL_VARIADIC(ret, name, params, fetched, args, family) \
	.name = (ret(*) params)(void (*)(void))first_##name,
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC
};

/* NULL for what this libc lacks. */
static void *look_up(const char *name)
{
	int kept = errno;
	void *real = dlsym(RTLD_NEXT, name);

	errno = kept;
	return real;
}

#define RESOLVE(name)                                                                  \
	({                                                                             \
		void *real = look_up(#name);                                           \
		if (real)                                                              \
			__atomic_store_n((void **)&libc.name, real, __ATOMIC_RELAXED); \
		real != NULL;                                                          \
	})

#define CALL(ret, name, params, args, family)  \
	static ret first_##name params         \
	{                                      \
		if (RESOLVE(name))             \
			return libc.name args; \
		errno = ENOSYS;                \
		return (ret)-1;                \
	}
#define CALL_VARIADIC(ret, name, params, fetched, args, family) \
	static ret first_##name fetched                         \
	{                                                       \
		if (RESOLVE(name))                              \
			return libc.name args;                  \
		errno = ENOSYS;                                 \
		return (ret)-1;                                 \
	}
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC

void libc_resolve(void)
{
#define CALL(ret, name, params, args, family) (void)RESOLVE(name);
#define CALL_VARIADIC(ret, name, params, fetched, args, family) (void)RESOLVE(name);
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC
}

uint64_t timespec_ns(const struct timespec *time)
{
	if (time->tv_sec > 4000000000)
		return UINT64_C(4000000000) * 1000000000u;
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

uint64_t timeval_ns(const struct timeval *time)
{
	struct timespec timespec = {time->tv_sec, time->tv_usec * 1000};

	return time->tv_sec < 0 ? 1 : timespec_ns(&timespec);
}

struct timespec time_until(uint64_t deadline)
{
	uint64_t now = now_ns(), left = now < deadline ? deadline - now : 0;

	return (struct timespec){(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
