/* SPDX-License-Identifier: MIT */
/*
 * failing: what the preload failing.c and its driver programs/fault_matrix.c both know. The file
 * that FAILING names is this table; all processes of a run share it.
 */
#ifndef FAILING_H
#define FAILING_H

#include <stdint.h>

/* A place in libsctpeel.so that calls libc. */
struct failing_site {
	char call[24];
	uint64_t at;	 /* where the call returns to, counted from the library's start */
	uint64_t detail; /* the option, command or number, where one place asks for several */
	uint32_t times;	 /* calls so far */
};

struct failing_table {
	struct failing_site due; /* the call that is to fail: its `times`th there */
	int32_t error;		 /* how; 0: none */
	uint32_t kill_at; /* kills the process named "victim" before this call of its; 0: never */
	uint32_t calls;	  /* how many it has begun */
	uint32_t failed;  /* whether it did */
	uint32_t count;
	struct failing_site sites[1000];
};

#endif
