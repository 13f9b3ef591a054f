/* SPDX-License-Identifier: MIT */
#include "lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

static bool is_blank(const struct lexer *lexer, const char *at)
{
	return *at == ' ' || *at == '\t' || *at == '\r' || (*at == '\n' && lexer->parentheses > 0);
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Bytes of the character at `at`, which starts with a byte that is not ASCII. */
static size_t utf8_length(const char *at)
{
	size_t n = 1;

	while (n < 4 && ((unsigned char)at[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* Comments may be in any language; the rules themselves are ASCII. */
static bool check_bytes(struct lexer *lexer)
{
	bool comment = false;

	for (const char *at = lexer->text; at < lexer->end; at++) {
		unsigned char c = (unsigned char)*at;

		if (c == '#')
			comment = true;
		else if (c == '\n')
			comment = false;
		if (c >= 0x80 && !comment)
			return lexer_fail(
				lexer, (struct span){at, utf8_length(at)},
				"not an ASCII character (write >= <= != and plain blanks)");
		if ((c < ' ' && !is_one_of((char)c, "\t\n\r")) || c == 0x7f ||
		    (c == '\r' && at + 1 < lexer->end && at[1] != '\n'))
			return lexer_fail(lexer, (struct span){at, 1},
					  "a control character (0x%02x)", c);
	}
	return true;
}

bool lexer_start(struct lexer *lexer, const char *text, struct policy_error *error)
{
	size_t length = strnlen(text, TEXT_MAX + 1);

	*lexer = (struct lexer){
		.text = text, .end = text + length, .at = text, .last_end = text, .error = error};
	if (length > TEXT_MAX) {
		lexer->end = text; /* no line is shown: it may be the whole text */
		return lexer_fail(lexer, (struct span){text, 0}, "the policy is longer than %d KiB",
				  TEXT_MAX / 1024);
	}
	return check_bytes(lexer);
}

void lexer_skip(struct lexer *lexer)
{
	for (;;) {
		while (is_blank(lexer, lexer->at))
			lexer->at++;
		if (*lexer->at != '#')
			return;
		while (lexer->at < lexer->end && *lexer->at != '\n')
			lexer->at++;
	}
}

void lexer_skip_separators(struct lexer *lexer)
{
	lexer_skip(lexer);
	while (*lexer->at == ';' || *lexer->at == '\n') {
		lexer->at++;
		lexer_skip(lexer);
	}
}

bool lexer_at_rule_end(const struct lexer *lexer)
{
	return lexer->at == lexer->end || *lexer->at == ';' || *lexer->at == '\n';
}

struct span lexer_word(const struct lexer *lexer)
{
	const char *at = lexer->at;

	if (is_letter(*at))
		while (is_word(*at))
			at++;
	return (struct span){lexer->at, (size_t)(at - lexer->at)};
}

struct span lexer_operator(const struct lexer *lexer)
{
	return (struct span){lexer->at, strspn(lexer->at, "=!<>")};
}

struct span lexer_value(const struct lexer *lexer)
{
	return (struct span){lexer->at, strcspn(lexer->at, " \t\r\n;#()=!<>&|")};
}

struct span lexer_set(const struct lexer *lexer)
{
	struct lexer ahead = *lexer;
	struct span part = lexer_value(&ahead);
	const char *end = lexer->at;

	while (part.length > 0) {
		bool comma = part.at[part.length - 1] == ',';

		end = part.at + part.length;
		ahead.at = end;
		lexer_skip(&ahead);
		if (!comma && *ahead.at != ',')
			break;
		part = lexer_value(&ahead);
	}
	return (struct span){lexer->at, (size_t)(end - lexer->at)};
}

struct span lexer_anything(const struct lexer *lexer)
{
	struct span span = lexer_value(lexer);

	if (span.length == 0)
		span.length = strspn(lexer->at, "=!<>&|");
	if (span.length == 0 && lexer->at < lexer->end)
		span.length = 1;
	return span;
}

void lexer_take(struct lexer *lexer, struct span span)
{
	lexer->at = span.at + span.length;
	lexer->last_end = lexer->at;
}

bool span_is(struct span span, const char *word)
{
	return strlen(word) == span.length && !strncasecmp(span.at, word, span.length);
}

bool lexer_take_word(struct lexer *lexer, const char *word)
{
	struct span span = lexer_word(lexer);

	if (!span_is(span, word))
		return false;
	lexer_take(lexer, span);
	return true;
}

bool lexer_take_symbol(struct lexer *lexer, const char *symbol)
{
	struct span span = {lexer->at, strlen(symbol)};

	if (strncmp(lexer->at, symbol, span.length) != 0)
		return false;
	lexer_take(lexer, span);
	return true;
}

bool lexer_fail(struct lexer *lexer, struct span span, const char *format, ...)
{
	struct policy_error *error = lexer->error;
	const char *start = span.at, *end = span.at;
	va_list args;

	while (start > lexer->text && start[-1] != '\n')
		start--;
	while (end < lexer->end && *end != '\n')
		end++;
	if (end > start && end[-1] == '\r')
		end--;
	error->rule = lexer->rule;
	error->line_start = (size_t)(start - lexer->text);
	error->line_len = (size_t)(end - start);
	error->column = (size_t)(span.at - start);
	error->len = span.length;
	if (span.at + span.length > end)
		error->len = span.at < end ? (size_t)(end - span.at) : 1;
	if (error->len == 0)
		error->len = 1;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return false;
}

bool lexer_expected(struct lexer *lexer, const char *what)
{
	struct span found;

	lexer_skip(lexer);
	found = lexer_anything(lexer);
	if (lexer_at_rule_end(lexer))
		return lexer_fail(lexer, (struct span){lexer->last_end, 1},
				  "expected %s, found the end of the rule", what);
	return lexer_fail(lexer, found, "expected %s, found '%.*s'", what, SPAN(found));
}
