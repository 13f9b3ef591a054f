/* SPDX-License-Identifier: MIT */
/* compile: the tree as a flat program, what the states hold, the canonical form and its hash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation.h"
#include "print.h"

int policy_window_slot(struct policy *policy, uint64_t length_ns, bool messages, bool socket)
{
	struct window_info *windows = socket ? policy->socket_windows : policy->windows;
	uint32_t *count = socket ? &policy->socket_window_count : &policy->window_count;

	for (uint32_t i = 0; i < *count; i++)
		if (windows[i].length_ns == length_ns && windows[i].messages == messages)
			return (int)i;
	if (*count == WINDOWS_MAX)
		return -1;
	windows[*count] = (struct window_info){length_ns, messages};
	return (int)(*count)++;
}

/* A comparison as "value - low <= span", in unsigned arithmetic, or the opposite of it. */
static void set_bounds(struct leaf *leaf, enum op op, uint64_t number)
{
	leaf->low = 0;
	leaf->span = number;
	leaf->negate = op == OP_NE || op == OP_GT || op == OP_GE;
	switch (op) {
	case OP_EQ:
	case OP_NE:
		leaf->low = number;
		leaf->span = 0;
		break;
	case OP_LE: /* 0 to number */
	case OP_GT: /* not that */
		break;
	case OP_LT: /* not number to the end */
	case OP_GE: /* number to the end */
		leaf->low = number;
		leaf->span = UINT64_MAX - number;
		leaf->negate = op == OP_LT;
		break;
	}
}

static uint8_t source_of(const struct node *node)
{
	switch (node->field) {
	case FIELD_RATE:
	case FIELD_MSGRATE:
		return SOURCE_WINDOW_RATE;
	case FIELD_SHARE:
		return SOURCE_SHARE;
	default:
		return (uint8_t)(node->window_ns ? SOURCE_WINDOW_SUM : (int)node->field);
	}
}

/* The commonest values need no more than a load. */
static void shorten(struct leaf *leaf)
{
	leaf->how = LEAF_COUNTER;
	if (leaf->source == FIELD_BYTES)
		leaf->offset = offsetof(struct policy_input, bytes);
	else if (leaf->source == FIELD_MSGS)
		leaf->offset = offsetof(struct policy_input, msgs);
	else if (leaf->source == FIELD_SNDBLOCKED)
		leaf->offset = offsetof(struct policy_input, sndblocked);
	else
		leaf->how = LEAF_RANGE;
}

static void make_leaf(struct policy *policy, const struct node *node, struct leaf *leaf)
{
	enum unit unit = field_table[node->field].unit;

	leaf->source = source_of(node);
	leaf->window = NO_WINDOW;
	leaf->socket_window = NO_WINDOW;
	if (node->window_ns) {
		bool messages = node->field == FIELD_MSGS || node->field == FIELD_MSGRATE;

		leaf->window =
			(uint8_t)policy_window_slot(policy, node->window_ns, messages, false);
	}
	if (node->field == FIELD_SHARE)
		leaf->socket_window =
			(uint8_t)policy_window_slot(policy, node->window_ns, false, true);
	if (unit == UNIT_PREFIX) {
		leaf->how = LEAF_PREFIX;
		leaf->low = node->first;
		leaf->negate = node->op == OP_NE;
	} else if (unit == UNIT_SET && node->ranges > 1) {
		leaf->how = LEAF_SET;
		leaf->low = node->first;
		leaf->span = node->ranges;
		leaf->negate = node->op == OP_NE;
	} else if (unit == UNIT_SET && node->ranges == 1) {
		const struct range *range = &policy->ranges[node->first];

		leaf->how = LEAF_RANGE;
		leaf->low = range->first;
		leaf->span = range->last - range->first;
		leaf->negate = node->op == OP_NE;
	} else {
		shorten(leaf);
		set_bounds(leaf, node->op, node->number);
	}
}

/* Leaves in the subtree; noted in each node, for the jumps. */
static uint32_t count_leaves(struct policy *policy, uint32_t at)
{
	struct node *node = &policy->nodes[at];

	if (node->kind == NODE_PREDICATE)
		return node->leaves;
	node->leaves = 0;
	for (uint32_t child = node->child; child != NO_NODE; child = policy->nodes[child].sibling)
		node->leaves += count_leaves(policy, child);
	return node->leaves;
}

/*
 * Writes the subtree's leaves. Whoever knows the answer early jumps: the first false of "all",
 * the first true of "any".
 */
static void emit(struct policy *policy, uint32_t at, uint32_t on_true, uint32_t on_false)
{
	struct node *node = &policy->nodes[at];

	node->leaf = policy->leaf_count;
	if (node->kind == NODE_PREDICATE) {
		struct leaf *leaf = &policy->leaves[policy->leaf_count++];

		make_leaf(policy, node, leaf);
		leaf->next[false] = (uint16_t)on_false;
		leaf->next[true] = (uint16_t)on_true;
		return;
	}
	for (uint32_t child = node->child; child != NO_NODE; child = policy->nodes[child].sibling) {
		uint32_t next = policy->leaf_count + policy->nodes[child].leaves;
		bool last = policy->nodes[child].sibling == NO_NODE;

		if (last)
			emit(policy, child, on_true, on_false);
		else if (node->kind == NODE_ALL)
			emit(policy, child, next, on_false);
		else
			emit(policy, child, on_true, next);
	}
}

static void emit_rules(struct policy *policy)
{
	const struct rule *rules = policy->rules;

	for (uint32_t i = 0; i < policy->rule_count; i++) {
		uint32_t match = LEAF_EXIT + 1 + i, miss = LEAF_EXIT;

		policy->rules[i].entry = (uint16_t)match;
		if (rules[i].node == NO_NODE)
			continue;
		policy->rules[i].entry = (uint16_t)policy->leaf_count;
		if (policy->timer_count == 0 && i + 1 < policy->rule_count) {
			miss = policy->leaf_count + policy->nodes[rules[i].node].leaves;
			if (rules[i + 1].node == NO_NODE)
				miss = match + 1;
		}
		emit(policy, rules[i].node, match, miss);
	}
}

/* FNV-1a, 64 bits, folded to 32. */
static void hash(const char *text, char ret[9])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	snprintf(ret, 9, "%08x", (unsigned)(h >> 32 ^ h));
}

static bool never_peels(const struct policy *policy)
{
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (rule->verdict == POLICY_PEEL)
			return false;
		if (rule->node == NO_NODE && rule->for_ns == 0)
			return true; /* nothing gets past an unconditional keep */
	}
	return true;
}

int policy_compile(struct policy *policy)
{
	uint32_t leaves = 0;

	for (uint32_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].node != NO_NODE)
			leaves += count_leaves(policy, policy->rules[i].node);
	policy->leaves = calloc(leaves ? leaves : 1, sizeof(*policy->leaves));
	if (policy->leaves == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		struct rule *rule = &policy->rules[i];

		snprintf(rule->shown, sizeof(rule->shown), "#%u", i + 1);
		if (rule->for_ns)
			rule->timer = (uint16_t)policy->timer_count++;
	}
	emit_rules(policy);
	policy->never_peels = never_peels(policy);
	policy->canonical = canonical_text(policy);
	if (policy->canonical == NULL)
		return -ENOMEM;
	hash(policy->canonical, policy->hash);
	return 0;
}
