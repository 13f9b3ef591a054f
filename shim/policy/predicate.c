/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "parser.h"
#include "units.h"

/* The longest text of a field with its window, for messages. */
enum { SHOWN_MAX = 48 };

static uint32_t set_maximum(enum field field)
{
	return field == FIELD_PPID ? UINT32_MAX : UINT16_MAX;
}

static bool find_field(struct span word, enum field *ret)
{
	for (int i = 0; i < FIELDS; i++) {
		const struct field_info *info = &field_table[i];

		if (span_is(word, info->name) || (info->alias && span_is(word, info->alias))) {
			*ret = (enum field)i;
			return true;
		}
	}
	return false;
}

static bool is_keyword(struct span word)
{
	static const char *const keywords[] = {"and", "or", "not", "if", "for", "peel", "keep"};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (span_is(word, keywords[i]))
			return true;
	return false;
}

static bool fail_field(struct lexer *lexer, struct span word)
{
	static const char *const words[] = {
#define FIELD(id, name, alias, unit, window, noun, help) name,
#include "fields.def"
#undef FIELD
		"dst", "src", "dport", "sport", "and", "or", "not", "for", NULL};
	const char *nearest;
	char copy[41];

	if (word.length == 0 || is_keyword(word))
		return lexer_expected(lexer, "a condition");
	snprintf(copy, sizeof(copy), "%.*s", SPAN(word));
	nearest = policy_nearest(copy, words);
	return lexer_fail(lexer, word, "unknown field '%s'%s%s%s", copy,
			  nearest ? " (did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?)" : "");
}

/* "(T)" after the field. */
static bool parse_window(struct parser *parser, struct span word, struct node *node)
{
	struct lexer *lexer = &parser->lexer;
	const struct field_info *info = &field_table[node->field];
	struct span open;

	lexer_skip(lexer);
	open = (struct span){lexer->at, 1};
	if (*lexer->at != '(') {
		if (info->window == WINDOW_REQUIRED)
			return lexer_fail(lexer, word, "%s needs a window, as in %s(5s)",
					  info->name, info->name);
		return true;
	}
	if (info->window == WINDOW_NONE)
		return lexer_fail(lexer, open, "%s has no window", info->name);
	lexer_take(lexer, open);
	if (!parse_duration(parser, "a window", &node->window_ns))
		return false;
	lexer_skip(lexer);
	if (!lexer_take_symbol(lexer, ")"))
		return lexer_expected(lexer, "')' after the window");
	if (policy_window_slot(parser->policy, node->window_ns,
			       node->field == FIELD_MSGS || node->field == FIELD_MSGRATE,
			       false) < 0)
		return lexer_fail(lexer, word, "too many different windows (%d at most)",
				  WINDOWS_MAX);
	if (node->field == FIELD_SHARE)
		policy_window_slot(parser->policy, node->window_ns, false, true);
	return true;
}

static bool find_op(struct span span, enum op *ret)
{
	static const struct {
		const char *name;
		enum op op;
	} ops[] = {
		{"=", OP_EQ},  {"==", OP_EQ},  {"eq", OP_EQ},  {"!=", OP_NE},
		{"ne", OP_NE}, {"neq", OP_NE}, {"<", OP_LT},   {"lt", OP_LT},
		{"<=", OP_LE}, {"le", OP_LE},  {"leq", OP_LE}, {">", OP_GT},
		{"gt", OP_GT}, {">=", OP_GE},  {"ge", OP_GE},  {"geq", OP_GE},
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (span_is(span, ops[i].name)) {
			*ret = ops[i].op;
			return true;
		}
	}
	return false;
}

