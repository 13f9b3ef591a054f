/* SPDX-License-Identifier: MIT */
/*
 * window: how much came in the last T, in 24 bytes. Private to shim/policy/.
 *
 * Time is cut into spans of length T that start at multiples of T. What came in the current span
 * counts in full; of the span before, the part that the last T still overlaps, as if it had come
 * evenly. A steady rate is measured exactly; a burst counts for at least T and fades out by 2T.
 * As all windows of one length are cut at the same moments, the associations' windows add up to
 * the socket's, and a share is never more than the whole.
 */
#ifndef SCTPEEL_POLICY_WINDOW_H
#define SCTPEEL_POLICY_WINDOW_H

#include <stdint.h>

struct window {
	uint64_t start_ns; /* of the current span */
	uint64_t current, previous;
};

/* a * b / c without overflow on the way; all ones when the result does not fit. */
static inline uint64_t multiply_divide(uint64_t a, uint64_t b, uint64_t c)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	/* 64-bit division is several times faster, and nearly always enough */
	if (product >> 64 == 0)
		return (uint64_t)product / c;
	if (product >> 64 >= c)
		return UINT64_MAX;
	return (uint64_t)(product / c);
}

static inline uint64_t add_saturated(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* A clock that goes back (it should not) counts into the current span. */
static inline uint64_t window_elapsed(const struct window *window, uint64_t now_ns)
{
	return now_ns > window->start_ns ? now_ns - window->start_ns : 0;
}

static inline void window_add(struct window *window, uint64_t length_ns, uint64_t now_ns,
			      uint64_t amount)
{
	uint64_t elapsed = window_elapsed(window, now_ns);

	if (length_ns == 0)
		__builtin_unreachable(); /* the parser refuses such a window */
	if (elapsed >= length_ns) {
		if (elapsed - length_ns < length_ns) {
			window->previous = window->current;
			window->start_ns += length_ns;
		} else {
			window->previous = 0;
			window->start_ns = now_ns - now_ns % length_ns;
		}
		window->current = 0;
	}
	window->current = add_saturated(window->current, amount);
}

/* What came in the last length_ns, as seen now; the window is only read. */
static inline uint64_t window_sum(const struct window *window, uint64_t length_ns, uint64_t now_ns)
{
	uint64_t elapsed = window_elapsed(window, now_ns);

	if (elapsed < length_ns)
		return add_saturated(
			window->current,
			multiply_divide(window->previous, length_ns - elapsed, length_ns));
	elapsed -= length_ns;
	if (elapsed < length_ns)
		return multiply_divide(window->current, length_ns - elapsed, length_ns);
	return 0;
}

#endif
