/* SPDX-License-Identifier: MIT */
#include "units.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct suffix {
	const char *name;
	enum unit unit;
	uint64_t factor;
} suffixes[] = {
	/* m is a minute and M a mebibyte, so case counts, but nothing else is meant by k, g or t */
	{"", UNIT_COUNT, 1},
	{"K", UNIT_SIZE, UINT64_C(1) << 10},
	{"k", UNIT_SIZE, UINT64_C(1) << 10},
	{"M", UNIT_SIZE, UINT64_C(1) << 20},
	{"G", UNIT_SIZE, UINT64_C(1) << 30},
	{"g", UNIT_SIZE, UINT64_C(1) << 30},
	{"T", UNIT_SIZE, UINT64_C(1) << 40},
	{"t", UNIT_SIZE, UINT64_C(1) << 40},
	{"ns", UNIT_TIME, 1},
	{"us", UNIT_TIME, 1000},
	{"ms", UNIT_TIME, 1000000},
	{"s", UNIT_TIME, NS_PER_S},
	{"m", UNIT_TIME, 60 * NS_PER_S},
	{"h", UNIT_TIME, 3600 * NS_PER_S},
	{"d", UNIT_TIME, 86400 * NS_PER_S},
	{"%", UNIT_PERCENT, 100},
};

static const char *const nouns[] = {
	[UNIT_COUNT] = "a count",	  [UNIT_SIZE] = "a size",
	[UNIT_COUNT_RATE] = "a rate",	  [UNIT_SIZE_RATE] = "a rate of bytes",
	[UNIT_TIME] = "a time",		  [UNIT_PERCENT] = "a percentage",
	[UNIT_SET] = "a number or a set", [UNIT_PREFIX] = "an address or prefix",
};
static const char *const examples[] = {
	[UNIT_COUNT] = "100",	     [UNIT_SIZE] = "64K",
	[UNIT_COUNT_RATE] = "500/s", [UNIT_SIZE_RATE] = "10M/s",
	[UNIT_TIME] = "5s",	     [UNIT_PERCENT] = "25%",
	[UNIT_SET] = "3,46 or 0-7",  [UNIT_PREFIX] = "10.9.0.0/16",
};

const char *unit_noun(enum unit unit)
{
	return nouns[unit];
}

const char *unit_example(enum unit unit)
{
	return examples[unit];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool quantity_begins(const char *at, size_t length)
{
	return length > 0 && (is_digit(*at) || *at == '-' || *at == '+' || *at == '.');
}

/* The suffix that is spelled so, or NULL. */
static const struct suffix *find_suffix(const char *at, size_t length)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strlen(suffixes[i].name) == length && !memcmp(suffixes[i].name, at, length))
			return &suffixes[i];
	return NULL;
}

/*
 * digits [ "." digits ] as mantissa / 10^decimals. Returns the length read, 0 when there is no
 * number, -1 when it is too large.
 */
static int read_decimal(const char *at, size_t length, uint64_t *ret_mantissa,
			unsigned *ret_decimals)
{
	uint64_t mantissa = 0;
	unsigned decimals = 0;
	bool fraction = false;
	size_t i;

	for (i = 0; i < length; i++) {
		if (at[i] == '.' && !fraction && i > 0 && i + 1 < length && is_digit(at[i + 1])) {
			fraction = true;
			continue;
		}
		if (!is_digit(at[i]))
			break;
		if (__builtin_mul_overflow(mantissa, UINT64_C(10), &mantissa) ||
		    __builtin_add_overflow(mantissa, (uint64_t)(at[i] - '0'), &mantissa))
			return -1;
		decimals += fraction;
	}
	/* trailing zeros say nothing: 1.50 is 1.5 */
	while (decimals > 0 && mantissa % 10 == 0) {
		mantissa /= 10;
		decimals--;
	}
	*ret_mantissa = mantissa;
	*ret_decimals = decimals;
	return (int)i;
}

static bool unknown_unit(const char *unit, size_t length, char *why, size_t size)
{
	int shown = length > 16 ? 16 : (int)length;

	if (memchr(unit, '/', length) != NULL)
		snprintf(why, size, "'%.*s': rates are per second, as in 10M/s or 500/s", shown,
			 unit);
	else
		snprintf(why, size, "unknown unit '%.*s' (K M G T, ns us ms s m h d, /s, %%)",
			 shown, unit);
	return false;
}

