/* SPDX-License-Identifier: MIT */
/* units: numbers with a unit, as rules write them: 64K, 10M/s, 1.5s, 25%. Private to shim/policy/.
 */
#ifndef SCTPEEL_POLICY_UNITS_H
#define SCTPEEL_POLICY_UNITS_H

#include "rules.h"

/* What was written. A plain number has UNIT_COUNT, 500/s has UNIT_COUNT_RATE. */
struct quantity {
	enum unit unit;
	uint64_t value;
};

/* Whether this could be a number at all, if maybe a wrong one. */
bool quantity_begins(const char *at, size_t length);
/* Reads the whole span. False with the reason in `why`; ret is untouched then. */
bool quantity_parse(const char *at, size_t length, struct quantity *ret, char *why, size_t size);
/*
 * Whether the quantity fits a field of this unit; else says why, with the cure where there is a
 * plain one ("bytes is a size, 5s is a time"). `what` names the field, the span the quantity.
 */
bool quantity_fits(const struct quantity *quantity, enum unit unit, const char *what,
		   const char *at, size_t length, char *why, size_t size);
/* "a size", and an example of one: "64K". */
const char *unit_noun(enum unit unit);
const char *unit_example(enum unit unit);

#endif
