/* SPDX-License-Identifier: MIT */
/* nearest: which known name was probably meant. */
#include <string.h>

#include "policy.h"

enum { WORD_MAX = 32, DISTANCE_MAX = 2 };

static unsigned char fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours; case does not count. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *previous = rows[1], *current = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		previous[j] = j;
	memcpy(before, previous, sizeof(rows[0]));
	for (size_t i = 1; i <= a_length; i++) {
		size_t *spare = before;

		current[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			current[j] = least(least(previous[j], current[j - 1]) + 1,
					   previous[j - 1] + !same);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				current[j] = least(current[j], before[j - 2] + 1);
		}
		before = previous;
		previous = current;
		current = spare;
	}
	return previous[b_length];
}

const char *policy_nearest(const char *word, const char *const *names)
{
	size_t length = strnlen(word, WORD_MAX + 1);
	size_t best = DISTANCE_MAX + 1;
	const char *found = NULL;

	if (length > WORD_MAX)
		return NULL;
	for (; *names != NULL; names++) {
		size_t name_length = strnlen(*names, WORD_MAX + 1);
		size_t d;

		if (name_length > WORD_MAX)
			continue;
		d = distance(word, length, *names, name_length);
		if (d < best && 2 * d < length) {
			best = d;
			found = *names;
		}
	}
	return found;
}
