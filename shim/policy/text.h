/* SPDX-License-Identifier: MIT */
/*
 * text: a bounded string that is built piece by piece. No stdio, no allocation,
 * async-signal-safe: reasons are put together inside the program's calls, maybe in a handler.
 */
#ifndef SCTPEEL_POLICY_TEXT_H
#define SCTPEEL_POLICY_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "rules.h"

/* Goes on counting when full, so that a first pass with no buffer tells the room needed. */
struct text {
	char *buf;
	size_t room;   /* with the terminator */
	size_t length; /* wanted so far, without it */
};

void text_char(struct text *text, char c);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, uint64_t number);
/* Exact, with the largest unit that divides it: 64K, 1536K, 1000. */
void text_size(struct text *text, uint64_t bytes);
/* Exact: 3s, 1500ms, 2h. */
void text_duration(struct text *text, uint64_t ns);
/* For people: seconds from one second on, decimals cut after `decimals` (0 to 9): 3.2s, 15ms. */
void text_elapsed(struct text *text, uint64_t ns, unsigned decimals);
void text_percent(struct text *text, uint64_t hundredths);
/* A number as the rules write it, with the unit. */
void text_quantity(struct text *text, enum unit unit, uint64_t number);
void text_address(struct text *text, struct address address);
void text_prefix(struct text *text, const struct prefix *prefix);
void text_ranges(struct text *text, const struct range *ranges, uint32_t count);
/* Terminates; a text that did not fit ends in "...". */
void text_end(struct text *text);

#endif
