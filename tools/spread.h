/* SPDX-License-Identifier: MIT */
/*
 * spread: how durations are distributed, in 112 counters: four to an octave from 1 us to 2 minutes,
 * so that a quantile is right within 10 %. Spreads can be added and subtracted.
 */
#ifndef SCTPEEL_SPREAD_H
#define SCTPEEL_SPREAD_H

#include <stdint.h>

enum { SPREAD_STEPS = 4, SPREAD_FIRST = 10, SPREAD_LAST = 37 };
enum { SPREAD_SLOTS = (SPREAD_LAST - SPREAD_FIRST) * SPREAD_STEPS + 2 };

struct spread {
	uint32_t counts[SPREAD_SLOTS]; /* the first: below 1.024 us; the last: beyond all others */
};

void spread_add(struct spread *spread, uint64_t ns);
void spread_join(struct spread *spread, const struct spread *other);
/* What is in `other` must be in `spread`. */
void spread_take(struct spread *spread, const struct spread *other);
uint64_t spread_count(const struct spread *spread);
/* What this part (0 to 1) of all is not longer than; 0 when there is none. */
uint64_t spread_quantile(const struct spread *spread, double part);
/* Where the slot begins, in ns. */
uint64_t spread_edge(int slot);

#endif
