/* SPDX-License-Identifier: MIT */
#include "parser.h"

#include <stdlib.h>
#include <string.h>

#include "presets.h"
#include "units.h"

void *parser_grow(struct parser *parser, void *array, uint32_t *room, uint32_t count, size_t size)
{
	uint32_t wanted = *room ? *room * 2 : 8;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (grown != NULL) {
		*room = wanted;
		return grown;
	}
	parser->lexer.rule = 0;
	parser->lexer.end = parser->lexer.text; /* no place to show */
	lexer_fail(&parser->lexer, (struct span){parser->lexer.text, 0}, "out of memory");
	return NULL;
}

uint32_t parser_node(struct parser *parser, enum node_kind kind)
{
	struct policy *policy = parser->policy;
	struct node *nodes = parser_grow(parser, policy->nodes, &policy->node_room,
					 policy->node_count, sizeof(*nodes));

	if (nodes == NULL)
		return NO_NODE;
	policy->nodes = nodes;
	policy->nodes[policy->node_count] =
		(struct node){.kind = kind, .child = NO_NODE, .sibling = NO_NODE};
	return policy->node_count++;
}

bool parse_duration(struct parser *parser, const char *what, uint64_t *ret)
{
	struct lexer *lexer = &parser->lexer;
	struct quantity quantity;
	struct span span;
	char why[128];

	lexer_skip(lexer);
	span = lexer_value(lexer);
	if (!quantity_begins(span.at, span.length))
		return lexer_expected(lexer, "a time, as in 5s");
	if (!quantity_parse(span.at, span.length, &quantity, why, sizeof(why)) ||
	    !quantity_fits(&quantity, UNIT_TIME, what, span.at, span.length, why, sizeof(why)))
		return lexer_fail(lexer, span, "%s", why);
	if (quantity.value == 0)
		return lexer_fail(lexer, span, "%s of no length", what);
	if (quantity.value > DURATION_MAX)
		return lexer_fail(lexer, span, "'%.*s' is too long", SPAN(span));
	lexer_take(lexer, span);
	*ret = quantity.value;
	return true;
}

/* A list of nodes under construction. */
struct list {
	uint32_t first, last, count;
};

/*
 * Appends a node, or its children when it is of the list's own kind: "(a and b) and c" is three
 * of a kind, and the canonical form shows it so.
 */
static void list_append(struct policy *policy, struct list *list, enum node_kind kind,
			uint32_t node)
{
	bool same = policy->nodes[node].kind == kind;
	uint32_t first = same ? policy->nodes[node].child : node;
	uint32_t last = first;

	while (policy->nodes[last].sibling != NO_NODE)
		last = policy->nodes[last].sibling;
	if (list->count == 0)
		list->first = first;
	else
		policy->nodes[list->last].sibling = first;
	list->last = last;
	list->count += 1 + same; /* more than one is all that matters */
}

static uint32_t list_finish(struct parser *parser, const struct list *list, enum node_kind kind)
{
	uint32_t node;

	if (list->count == 1)
		return list->first;
	node = parser_node(parser, kind);
	if (node != NO_NODE)
		parser->policy->nodes[node].child = list->first;
	return node;
}

static uint32_t parse_any(struct parser *parser, bool negated);

static bool take_not(struct lexer *lexer)
{
	lexer_skip(lexer);
	if (lexer_take_word(lexer, "not"))
		return true;
	return lexer->at[0] == '!' && lexer->at[1] != '=' && lexer_take_symbol(lexer, "!");
}

/* Words that can stand after a condition, or that somebody might put there. */
static bool ends_condition(struct span word)
{
	return span_is(word, "for") || span_is(word, "if") || span_is(word, "peel") ||
	       span_is(word, "keep");
}

/* What stands after the condition in parentheses instead of the ")". */
static void fail_unclosed(struct lexer *lexer, struct span open)
{
	struct span word = lexer_word(lexer);

	if (lexer->at == lexer->end || *lexer->at == ';' || ends_condition(word))
		lexer_fail(lexer, open, "'(' is never closed");
	else
		lexer_expected(lexer, "'and', 'or' or ')'");
}

