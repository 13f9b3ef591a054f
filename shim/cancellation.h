/* SPDX-License-Identifier: MIT */
/*
 * cancellation: a thread inside is cancelled before it begins, or where it sleeps; nowhere else.
 *
 * Most calls that we make on the way are cancellation points (pthreads(7)). A thread that ends in
 * one of them would leave a lock taken, or a message lost that it has received already. Handlers
 * may interrupt any of these functions, and leave a sleep by longjmp. errno is kept.
 */
#ifndef SCTPEEL_CANCELLATION_H
#define SCTPEEL_CANCELLATION_H

#include <stdint.h>
#include <sys/single_threaded.h>

#include "libc.h"

/* 0: outside, all is as the program has set it. Else that state, and twice how deep it is inside.
 */
extern _Thread_local uint32_t cancellation_inside;

void cancellation_off_slow(void);
void cancellation_on_slow(void);
void cancellation_point_slow(void);

/* From here to the cancellation_on that belongs to it this thread is not cancelled. */
static inline void cancellation_off(void)
{
	if (unlikely(!__libc_single_threaded))
		cancellation_off_slow();
}

static inline void cancellation_on(void)
{
	if (unlikely(cancellation_inside != 0))
		cancellation_on_slow();
}

/* Inside: acts upon what is pending, as the call that we stand for does first of all. */
static inline void cancellation_point(void)
{
	if (unlikely(cancellation_inside != 0))
		cancellation_point_slow();
}

/* What a sleep has around it: the second wants what the first has returned. */
uint32_t cancellation_let(void);
void cancellation_stop(uint32_t inside);

/* A call that may sleep; a thread that is cancelled in it must hold no lock. */
#define CANCELLABLE(call)                                 \
	({                                                \
		uint32_t was_inside = cancellation_let(); \
		__typeof__(call) came_back = (call);      \
                                                          \
		cancellation_stop(was_inside);            \
		came_back;                                \
	})

#endif
