/* SPDX-License-Identifier: MIT */
/*
 * values: words of the environment to numbers, whatever the locale.
 *
 * Each function answers false and leaves *ret alone when the word is not of its kind.
 */
#ifndef SCTPEEL_VALUES_H
#define SCTPEEL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word inside a longer string. */
struct word {
	const char *start;
	size_t length;
};

bool word_is(struct word word, const char *name); /* ASCII letters of either case are equal */
struct word word_trim(struct word word);
/* Takes the word up to `separator` off the front of *rest; false when nothing is left. */
bool word_next(struct word *rest, char separator, struct word *ret);

bool value_count(struct word word, uint64_t *ret);   /* decimal */
bool value_size(struct word word, uint64_t *ret);    /* 4096, 64K, 1M, 2G, 1T (of 1024) */
bool value_time_ns(struct word word, uint64_t *ret); /* 5us, 5ms, 10s, 1m, 2h */
bool value_bool(struct word word, bool *ret);
/* Place in the NULL-terminated list, -1 if it is not there. */
int value_choice(struct word word, const char *const *choices);
/* Does the shell pattern (* ? [a-z] [!a-z] and \ before any of them) match the whole name? */
bool value_glob(const char *pattern, const char *name);

#endif