static uint32_t parse_parentheses(struct parser *parser, bool negated)
{
	struct lexer *lexer = &parser->lexer;
	struct span open = {lexer->at, 1};
	uint32_t node;

	if (parser->nesting == NESTING_MAX) {
		lexer_fail(lexer, open, "parentheses nested too deep (%d at most)", NESTING_MAX);
		return NO_NODE;
	}
	lexer_take(lexer, open);
	parser->nesting++;
	lexer->parentheses++;
	lexer_skip(lexer);
	if (lexer->at == lexer->end) {
		lexer_fail(lexer, open, "'(' is never closed");
		return NO_NODE;
	}
	node = parse_any(parser, negated);
	if (node == NO_NODE)
		return NO_NODE;
	lexer_skip(lexer);
	if (*lexer->at != ')') {
		fail_unclosed(lexer, open);
		return NO_NODE;
	}
	lexer->parentheses--;
	parser->nesting--;
	lexer_take(lexer, (struct span){lexer->at, 1});
	return node;
}

static uint32_t parse_not(struct parser *parser, bool negated)
{
	struct lexer *lexer = &parser->lexer;

	while (take_not(lexer))
		negated = !negated;
	lexer_skip(lexer);
	if (*lexer->at == '(')
		return parse_parentheses(parser, negated);
	return parse_predicate(parser, negated);
}

/* Whether another condition follows without an "and" between: juxtaposition, as in ss filters. */
static bool at_condition(const struct lexer *lexer)
{
	struct span word = lexer_word(lexer);

	if (word.length > 0)
		return !span_is(word, "or") && !ends_condition(word);
	return *lexer->at == '(' || (*lexer->at == '!' && lexer->at[1] != '=');
}

/* Takes "and" or "&&", if there is one. */
static void take_and(struct lexer *lexer)
{
	if (!lexer_take_word(lexer, "and"))
		lexer_take_symbol(lexer, "&&");
}

/* "not (a and b)" is "not a or not b": negation ends up in the predicates. */
static uint32_t parse_all(struct parser *parser, bool negated)
{
	enum node_kind kind = negated ? NODE_ANY : NODE_ALL;
	struct lexer *lexer = &parser->lexer;
	struct list list = {NO_NODE, NO_NODE, 0};

	for (;;) {
		uint32_t node = parse_not(parser, negated);

		if (node == NO_NODE)
			return NO_NODE;
		list_append(parser->policy, &list, kind, node);
		lexer_skip(lexer);
		if (!at_condition(lexer) && strncmp(lexer->at, "&&", 2) != 0)
			return list_finish(parser, &list, kind);
		take_and(lexer);
	}
}

static uint32_t parse_any(struct parser *parser, bool negated)
{
	enum node_kind kind = negated ? NODE_ALL : NODE_ANY;
	struct lexer *lexer = &parser->lexer;
	struct list list = {NO_NODE, NO_NODE, 0};

	for (;;) {
		uint32_t node = parse_all(parser, negated);

		if (node == NO_NODE)
			return NO_NODE;
		list_append(parser->policy, &list, kind, node);
		lexer_skip(lexer);
		if (!lexer_take_word(lexer, "or") && !lexer_take_symbol(lexer, "||"))
			return list_finish(parser, &list, kind);
	}
}

static bool parse_name(struct parser *parser, struct span word, struct rule *rule)
{
	struct lexer *lexer = &parser->lexer;
	const struct policy *policy = parser->policy;

	if (word.length > NAME_LENGTH_MAX)
		return lexer_fail(lexer, word, "the rule's name is too long (%d letters at most)",
				  NAME_LENGTH_MAX);
	memcpy(rule->name, word.at, word.length);
	rule->name[word.length] = '\0';
	for (uint32_t i = 0; i < policy->rule_count; i++)
		if (!strcmp(policy->rules[i].name, rule->name))
			return lexer_fail(lexer, word, "rule %u is called '%s' already", i + 1,
					  rule->name);
	lexer_take(lexer, word);
	lexer_skip(lexer);
	return lexer_take_symbol(lexer, ":");
}

/* "NAME :" comes next. */
static bool at_name(const struct lexer *lexer, struct span word)
{
	struct lexer ahead = *lexer;

	lexer_take(&ahead, word);
	lexer_skip(&ahead);
	return word.length > 0 && *ahead.at == ':';
}

/* The whole text is this one word, so it may have been meant as a preset. */
static bool is_alone(const struct lexer *lexer, struct span word)
{
	struct lexer ahead = *lexer;

	if (lexer->rule != 1)
		return false;
	lexer_take(&ahead, word);
	lexer_skip_separators(&ahead);
	return ahead.at == ahead.end;
}

