/* SPDX-License-Identifier: MIT */
#include "spread.h"

static int slot_of(uint64_t ns)
{
	int octave;

	if (ns >> SPREAD_FIRST == 0)
		return 0;
	octave = 63 - __builtin_clzll(ns);
	if (octave >= SPREAD_LAST)
		return SPREAD_SLOTS - 1;
	return 1 + (octave - SPREAD_FIRST) * SPREAD_STEPS + (int)(ns >> (octave - 2) & 3);
}

uint64_t spread_edge(int slot)
{
	int octave = SPREAD_FIRST + (slot - 1) / SPREAD_STEPS;

	if (slot <= 0)
		return 0;
	return (UINT64_C(1) << octave) +
	       (uint64_t)((slot - 1) % SPREAD_STEPS) * (UINT64_C(1) << (octave - 2));
}

void spread_add(struct spread *spread, uint64_t ns)
{
	spread->counts[slot_of(ns)]++;
}

void spread_join(struct spread *spread, const struct spread *other)
{
	for (int i = 0; i < SPREAD_SLOTS; i++)
		spread->counts[i] += other->counts[i];
}

void spread_take(struct spread *spread, const struct spread *other)
{
	for (int i = 0; i < SPREAD_SLOTS; i++)
		spread->counts[i] -= other->counts[i];
}

uint64_t spread_count(const struct spread *spread)
{
	uint64_t ret = 0;

	for (int i = 0; i < SPREAD_SLOTS; i++)
		ret += spread->counts[i];
	return ret;
}

/* Within a slot they are taken to lie evenly. */
uint64_t spread_quantile(const struct spread *spread, double part)
{
	double wanted = part * (double)spread_count(spread), passed = 0;

	for (int i = 0; i < SPREAD_SLOTS; i++) {
		double here = spread->counts[i];

		if (here > 0 && passed + here >= wanted) {
			uint64_t low = spread_edge(i);
			uint64_t high = i + 1 < SPREAD_SLOTS ? spread_edge(i + 1) : low;

			return low + (uint64_t)((double)(high - low) * (wanted - passed) / here);
		}
		passed += here;
	}
	return 0;
}
