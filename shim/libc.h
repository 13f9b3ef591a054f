/* SPDX-License-Identifier: MIT */
/*
 * libc: the calls behind the doors, as libc (or another preload after us) has them.
 *
 * Each pointer starts at a stub that looks its own call up with dlsym(RTLD_NEXT) and jumps there,
 * so every door works before our constructor has run (allocators and other libraries' constructors
 * call us early); libc_resolve then fills the table at once, so that no dlsym happens later in a
 * signal handler or a fork child. No object of ours names an intercepted call but through `libc`.
 */
#ifndef SCTPEEL_LIBC_H
#define SCTPEEL_LIBC_H

#include <netinet/in.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct libc_calls {
#define CALL(ret, name, params, args, family) ret(*name) params;
#define CALL_VARIADIC(ret, name, params, fetched, args, family) ret(*name) params;
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC
};

extern struct libc_calls libc;

/* Looks all calls up. Once, from the constructor. A call that this libc lacks answers ENOSYS. */
void libc_resolve(void);

/* CLOCK_MONOTONIC in nanoseconds. Async-signal-safe. */
uint64_t now_ns(void);
/* A time span in nanoseconds, cut at some hundred years. */
uint64_t timespec_ns(const struct timespec *time);
/* SO_RCVTIMEO's: 0 is for ever, less than nothing at once (net/core/sock.c:sock_set_timeout). */
uint64_t timeval_ns(const struct timeval *time);
/* What is left until then, as now_ns counts; 0 when it has passed. */
struct timespec time_until(uint64_t deadline);

/*
 * Nothing can be mapped below vm.mmap_min_addr (64 KiB): a pointer there, NULL with an offset or a
 * small number, is the kernel's to answer with EFAULT, not ours to follow.
 */
#define nowhere(pointer) ((uintptr_t)(pointer) < 65536)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