/* What was meant by an operator that does not exist. */
static const char *meant_op(struct span span)
{
	static const char *const pairs[][2] = {
		{"=>", ">="}, {"=<", "<="}, {"<>", "!="},  {"><", "!="}, {"=!", "!="},
		{"!", "!="},  {"===", "="}, {"!==", "!="}, {"<<", "<"},	 {">>", ">"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (span_is(span, pairs[i][0]))
			return pairs[i][1];
	return NULL;
}

static bool parse_op(struct parser *parser, const char *shown, struct node *node)
{
	struct lexer *lexer = &parser->lexer;
	enum unit unit = field_table[node->field].unit;
	bool optional = unit == UNIT_SET || unit == UNIT_PREFIX;
	struct span span;

	lexer_skip(lexer);
	span = lexer_operator(lexer);
	if (span.length == 0)
		span = lexer_word(lexer);
	if (find_op(span, &node->op)) {
		if (unit == UNIT_PREFIX && node->op != OP_EQ && node->op != OP_NE)
			return lexer_fail(lexer, span, "an address is = or !=, never '%.*s'",
					  SPAN(span));
		lexer_take(lexer, span);
		return true;
	}
	if (lexer_operator(lexer).length > 0) {
		const char *meant = meant_op(span);

		return lexer_fail(lexer, span, "unknown operator '%.*s'%s%s%s", SPAN(span),
				  meant ? " (did you mean '" : "", meant ? meant : "",
				  meant ? "'?)" : "");
	}
	node->op = OP_EQ;
	if (optional)
		return true;
	span = lexer_anything(lexer);
	if (lexer_at_rule_end(lexer))
		span = (struct span){lexer->last_end, 1};
	return lexer_fail(lexer, span, "%s needs an operator and %s, as in %s >= %s", shown,
			  unit_noun(unit), shown, unit_example(unit));
}

static bool fail_value(struct lexer *lexer, enum unit unit, const char *shown)
{
	char what[SHOWN_MAX + 64];

	snprintf(what, sizeof(what), "%s for %s, as in %s", unit_noun(unit), shown,
		 unit_example(unit));
	return lexer_expected(lexer, what);
}

static bool parse_quantity(struct parser *parser, const char *shown, struct node *node)
{
	struct lexer *lexer = &parser->lexer;
	enum unit unit = field_table[node->field].unit;
	struct span span = lexer_value(lexer);
	struct quantity quantity;
	char why[128];

	if (!quantity_begins(span.at, span.length))
		return fail_value(lexer, unit, shown);
	if (memchr(span.at, ',', span.length) != NULL)
		return lexer_fail(lexer, span, "%s takes one number, written without commas",
				  shown);
	if (!quantity_parse(span.at, span.length, &quantity, why, sizeof(why)) ||
	    !quantity_fits(&quantity, unit, shown, span.at, span.length, why, sizeof(why)))
		return lexer_fail(lexer, span, "%s", why);
	lexer_take(lexer, span);
	node->number = quantity.value;
	return true;
}

/* Reads digits up to `maximum`. The span's start moves behind them. */
static bool parse_member(struct lexer *lexer, struct span *span, uint32_t maximum,
			 const char *shown, uint32_t *ret)
{
	struct span digits = {span->at, 0};
	uint64_t number = 0;

	while (digits.length < span->length && digits.at[digits.length] >= '0' &&
	       digits.at[digits.length] <= '9') {
		if (number <= UINT32_MAX)
			number = number * 10 + (uint64_t)(digits.at[digits.length] - '0');
		digits.length++;
	}
	if (digits.length == 0 || (digits.length < span->length && digits.at[digits.length] != '-'))
		return lexer_fail(lexer, *span, "'%.*s' is not a number or a range", SPAN(*span));
	if (number > maximum)
		return lexer_fail(lexer, digits, "%s is 0 to %u, %.*s is out of range", shown,
				  maximum, SPAN(digits));
	span->at += digits.length;
	span->length -= digits.length;
	*ret = (uint32_t)number;
	return true;
}

/* "N" or "N-M". */
static bool parse_range(struct lexer *lexer, struct span item, uint32_t maximum, const char *shown,
			struct range *ret)
{
	struct span rest = item;

	if (item.length == 0)
		return lexer_fail(lexer, item, "a number is missing here");
	if (!parse_member(lexer, &rest, maximum, shown, &ret->first))
		return false;
	ret->last = ret->first;
	if (rest.length == 0)
		return true;
	rest.at++;
	rest.length--;
	if (rest.length == 0 || memchr(rest.at, '-', rest.length) != NULL)
		return lexer_fail(lexer, item, "'%.*s' is not a range, as in 0-7", SPAN(item));
	if (!parse_member(lexer, &rest, maximum, shown, &ret->last))
		return false;
	if (ret->last < ret->first)
		return lexer_fail(lexer, item, "the range runs backwards (did you mean '%u-%u'?)",
				  ret->last, ret->first);
	return true;
}

/* Puts a range where it belongs and melts what touches: "46,3" and "3,46" are one policy. */
static uint32_t add_range(struct range *ranges, uint32_t count, struct range range)
{
	uint32_t kept = 0, at;

	for (uint32_t i = 0; i < count; i++) {
		bool apart = (uint64_t)ranges[i].last + 1 < range.first ||
			     (uint64_t)range.last + 1 < ranges[i].first;

		if (apart) {
			ranges[kept++] = ranges[i];
			continue;
		}
		if (ranges[i].first < range.first)
			range.first = ranges[i].first;
		if (ranges[i].last > range.last)
			range.last = ranges[i].last;
	}
	for (at = kept; at > 0 && ranges[at - 1].first > range.first; at--)
		ranges[at] = ranges[at - 1];
	ranges[at] = range;
	return kept + 1;
}

static bool store_ranges(struct parser *parser, const struct range *ranges, struct node *node)
{
	struct policy *policy = parser->policy;

	node->first = policy->range_count;
	for (uint32_t i = 0; i < node->ranges; i++) {
		struct range *grown = parser_grow(parser, policy->ranges, &policy->range_room,
						  policy->range_count, sizeof(*grown));

		if (grown == NULL)
			return false;
		policy->ranges = grown;
		grown[policy->range_count++] = ranges[i];
	}
	return true;
}

static struct span trim(struct span span)
{
	while (span.length > 0 && strchr(" \t\r\n", span.at[0])) {
		span.at++;
		span.length--;
	}
	while (span.length > 0 && strchr(" \t\r\n", span.at[span.length - 1]))
		span.length--;
	return span;
}

static bool parse_set(struct parser *parser, const char *shown, struct node *node)
{
	struct lexer *lexer = &parser->lexer;
	struct span span = lexer_set(lexer);
	const char *at = span.at, *end = span.at + span.length;
	struct range ranges[RANGES_MAX + 1] = {{0, 0}};
	uint32_t maximum = set_maximum(node->field);

	if (span.length == 0)
		return fail_value(lexer, UNIT_SET, shown);
	while (at <= end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct span item = {at, (size_t)((comma ? comma : end) - at)};
		struct range range = {0, 0};

		if (!parse_range(lexer, trim(item), maximum, shown, &range))
			return false;
		node->ranges = add_range(ranges, node->ranges, range);
		if (node->ranges > RANGES_MAX)
			return lexer_fail(lexer, span, "too many ranges (%d at most)", RANGES_MAX);
		at += item.length + 1;
	}
	lexer_take(lexer, span);
	if (node->op == OP_EQ || node->op == OP_NE)
		return store_ranges(parser, ranges, node);
	if (node->ranges != 1 || ranges[0].first != ranges[0].last)
		return lexer_fail(lexer, span, "'%s' compares with one number, not with a set",
				  op_symbol(node->op));
	node->number = ranges[0].first;
	node->ranges = 0;
	return true;
}

static bool parse_address(struct parser *parser, const char *shown, struct node *node)
{
	struct lexer *lexer = &parser->lexer;
	struct policy *policy = parser->policy;
	struct span span = lexer_value(lexer);
	struct prefix prefix, *prefixes;
	char why[140];

	if (span.length == 0)
		return fail_value(lexer, UNIT_PREFIX, shown);
	if (memchr(span.at, ',', span.length) != NULL)
		return lexer_fail(lexer, span, "%s takes one prefix; join several with 'or'",
				  shown);
	if (!prefix_parse(span.at, span.length, &prefix, why, sizeof(why)))
		return lexer_fail(lexer, span, "%s", why);
	prefixes = parser_grow(parser, policy->prefixes, &policy->prefix_room, policy->prefix_count,
			       sizeof(prefix));
	if (prefixes == NULL)
		return false;
	policy->prefixes = prefixes;
	lexer_take(lexer, span);
	node->first = policy->prefix_count;
	prefixes[policy->prefix_count++] = prefix;
	return true;
}

static bool parse_value(struct parser *parser, const char *shown, struct node *node)
{
	lexer_skip(&parser->lexer);
	switch (field_table[node->field].unit) {
	case UNIT_SET:
		return parse_set(parser, shown, node);
	case UNIT_PREFIX:
		return parse_address(parser, shown, node);
	default:
		return parse_quantity(parser, shown, node);
	}
}

uint32_t parse_predicate(struct parser *parser, bool negated)
{
	struct lexer *lexer = &parser->lexer;
	struct span word = lexer_word(lexer), whole;
	struct node node = {
		.kind = NODE_PREDICATE, .child = NO_NODE, .sibling = NO_NODE, .leaves = 1};
	char shown[SHOWN_MAX];
	uint32_t at;

	if (!find_field(word, &node.field)) {
		fail_field(lexer, word);
		return NO_NODE;
	}
	if (parser->predicates++ == PREDICATES_MAX) {
		lexer_fail(lexer, word, "too many conditions (%d at most)", PREDICATES_MAX);
		return NO_NODE;
	}
	lexer_take(lexer, word);
	if (!parse_window(parser, word, &node))
		return NO_NODE;
	whole = (struct span){word.at, (size_t)(lexer->last_end - word.at)};
	snprintf(shown, sizeof(shown), "%.*s", SPAN(whole));
	if (!parse_op(parser, shown, &node) || !parse_value(parser, shown, &node))
		return NO_NODE;
	if (negated)
		node.op = op_inverse(node.op);
	at = parser_node(parser, NODE_PREDICATE);
	if (at != NO_NODE)
		parser->policy->nodes[at] = node;
	return at;
}
