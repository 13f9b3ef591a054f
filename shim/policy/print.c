/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdlib.h>

void print_field(struct text *text, const struct node *node)
{
	text_string(text, field_table[node->field].name);
	if (node->window_ns) {
		text_char(text, '(');
		text_duration(text, node->window_ns);
		text_char(text, ')');
	}
}

void print_value(struct text *text, const struct policy *policy, const struct node *node)
{
	enum unit unit = field_table[node->field].unit;

	if (unit == UNIT_PREFIX)
		text_prefix(text, &policy->prefixes[node->first]);
	else if (node->ranges > 0)
		text_ranges(text, &policy->ranges[node->first], node->ranges);
	else
		text_quantity(text, unit, node->number);
}

bool is_several(const struct policy *policy, const struct node *node)
{
	if (field_table[node->field].unit == UNIT_PREFIX) {
		const struct prefix *prefix = &policy->prefixes[node->first];

		return prefix->length != (prefix->v4 ? 32 : 128);
	}
	return node->ranges > 1 || (node->ranges == 1 && policy->ranges[node->first].first !=
								 policy->ranges[node->first].last);
}

static void print_node(struct text *text, const struct policy *policy, uint32_t at, bool inside_all)
{
	const struct node *node = &policy->nodes[at];
	bool parentheses = node->kind == NODE_ANY && inside_all;

	if (node->kind == NODE_PREDICATE) {
		print_field(text, node);
		text_char(text, ' ');
		text_string(text, op_symbol(node->op));
		text_char(text, ' ');
		print_value(text, policy, node);
		return;
	}
	if (parentheses)
		text_char(text, '(');
	for (uint32_t child = node->child; child != NO_NODE; child = policy->nodes[child].sibling) {
		if (child != node->child)
			text_string(text, node->kind == NODE_ALL ? " and " : " or ");
		print_node(text, policy, child, node->kind == NODE_ALL);
	}
	if (parentheses)
		text_char(text, ')');
}

static void print_rule(struct text *text, const struct policy *policy, const struct rule *rule)
{
	if (rule->name[0]) {
		text_string(text, rule->name);
		text_string(text, ": ");
	}
	text_string(text, rule->verdict == POLICY_PEEL ? "peel" : "keep");
	if (rule->node != NO_NODE) {
		text_string(text, " if ");
		print_node(text, policy, rule->node, false);
	}
	if (rule->for_ns) {
		text_string(text, " for ");
		text_duration(text, rule->for_ns);
	}
	text_char(text, '\n');
}

static void print_policy(struct text *text, const struct policy *policy)
{
	for (uint32_t i = 0; i < policy->rule_count; i++)
		print_rule(text, policy, &policy->rules[i]);
	text_end(text);
}

char *canonical_text(const struct policy *policy)
{
	struct text measure = {NULL, 0, 0}, text = {NULL, 0, 0};

	print_policy(&measure, policy);
	text.room = measure.length + 1;
	text.buf = malloc(text.room);
	if (text.buf != NULL)
		print_policy(&text, policy);
	return text.buf;
}

void policy_print(const struct policy *policy, FILE *to)
{
	fputs(policy->canonical, to);
}
