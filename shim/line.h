/* SPDX-License-Identifier: MIT */
/*
 * line: bounded text without stdio, malloc or the locale; async-signal-safe.
 *
 * What does not fit is left out and noted (`cut`); the buffer is never overrun.
 */
#ifndef SCTPEEL_LINE_H
#define SCTPEEL_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct line {
	char *start, *at, *end; /* one byte behind `end` is kept for line_done */
	bool cut;
};

/* How a string of others is shown: inside a JSON string, or on a terminal. */
enum line_quoting { LINE_JSON, LINE_SHOWN };

static inline void line_open(struct line *line, char *buf, size_t size)
{
	*line = (struct line){.start = buf, .at = buf, .end = buf + size - 1};
}

static inline size_t line_length(const struct line *line)
{
	return (size_t)(line->at - line->start);
}

void line_put_cut(struct line *line, const char *bytes);

/* Inlined, so that the copy of a constant is a few moves: a record is some 150 of them. */
static inline __attribute__((always_inline)) void line_put(struct line *line, const char *bytes,
							   size_t count)
{
	if (__builtin_expect(count > (size_t)(line->end - line->at), 0)) {
		line_put_cut(line, bytes);
		return;
	}
	memcpy(line->at, bytes, count);
	line->at += count;
}

static inline __attribute__((always_inline)) void line_char(struct line *line, char c)
{
	line_put(line, &c, 1);
}

static inline __attribute__((always_inline)) void line_string(struct line *line, const char *string)
{
	line_put(line, string, strlen(string));
}

/* Terminates the string and returns it. */
static inline const char *line_done(struct line *line)
{
	*line->at = '\0';
	return line->start;
}

void line_unsigned(struct line *line, uint64_t value);
void line_signed(struct line *line, int64_t value);
void line_hex(struct line *line, uint64_t value);
/* Exactly `digits` decimal digits, with leading zeros, not terminated. */
void digits_padded(char *to, uint64_t value, int digits);

/* printf's %s %.*s %c %d %i %u %x %m %% with l, ll, z, and no widths. */
void line_format(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_vformat(struct line *line, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/*
 * Appends `count` bytes of a string that others made, so that it cannot end the quotation, hide or
 * move anything: control characters, quotes, backslashes and what is not UTF-8 are escaped. Takes
 * at most `budget` bytes (>= 3) of output: a longer string is cut between characters and
 * marked with an ellipsis.
 */
void line_quote(struct line *line, const char *bytes, size_t count, size_t budget,
		enum line_quoting quoting);

/* Makes a message safe for a terminal, in place: control characters but newline become '?'. */
void line_tame(struct line *line);

#endif
