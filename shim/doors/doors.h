/* SPDX-License-Identifier: MIT */
/*
 * doors: what the library exports. Some of these names no public header declares.
 */
#ifndef SCTPEEL_DOORS_H
#define SCTPEEL_DOORS_H

#include "libc.h"

#define EXPORT __attribute__((visibility("default")))
#define CALL(ret, name, params, args, family) EXPORT ret name params;
#define CALL_VARIADIC(ret, name, params, fetched, args, family) EXPORT ret name params;
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC

/* SYS_close and its kin, as by name: the number that is closed may be another's soon. */
long close_by_number(long number, long a, long b, long c);

#endif
