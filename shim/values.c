/* SPDX-License-Identifier: MIT */
#include "values.h"

#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool word_is(struct word word, const char *name)
{
	if (strlen(name) != word.length)
		return false;
	for (size_t i = 0; i < word.length; i++)
		if (lower(word.start[i]) != lower(name[i]))
			return false;
	return true;
}

struct word word_trim(struct word word)
{
	while (word.length && is_blank(word.start[0])) {
		word.start++;
		word.length--;
	}
	while (word.length && is_blank(word.start[word.length - 1]))
		word.length--;
	return word;
}

bool word_next(struct word *rest, char separator, struct word *ret)
{
	const char *end;

	if (!rest->start)
		return false;
	end = memchr(rest->start, separator, rest->length);
	ret->start = rest->start;
	if (end) {
		ret->length = (size_t)(end - rest->start);
		rest->start = end + 1;
		rest->length -= ret->length + 1;
	} else {
		ret->length = rest->length;
		rest->start = NULL;
	}
	return true;
}

/* Takes digits off the front of *word. */
static bool take_digits(struct word *word, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < word->length && word->start[i] >= '0' && word->start[i] <= '9'; i++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(word->start[i] - '0'), &value))
			return false;
	if (i == 0)
		return false;
	word->start += i;
	word->length -= i;
	*ret = value;
	return true;
}

bool value_count(struct word word, uint64_t *ret)
{
	uint64_t value;

	if (!take_digits(&word, &value) || word.length)
		return false;
	*ret = value;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static bool with_unit(struct word word, const struct unit *units, uint64_t *ret)
{
	uint64_t value;

	if (!take_digits(&word, &value))
		return false;
	for (; units->name; units++)
		if (word_is(word, units->name))
			return !__builtin_mul_overflow(value, units->factor, ret);
	return false;
}

bool value_size(struct word word, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"K", 1u << 10},
		{"M", 1u << 20},
		{"G", UINT64_C(1) << 30},
		{"T", UINT64_C(1) << 40},
		{NULL, 0},
	};
	uint64_t value;

	if (!with_unit(word, units, &value))
		return false;
	*ret = value;
	return true;
}

bool value_time_ns(struct word word, uint64_t *ret)
{
	static const struct unit units[] = {
		{"ns", 1},
		{"us", 1000},
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", UINT64_C(60000000000)},
		{"h", UINT64_C(3600000000000)},
		{NULL, 0},
	};
	uint64_t value;

	if (!with_unit(word, units, &value))
		return false;
	*ret = value;
	return true;
}

bool value_bool(struct word word, bool *ret)
{
	static const char *const names[] = {"false", "true", "no", "yes", "0",
					    "1",     "off",  "on", NULL};
	int place = value_choice(word, names);

	if (place < 0)
		return false;
	*ret = place & 1;
	return true;
}

int value_choice(struct word word, const char *const *choices)
{
	for (int i = 0; choices[i]; i++)
		if (word_is(word, choices[i]))
			return i;
	return -1;
}

/* Does the set behind '[' hold c? Returns what follows its ']', or NULL when it has none. */
static const char *match_set(const char *set, char c, bool *ret)
{
	bool inverted = *set == '!' || *set == '^', found = false;

	set += inverted;
	for (const char *first = set; *set && (*set != ']' || set == first); set++) {
		unsigned char low, high;

		if (*set == '\\' && set[1])
			set++;
		low = high = (unsigned char)*set;
		if (set[1] == '-' && set[2] && set[2] != ']') {
			high = (unsigned char)set[2];
			set += 2;
		}
		found |= (unsigned char)c >= low && (unsigned char)c <= high;
	}
	*ret = found != inverted;
	return *set ? set + 1 : NULL;
}

/* One pattern character against c; returns the rest of the pattern, NULL if it does not match. */
static const char *match_one(const char *pattern, char c)
{
	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[') {
		bool matches;
		const char *rest = match_set(pattern + 1, c, &matches);

		if (rest)
			return matches ? rest : NULL;
	}
	if (*pattern == '\\' && pattern[1])
		pattern++;
	return *pattern == c ? pattern + 1 : NULL;
}

bool value_glob(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = NULL;

	while (*name) {
		const char *rest;

		if (*pattern == '*') {
			star = ++pattern;
			resume = name;
			continue;
		}
		rest = match_one(pattern, *name);
		if (rest) {
			pattern = rest;
			name++;
		} else if (star) { /* let the last star take one character more */
			pattern = star;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
