/* SPDX-License-Identifier: MIT */
/* error: a mistake, shown where it is. */
#include <stdio.h>
#include <string.h>

#include "text.h"

enum { SHOWN_MAX = 76, BEFORE_MAX = 40 };

/* Bytes of the UTF-8 character at `at`, 1 for whatever is none. */
static size_t character(const char *at, const char *end)
{
	unsigned char c = (unsigned char)*at;
	size_t length = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;

	if (length > (size_t)(end - at))
		return 1;
	for (size_t i = 1; i < length; i++)
		if (((unsigned char)at[i] & 0xc0) != 0x80)
			return 1;
	return length;
}

/* The text must not move the cursor of the terminal that it is shown on. */
static void put_line(struct text *line, const char *from, const char *to)
{
	while (from < to) {
		size_t length = character(from, to);
		bool safe = length > 1 || *from == '\t' || (*from >= ' ' && *from < 0x7f);

		for (size_t i = 0; i < length; i++)
			text_char(line, safe ? from[i] : '?');
		from += length;
	}
}

/* As many blanks (tabs for tabs) or carets as there are characters. */
static void put_under(struct text *line, const char *from, const char *to, char sign)
{
	while (from < to) {
		text_char(line, *from == '\t' && sign == ' ' ? '\t' : sign);
		from += character(from, to);
	}
}

static size_t line_number(const char *text, size_t offset)
{
	size_t lines = 1;

	for (size_t i = 0; i < offset; i++)
		lines += text[i] == '\n';
	return lines;
}

static void put_place(struct text *out, const struct policy_error *err, const char *text)
{
	const char *line = text + err->line_start, *end = line + err->line_len;
	const char *at = line + err->column, *from = line, *to = end, *upto;
	bool cut_start = false, cut_end = false;

	if (err->line_len > SHOWN_MAX) {
		if (err->column > BEFORE_MAX)
			from = at - BEFORE_MAX;
		if (end - from > SHOWN_MAX)
			to = from + SHOWN_MAX;
		while (from > line && ((unsigned char)*from & 0xc0) == 0x80)
			from--;
		while (to < end && ((unsigned char)*to & 0xc0) == 0x80)
			to++;
		cut_start = from > line;
		cut_end = to < end;
	}
	if (err->len <= (size_t)(to - at))
		upto = at + err->len;
	else
		upto = to;
	text_string(out, cut_start ? "  ..." : "  ");
	put_line(out, from, to);
	text_string(out, cut_end ? "...\n" : "\n");
	text_string(out, cut_start ? "     " : "  ");
	put_under(out, from, at, ' ');
	put_under(out, at, upto, '^');
	if (upto == at)
		text_char(out, '^');
	text_char(out, '\n');
}

void policy_error_format(const struct policy_error *err, const char *where, const char *text,
			 char *buf, size_t size)
{
	struct text out = {buf, size, 0};
	size_t lines = line_number(text, err->line_start);

	text_string(&out, "sctpeel: ");
	text_string(&out, where);
	/* a text of several lines needs more than the line itself to find the place again */
	if (err->line_len > 0 && (lines > 1 || strchr(text, '\n') != NULL)) {
		text_char(&out, ':');
		text_number(&out, lines);
		text_char(&out, ':');
		text_number(&out, err->column + 1);
	}
	text_string(&out, ": ");
	if (err->rule > 0) {
		text_string(&out, "rule ");
		text_number(&out, (uint64_t)err->rule);
		text_string(&out, ": ");
	}
	text_string(&out, err->message);
	text_char(&out, '\n');
	if (err->line_len > 0)
		put_place(&out, err, text);
	text_end(&out);
}
