/* SPDX-License-Identifier: MIT */
/* parser: text to rules and tree. Private to shim/policy/. */
#ifndef SCTPEEL_POLICY_PARSER_H
#define SCTPEEL_POLICY_PARSER_H

#include "lexer.h"

struct parser {
	struct lexer lexer;
	struct policy *policy;
	unsigned nesting;
	uint32_t predicates;
};

/* Reads all rules of the text into the policy. False with the lexer's error filled. */
bool parse_rules(struct parser *parser);
/* predicate.c: one comparison, negated if asked. A node's index, or NO_NODE on a mistake. */
uint32_t parse_predicate(struct parser *parser, bool negated);

/*
 * The array, moved if need be, with room for one more element of `size` bytes behind `count`.
 * NULL (error "out of memory") without; the old one is then untouched.
 */
void *parser_grow(struct parser *parser, void *array, uint32_t *room, uint32_t count, size_t size);
/* A new node, all fields 0 but child and sibling. NO_NODE without memory. */
uint32_t parser_node(struct parser *parser, enum node_kind kind);
/* Reads TIME: a window's or a for's. `what` is for messages ("a window", "'for'"). */
bool parse_duration(struct parser *parser, const char *what, uint64_t *ret);

#endif