/* mantissa * factor / 10^decimals, which must be whole. */
static bool scale(uint64_t mantissa, unsigned decimals, const struct suffix *suffix,
		  const char *shown, uint64_t *ret, char *why, size_t size)
{
	static const char *const smallest[] = {
		[UNIT_COUNT] = "",
		[UNIT_SIZE] = " of bytes",
		[UNIT_TIME] = " of nanoseconds",
		[UNIT_PERCENT] = " of hundredths of a percent",
	};
	uint64_t factor = suffix->factor;

	/* cancel factors of ten first, so that 1.5h does not overflow on the way */
	while (decimals > 0 && factor % 10 == 0) {
		factor /= 10;
		decimals--;
	}
	if (__builtin_mul_overflow(mantissa, factor, ret)) {
		snprintf(why, size, "'%s' is too large", shown);
		return false;
	}
	for (; decimals > 0; decimals--, *ret /= 10) {
		if (*ret % 10 != 0) {
			snprintf(why, size, "'%s' is not a whole number%s", shown,
				 smallest[suffix->unit]);
			return false;
		}
	}
	return true;
}

bool quantity_parse(const char *at, size_t length, struct quantity *ret, char *why, size_t size)
{
	char shown[40];
	uint64_t mantissa, value;
	unsigned decimals;
	const struct suffix *suffix;
	int number = read_decimal(at, length, &mantissa, &decimals);
	size_t rest;
	bool rate;

	snprintf(shown, sizeof(shown), "%.*s", length > 36 ? 36 : (int)length, at);
	if (number < 0) {
		snprintf(why, size, "'%s' is too large", shown);
		return false;
	}
	if (number == 0) {
		if (*at == '-')
			snprintf(why, size, "'%s': numbers are never negative here", shown);
		else if (*at == '.')
			snprintf(why, size, "'%s' is not a number (write 0%s)", shown, shown);
		else
			snprintf(why, size, "'%s' is not a number", shown);
		return false;
	}
	at += number;
	rest = length - (size_t)number;
	rate = rest >= 2 && !memcmp(at + rest - 2, "/s", 2);
	suffix = find_suffix(at, rate ? rest - 2 : rest);
	if (suffix == NULL)
		return unknown_unit(at, rest, why, size);
	if (rate && suffix->unit != UNIT_COUNT && suffix->unit != UNIT_SIZE)
		return unknown_unit(at, rest, why, size);
	if (!scale(mantissa, decimals, suffix, shown, &value, why, size))
		return false;
	ret->unit = suffix->unit;
	if (rate)
		ret->unit = suffix->unit == UNIT_SIZE ? UNIT_SIZE_RATE : UNIT_COUNT_RATE;
	ret->value = value;
	return true;
}

/* What to write instead, where that is plain; "" else. */
static void hint(const struct quantity *quantity, enum unit unit, const char *shown, char *buf,
		 size_t size)
{
	size_t length = strlen(shown);
	bool plain = quantity->unit == UNIT_COUNT;

	buf[0] = '\0';
	if (unit == UNIT_TIME && plain)
		snprintf(buf, size, " (write %ss or %sms)", shown, shown);
	else if (unit == UNIT_PERCENT && plain)
		snprintf(buf, size, " (write %s%%)", shown);
	else if ((plain && (unit == UNIT_COUNT_RATE || unit == UNIT_SIZE_RATE)) ||
		 (quantity->unit == UNIT_SIZE && unit == UNIT_SIZE_RATE))
		snprintf(buf, size, " (write %s/s)", shown);
	else if (unit == UNIT_COUNT && quantity->unit == UNIT_SIZE)
		snprintf(buf, size, " (write %llu)", (unsigned long long)quantity->value);
	else if (unit == UNIT_SIZE && quantity->unit == UNIT_TIME && shown[length - 1] == 'm')
		snprintf(buf, size, " (did you mean %.*sM?)", (int)length - 1, shown);
	else if (unit == UNIT_TIME && quantity->unit == UNIT_SIZE && shown[length - 1] == 'M')
		snprintf(buf, size, " (did you mean %.*sm?)", (int)length - 1, shown);
}

bool quantity_fits(const struct quantity *quantity, enum unit unit, const char *what,
		   const char *at, size_t length, char *why, size_t size)
{
	char shown[24], cure[48];
	enum unit given = quantity->unit;

	snprintf(shown, sizeof(shown), "%.*s", length > 20 ? 20 : (int)length, at);
	if (unit == UNIT_PERCENT && given == UNIT_PERCENT && quantity->value > 10000) {
		snprintf(why, size, "%s is more than the whole, 100%%", shown);
		return false;
	}
	if (given == unit || (given == UNIT_COUNT && unit == UNIT_SIZE) ||
	    (given == UNIT_COUNT_RATE && unit == UNIT_SIZE_RATE) ||
	    (given == UNIT_COUNT && unit == UNIT_TIME && quantity->value == 0))
		return true;
	hint(quantity, unit, shown, cure, sizeof(cure));
	snprintf(why, size, "%s is %s, %s is %s%s", what,
		 unit == UNIT_COUNT_RATE ? "a rate of messages" : nouns[unit], shown,
		 given == UNIT_COUNT ? "a plain number" : nouns[given], cure);
	return false;
}
