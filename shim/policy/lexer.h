/* SPDX-License-Identifier: MIT */
/*
 * lexer: a cursor over the policy text. What a piece of text means depends on where it stands
 * (3,46 is a set after ppid, m is a unit after 5), so the parser asks for what it expects.
 * Private to shim/policy/.
 */
#ifndef SCTPEEL_POLICY_LEXER_H
#define SCTPEEL_POLICY_LEXER_H

#include "rules.h"

struct span {
	const char *at;
	size_t length; /* 0: nothing of the kind here */
};

struct lexer {
	const char *text, *end, *at;
	const char *last_end; /* of the last thing taken: where something missing is missing */
	int rule;	      /* 1-based, for messages */
	unsigned parentheses; /* open ones; inside them a newline is a blank */
	struct policy_error *error;
};

/* For "%.*s" in messages. */
#define SPAN(s) ((s).length > 40 ? 40 : (int)(s).length), (s).at

/* False with *error filled when the text is too long or has bytes that no policy has. */
bool lexer_start(struct lexer *lexer, const char *text, struct policy_error *error);
/* Blanks, comments, and newlines inside parentheses. */
void lexer_skip(struct lexer *lexer);
/* The same, and rule separators. */
void lexer_skip_separators(struct lexer *lexer);

/* These look at what comes next (after lexer_skip) and take nothing. */
bool lexer_at_rule_end(const struct lexer *lexer);
struct span lexer_word(const struct lexer *lexer);     /* letter or _, then letters digits _ . - */
struct span lexer_operator(const struct lexer *lexer); /* a run of = ! < > */
struct span lexer_value(const struct lexer *lexer);    /* up to a blank, operator or parenthesis */
struct span lexer_set(const struct lexer *lexer);      /* a value with blanks around its commas */
struct span lexer_anything(const struct lexer *lexer); /* whatever is there, for messages */

void lexer_take(struct lexer *lexer, struct span span);
/* Takes the word or symbol if it comes next; case does not count. */
bool lexer_take_word(struct lexer *lexer, const char *word);
bool lexer_take_symbol(struct lexer *lexer, const char *symbol);
bool span_is(struct span span, const char *word);

/* Fills *error with a message and its place. Returns false, for the caller to return. */
bool lexer_fail(struct lexer *lexer, struct span span, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "expected WHAT, found '…'" or "…, found the end of the rule", at the right place. */
bool lexer_expected(struct lexer *lexer, const char *what);

#endif
