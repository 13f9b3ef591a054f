/* SPDX-License-Identifier: MIT */
/*
 * probes: the events as USDT probes, for bpftrace, perf and systemtap; a no-op instruction each
 * while nobody looks. Strings may be NULL.
 *
 *   sctpeel:decision    fd, association, verdict (keep, peel, hold), rule (0-based, -1), reason
 *   sctpeel:peel        fd, association, hidden descriptor (-1), errno, latency in ns
 *   sctpeel:assoc_down  fd, association, bytes, messages, whether it was peeled off
 *   sctpeel:route       fd, association, call
 */
#ifndef SCTPEEL_PROBES_H
#define SCTPEEL_PROBES_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#else
/* Used, so that nobody is warned of what only a probe reads. */
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define DTRACE_PROBE5(provider, name, a, b, c, d, e) \
	((void)(a), (void)(b), (void)(c), (void)(d), (void)(e))
#endif

#endif
