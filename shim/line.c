/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <errno.h>
#include <sys/types.h>

static const char pairs[] = "0001020304050607080910111213141516171819"
			    "2021222324252627282930313233343536373839"
			    "4041424344454647484950515253545556575859"
			    "6061626364656667686970717273747576777879"
			    "8081828384858687888990919293949596979899";
#define DIGITS_MAX 20 /* of 2^64 - 1 */

static const char hex_digits[] = "0123456789abcdef";

/* As much as there is room for. */
void line_put_cut(struct line *line, const char *bytes)
{
	size_t room = (size_t)(line->end - line->at);

	line->cut = true;
	memcpy(line->at, bytes, room);
	line->at += room;
}

static int count_digits(uint64_t value)
{
	static const uint64_t powers[DIGITS_MAX] = {
		0,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
		10000000000000000000u,
	};
	/* log10(2) is about 1233 / 4096 */
	int guess = (64 - __builtin_clzll(value | 1)) * 1233 >> 12;

	return guess + (value >= powers[guess]);
}

/* Writes the number's digits so that the last one is before `end`. */
static void put_digits(char *end, uint64_t value)
{
	while (value >= 100) {
		end -= 2;
		memcpy(end, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (value >= 10)
		memcpy(end - 2, pairs + 2 * value, 2);
	else
		end[-1] = (char)('0' + value);
}

void line_unsigned(struct line *line, uint64_t value)
{
	int count = count_digits(value);
	char digits[DIGITS_MAX];

	/* in place: a copy would have to wait for the bytes just written */
	if (line->end - line->at >= count) {
		line->at += count;
		put_digits(line->at, value);
	} else {
		put_digits(digits + count, value);
		line_put(line, digits, (size_t)count);
	}
}

void line_signed(struct line *line, int64_t value)
{
	if (value < 0) {
		line_char(line, '-');
		line_unsigned(line, -(uint64_t)value);
	} else {
		line_unsigned(line, (uint64_t)value);
	}
}

void line_hex(struct line *line, uint64_t value)
{
	char digits[16];
	char *first = digits + sizeof(digits);

	do {
		*--first = hex_digits[value & 15];
		value >>= 4;
	} while (value);
	line_put(line, first, (size_t)(digits + sizeof(digits) - first));
}

void digits_padded(char *to, uint64_t value, int digits)
{
	for (char *end = to + digits; end > to; value /= 100) {
		end -= 2;
		if (end < to)
			*to = (char)('0' + value % 10);
		else
			memcpy(end, pairs + 2 * (value % 100), 2);
	}
}

static int64_t take_signed(const char *length, va_list *args)
{
	if (length[0] == 'z')
		return va_arg(*args, ssize_t);
	if (length[0] != 'l')
		return va_arg(*args, int);
	return length[1] == 'l' ? va_arg(*args, long long) : va_arg(*args, long);
}

static uint64_t take_unsigned(const char *length, va_list *args)
{
	if (length[0] == 'z')
		return va_arg(*args, size_t);
	if (length[0] != 'l')
		return va_arg(*args, unsigned int);
	return length[1] == 'l' ? va_arg(*args, unsigned long long) : va_arg(*args, unsigned long);
}

/* One conversion, from behind its '%'; returns what follows it. */
static const char *convert(struct line *line, const char *spec, int error, va_list *args)
{
	size_t most = SIZE_MAX;
	const char *length, *string;

	if (spec[0] == '.' && spec[1] == '*') {
		most = (size_t)va_arg(*args, int);
		spec += 2;
	}
	length = spec;
	spec += strspn(spec, "lz");
	switch (*spec) {
	case 'd':
	case 'i':
		line_signed(line, take_signed(length, args));
		break;
	case 'u':
		line_unsigned(line, take_unsigned(length, args));
		break;
	case 'x':
		line_hex(line, take_unsigned(length, args));
		break;
	case 'c':
		line_char(line, (char)va_arg(*args, int));
		break;
	case 's':
		string = va_arg(*args, const char *);
		line_put(line, string, most == SIZE_MAX ? strlen(string) : strnlen(string, most));
		break;
	case 'm':
		string = strerrordesc_np(error); /* in English whatever the locale */
		line_string(line, string ? string : "unknown error");
		break;
	case '\0':
		return spec;
	default:
		line_char(line, *spec);
		break;
	}
	return spec + 1;
}

void line_vformat(struct line *line, const char *format, va_list args)
{
	int error = errno;
	va_list copy;

	va_copy(copy, args);
	while (*format) {
		size_t plain = strcspn(format, "%");

		line_put(line, format, plain);
		format += plain;
		if (*format == '%')
			format = convert(line, format + 1, error, &copy);
	}
	va_end(copy);
}

void line_format(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_vformat(line, format, args);
	va_end(args);
}

/* Length of the UTF-8 character at s, 0 if it is none (overlong, surrogate, cut short, …). */
static size_t utf8_length(const unsigned char *s, size_t count)
{
	unsigned int low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		length = 2;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		length = 3;
		low = s[0] == 0xe0 ? 0xa0 : 0x80;
		high = s[0] == 0xed ? 0x9f : 0xbf;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		length = 4;
		low = s[0] == 0xf0 ? 0x90 : 0x80;
		high = s[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (count < length || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return length;
}

/* An escape for a byte or a code point below 256, at most 6 bytes. Returns its length. */
static size_t escape(char *ret, unsigned int c, bool valid, enum line_quoting quoting)
{
	static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";

	if (quoting == LINE_JSON && !valid) {
		memcpy(ret, "\\ufffd", 6);
		return 6;
	}
	for (size_t i = 0; valid && i < sizeof(letters) - 1; i += 2) {
		if (c == (unsigned char)letters[i]) {
			ret[0] = '\\';
			ret[1] = letters[i + 1];
			return 2;
		}
	}
	memcpy(ret, quoting == LINE_JSON ? "\\u00" : "\\x", quoting == LINE_JSON ? 4 : 2);
	ret += quoting == LINE_JSON ? 4 : 2;
	ret[0] = hex_digits[c >> 4];
	ret[1] = hex_digits[c & 15];
	return quoting == LINE_JSON ? 6 : 4;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The character at s as it is to be shown, in ret (6 bytes); advances *taken and returns the
 * length. */
static size_t encode(char *ret, const unsigned char *s, size_t count, size_t *taken,
		     enum line_quoting quoting)
{
	size_t length = utf8_length(s, count);

	*taken = length ? length : 1;
	if (is_plain(s[0])) {
		ret[0] = (char)s[0];
		return 1;
	}
	if (length == 2 && s[0] == 0xc2 && s[1] < 0xa0) /* C1 controls move cursors too */
		return escape(ret, s[1], true, quoting);
	if (length <= 1)
		return escape(ret, s[0], length == 1, quoting);
	memcpy(ret, s, length);
	return length;
}

/* Eight bytes at once; may take some that are plain for special, never the other way round. */
static bool are_plain(const unsigned char *s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t bytes, quotes, slashes, deletes;

	memcpy(&bytes, s, sizeof(bytes));
	quotes = bytes ^ (ones * '"');
	slashes = bytes ^ (ones * '\\');
	deletes = bytes ^ (ones * 0x7f);
	return !((bytes | (bytes - ones * 0x20) | (quotes - ones) | (slashes - ones) |
		  (deletes - ones)) &
		 tops);
}

/* Copies what needs no escape from the front, at most `most` bytes. Returns how many. */
static size_t put_plain(struct line *line, const unsigned char *s, size_t most)
{
	char *to = line->at;
	size_t i = 0;

	for (; i + 8 <= most && are_plain(s + i); i += 8)
		memcpy(to + i, s + i, 8);
	for (; i < most && is_plain(s[i]); i++)
		to[i] = (char)s[i];
	line->at = to + i;
	return i;
}

void line_quote(struct line *line, const char *bytes, size_t count, size_t budget,
		enum line_quoting quoting)
{
	static const char ellipsis[] = "\xe2\x80\xa6";
	const size_t mark = sizeof(ellipsis) - 1;
	const unsigned char *s = (const unsigned char *)bytes;
	char *start = line->at, *fit; /* fit: where the ellipsis still has room */
	size_t room = (size_t)(line->end - line->at), i, taken;

	if (budget > room)
		budget = room;
	i = put_plain(line, s,
		      budget <= mark ? 0 : (count < budget - mark ? count : budget - mark));
	fit = line->at;
	for (; i < count; i += taken) {
		char shown[8];
		size_t length = encode(shown, s + i, count - i, &taken, quoting);
		size_t used = (size_t)(line->at - start);

		if (used + mark <= budget)
			fit = line->at;
		if (used + length > budget) {
			line->at = fit;
			line_put(line, ellipsis, budget >= mark ? mark : 0);
			return;
		}
		memcpy(line->at, shown, length);
		line->at += length;
	}
}

void line_tame(struct line *line)
{
	for (char *c = line->start; c < line->at; c++)
		if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f)
			*c = '?';
}
