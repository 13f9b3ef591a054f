/* SPDX-License-Identifier: MIT */
#include "text.h"

#include "address.h"

void text_char(struct text *text, char c)
{
	if (text->length + 1 < text->room)
		text->buf[text->length] = c;
	text->length++;
}

void text_string(struct text *text, const char *string)
{
	while (*string)
		text_char(text, *string++);
}

/* At least `digits` digits, with leading zeros. */
static void put_padded(struct text *text, uint64_t number, unsigned digits)
{
	char buf[20];
	unsigned n = 0;

	do
		buf[n++] = (char)('0' + number % 10);
	while ((number /= 10) != 0 && n < sizeof(buf));
	while (digits > n) {
		text_char(text, '0');
		digits--;
	}
	while (n > 0)
		text_char(text, buf[--n]);
}

void text_number(struct text *text, uint64_t number)
{
	put_padded(text, number, 1);
}

void text_size(struct text *text, uint64_t bytes)
{
	static const char suffixes[] = "KMGT";
	unsigned i = 0;

	while (bytes != 0 && bytes % 1024 == 0 && i < sizeof(suffixes) - 1) {
		bytes /= 1024;
		i++;
	}
	text_number(text, bytes);
	if (i > 0)
		text_char(text, suffixes[i - 1]);
}

void text_duration(struct text *text, uint64_t ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S},
		{"s", NS_PER_S},	 {"ms", 1000000},	 {"us", 1000},
	};

	if (ns == 0) {
		text_string(text, "0s");
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ns % units[i].ns == 0) {
			text_number(text, ns / units[i].ns);
			text_string(text, units[i].name);
			return;
		}
	}
	text_number(text, ns);
	text_string(text, "ns");
}

/* "." and the fraction part/whole, no trailing zeros. whole is a power of ten. */
static void put_fraction(struct text *text, uint64_t part, uint64_t whole, unsigned decimals)
{
	unsigned digits = 0;
	uint64_t scale = 1;

	while (scale < whole && digits < decimals) {
		scale *= 10;
		digits++;
	}
	part /= whole / scale;
	while (digits > 0 && part % 10 == 0) {
		part /= 10;
		digits--;
	}
	if (digits > 0) {
		text_char(text, '.');
		put_padded(text, part, digits);
	}
}

void text_elapsed(struct text *text, uint64_t ns, unsigned decimals)
{
	uint64_t unit = NS_PER_S;
	const char *name = "s";

	if (ns == 0) {
		text_string(text, "0s");
		return;
	}
	if (ns < 1000) {
		unit = 1;
		name = "ns";
	} else if (ns < 1000000) {
		unit = 1000;
		name = "us";
	} else if (ns < NS_PER_S) {
		unit = 1000000;
		name = "ms";
	}
	text_number(text, ns / unit);
	put_fraction(text, ns % unit, unit, decimals);
	text_string(text, name);
}

void text_percent(struct text *text, uint64_t hundredths)
{
	text_number(text, hundredths / 100);
	put_fraction(text, hundredths % 100, 100, 2);
	text_char(text, '%');
}

void text_quantity(struct text *text, enum unit unit, uint64_t number)
{
	switch (unit) {
	case UNIT_SIZE:
		text_size(text, number);
		break;
	case UNIT_SIZE_RATE:
		text_size(text, number);
		text_string(text, "/s");
		break;
	case UNIT_COUNT_RATE:
		text_number(text, number);
		text_string(text, "/s");
		break;
	case UNIT_TIME:
		text_duration(text, number);
		break;
	case UNIT_PERCENT:
		text_percent(text, number);
		break;
	case UNIT_COUNT:
	case UNIT_SET:
	case UNIT_PREFIX:
		text_number(text, number);
		break;
	}
}

static void put_hex(struct text *text, unsigned number)
{
	bool leading = true;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned digit = number >> shift & 0xf;

		if (digit != 0 || shift == 0)
			leading = false;
		if (!leading)
			text_char(text, "0123456789abcdef"[digit]);
	}
}

/* RFC 5952: the longest run of two or more zero groups becomes "::", the first of equals. */
static void put_v6(struct text *text, struct address address)
{
	unsigned group[8];
	int best = -1, best_length = 1;
	bool colon = false;

	for (int i = 0; i < 8; i++) {
		uint64_t half = i < 4 ? address.high : address.low;

		group[i] = (unsigned)(half >> (48 - 16 * (i % 4)) & 0xffff);
	}
	for (int i = 0, length; i < 8; i += length + 1) {
		for (length = 0; i + length < 8 && group[i + length] == 0; length++)
			;
		if (length > best_length) {
			best = i;
			best_length = length;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			text_string(text, "::");
			i += best_length - 1;
			colon = false;
			continue;
		}
		if (colon)
			text_char(text, ':');
		put_hex(text, group[i]);
		colon = true;
	}
}

void text_address(struct text *text, struct address address)
{
	if (!address_is_v4(address)) {
		put_v6(text, address);
		return;
	}
	for (int shift = 24; shift >= 0; shift -= 8) {
		text_number(text, address.low >> shift & 0xff);
		if (shift > 0)
			text_char(text, '.');
	}
}

void text_prefix(struct text *text, const struct prefix *prefix)
{
	text_address(text, prefix->address);
	if (prefix->length != (prefix->v4 ? 32 : 128)) {
		text_char(text, '/');
		text_number(text, prefix->length);
	}
}

void text_ranges(struct text *text, const struct range *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			text_char(text, ',');
		text_number(text, ranges[i].first);
		if (ranges[i].last != ranges[i].first) {
			text_char(text, '-');
			text_number(text, ranges[i].last);
		}
	}
}

void text_end(struct text *text)
{
	if (text->room == 0)
		return;
	if (text->length < text->room) {
		text->buf[text->length] = '\0';
		return;
	}
	for (size_t i = 1; i <= 3 && text->room > i; i++)
		text->buf[text->room - 1 - i] = '.';
	text->buf[text->room - 1] = '\0';
}
