/* SPDX-License-Identifier: MIT */
/*
 * reason: why a verdict came out as it did, with the figures and what they were compared with:
 * "rate(5s)=12582912 > 10485760 for 3.2s". Async-signal-safe.
 */
#include "evaluation.h"
#include "print.h"
#include "text.h"

/* A time with its decimals cut, unless that would hide on which side of the threshold it is. */
static void put_time(struct text *text, uint64_t value, uint64_t threshold)
{
	uint64_t apart = value > threshold ? value - threshold : threshold - value;

	text_elapsed(text, value, apart < 1000000 ? 9 : 3);
}

static void put_number(struct text *text, const struct node *node, uint64_t value, bool threshold)
{
	switch (field_table[node->field].unit) {
	case UNIT_TIME:
		if (threshold)
			text_duration(text, value);
		else
			put_time(text, value, node->number);
		break;
	case UNIT_SIZE:
		if (threshold)
			text_size(text, value);
		else
			text_number(text, value);
		break;
	case UNIT_PERCENT:
		text_percent(text, value);
		break;
	default: /* rates are shown in plain bytes a second, so that both sides compare at a glance
		  */
		text_number(text, value);
		break;
	}
}

static void put_unknown(struct text *text, const struct node *node)
{
	switch (node->field) {
	case FIELD_STREAM:
	case FIELD_PPID:
		text_string(text, " unknown before the first message");
		break;
	case FIELD_PEER:
	case FIELD_PEER_PORT:
	case FIELD_LOCAL:
	case FIELD_LOCAL_PORT:
		text_string(text, " unknown");
		break;
	default:
		text_string(text, " not told by the kernel");
		break;
	}
}

/* The predicate as it turned out: the comparison that holds, whichever way round it was written. */
static void put_predicate(struct evaluation *evaluation, struct text *text, const struct node *node,
			  bool holds)
{
	const struct policy *policy = evaluation->policy;
	const struct leaf *leaf = &policy->leaves[node->leaf];
	enum op op = holds ? node->op : op_inverse(node->op);
	bool prefix = leaf->how == LEAF_PREFIX;
	struct address address;
	uint64_t value = 0;

	print_field(text, node);
	if (prefix ? !evaluation_address(evaluation, leaf, &address)
		   : !evaluation_value(evaluation, leaf, &value)) {
		put_unknown(text, node);
		return;
	}
	text_char(text, '=');
	if (prefix)
		text_address(text, address);
	else
		put_number(text, node, value, false);
	if (is_several(policy, node)) {
		text_string(text, op == OP_EQ ? " in " : " not in ");
		print_value(text, policy, node);
	} else if (op != OP_EQ) { /* "ppid=3" says it all */
		text_char(text, ' ');
		text_string(text, op_symbol(op));
		text_char(text, ' ');
		if (prefix || node->ranges > 0)
			print_value(text, policy, node);
		else
			put_number(text, node, node->number, true);
	}
}

static bool node_holds(struct evaluation *evaluation, uint32_t at)
{
	const struct policy *policy = evaluation->policy;
	const struct node *node = &policy->nodes[at];

	if (node->kind == NODE_PREDICATE)
		return evaluation_holds(evaluation, &policy->leaves[node->leaf]);
	for (uint32_t child = node->child; child != NO_NODE; child = policy->nodes[child].sibling)
		if (node_holds(evaluation, child) == (node->kind == NODE_ANY))
			return node->kind == NODE_ANY;
	return node->kind == NODE_ALL;
}

/*
 * What is enough to see that the condition holds, or does not: one true part of "any", one false
 * part of "all", else every part.
 */
static void put_condition(struct evaluation *evaluation, struct text *text, uint32_t at, bool holds)
{
	const struct policy *policy = evaluation->policy;
	const struct node *node = &policy->nodes[at];
	bool one = holds == (node->kind == NODE_ANY), first = true;

	if (node->kind == NODE_PREDICATE) {
		put_predicate(evaluation, text, node, holds);
		return;
	}
	for (uint32_t child = node->child; child != NO_NODE; child = policy->nodes[child].sibling) {
		if (one && node_holds(evaluation, child) != holds)
			continue;
		if (!first)
			text_string(text, " and ");
		first = false;
		put_condition(evaluation, text, child, holds);
		if (one)
			return;
	}
}

/* How a rule stands: its condition as it turned out, and how long it has held. */
static void put_rule(struct evaluation *evaluation, struct text *text, const struct rule *rule,
		     bool matched)
{
	uint64_t held = rule->for_ns ? evaluation_held(evaluation, rule) : 0;
	bool holds = rule->node == NO_NODE || node_holds(evaluation, rule->node);

	if (rule->node != NO_NODE)
		put_condition(evaluation, text, rule->node, holds);
	else if (rule->for_ns)
		text_string(text, "any association");
	else
		text_string(text, "rule without a condition");
	if (rule->for_ns == 0 || !holds)
		return;
	text_string(text, " for ");
	text_elapsed(text, held, 3);
	if (!matched) {
		text_string(text, " of ");
		text_duration(text, rule->for_ns);
	}
}

/* Nothing matched: what every rule that would have peeled lacked. */
static void put_misses(struct evaluation *evaluation, struct text *text)
{
	const struct policy *policy = evaluation->policy;
	bool first = true;

	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (rule->verdict != POLICY_PEEL)
			continue;
		if (!first)
			text_string(text, "; ");
		first = false;
		if (policy->rule_count > 1) {
			text_string(text, policy_rule_name(policy, (int)i));
			text_string(text, ": ");
		}
		put_rule(evaluation, text, rule, false);
	}
	if (first)
		text_string(text, "no rule matches");
}

void reason_write(struct evaluation *evaluation, struct policy_result *result)
{
	struct text text = {result->reason, sizeof(result->reason), 0};

	if (result->rule >= 0)
		put_rule(evaluation, &text, &evaluation->policy->rules[result->rule], true);
	else
		put_misses(evaluation, &text);
	text_end(&text);
}