static bool fail_verb(struct lexer *lexer)
{
	static const char *const verbs[] = {"peel", "keep", NULL};
	struct span found = lexer_word(lexer);
	bool alone = is_alone(lexer, found);
	char copy[41];
	const char *nearest;

	if (found.length == 0)
		found = lexer_anything(lexer);
	if (lexer_at_rule_end(lexer))
		return lexer_expected(lexer, "'peel' or 'keep'");
	memcpy(copy, found.at, found.length > 40 ? 40 : found.length);
	copy[found.length > 40 ? 40 : found.length] = '\0';
	nearest = policy_nearest(copy, verbs);
	if (nearest == NULL && alone)
		nearest = policy_nearest(copy, preset_names);
	return lexer_fail(lexer, found, "expected 'peel' or 'keep'%s, found '%s'%s%s%s",
			  alone ? " or a preset" : "", copy, nearest ? " (did you mean '" : "",
			  nearest ? nearest : "", nearest ? "'?)" : "");
}

/* Something stands after a rule that ought to have ended. */
static bool fail_rest(struct lexer *lexer, bool condition, bool with_for)
{
	struct span word = lexer_word(lexer);
	struct span found = word.length > 0 ? word : lexer_anything(lexer);

	if (*lexer->at == ')')
		return lexer_fail(lexer, found, "')' closes nothing");
	if (span_is(word, "if") || span_is(word, "for"))
		return lexer_fail(lexer, found, "'%.*s' is out of place here", SPAN(word));
	if (span_is(word, "peel") || span_is(word, "keep"))
		return lexer_fail(lexer, found,
				  "rules are separated by ';' or a new line, found '%.*s'",
				  SPAN(word));
	if (with_for)
		return lexer_expected(lexer, "the end of the rule");
	if (condition)
		return lexer_expected(lexer, "'and', 'or', 'for' or the end of the rule");
	return lexer_expected(lexer, "'if', 'for' or the end of the rule");
}

static bool parse_rule(struct parser *parser, struct rule *rule)
{
	struct lexer *lexer = &parser->lexer;
	struct span word = lexer_word(lexer);
	bool condition = false, with_for = false;

	if (at_name(lexer, word) && !parse_name(parser, word, rule))
		return false;
	lexer_skip(lexer);
	if (lexer_take_word(lexer, "peel"))
		rule->verdict = POLICY_PEEL;
	else if (lexer_take_word(lexer, "keep"))
		rule->verdict = POLICY_KEEP;
	else
		return fail_verb(lexer);
	lexer_skip(lexer);
	if (lexer_take_word(lexer, "if")) {
		condition = true;
		rule->node = parse_any(parser, false);
		if (rule->node == NO_NODE)
			return false;
		lexer_skip(lexer);
	}
	if (lexer_take_word(lexer, "for")) {
		with_for = true;
		if (!parse_duration(parser, "'for'", &rule->for_ns))
			return false;
		lexer_skip(lexer);
	}
	return lexer_at_rule_end(lexer) || fail_rest(lexer, condition, with_for);
}

bool parse_rules(struct parser *parser)
{
	struct lexer *lexer = &parser->lexer;
	struct policy *policy = parser->policy;

	lexer_skip_separators(lexer);
	while (lexer->at < lexer->end) {
		struct rule rule = {.node = NO_NODE}, *rules;

		lexer->rule = (int)policy->rule_count + 1;
		if (policy->rule_count == RULES_MAX)
			return lexer_fail(lexer, lexer_anything(lexer),
					  "too many rules (%d at most)", RULES_MAX);
		if (!parse_rule(parser, &rule))
			return false;
		rules = parser_grow(parser, policy->rules, &policy->rule_room, policy->rule_count,
				    sizeof(rule));
		if (rules == NULL)
			return false;
		policy->rules = rules;
		rules[policy->rule_count++] = rule;
		lexer_skip_separators(lexer);
	}
	if (policy->rule_count > 0)
		return true;
	lexer->end = lexer->text; /* nothing to show */
	return lexer_fail(lexer, (struct span){lexer->text, 0},
			  "there is no rule in it ('keep' or the preset 'none' peels nothing)");
}
