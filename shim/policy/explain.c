/* SPDX-License-Identifier: MIT */
/* explain: each rule in plain words. */
#include <string.h>

#include "print.h"

/* The field's noun, with its window. */
static void put_noun(FILE *to, const struct node *node)
{
	const char *noun = field_table[node->field].noun;
	const char *bar = strchr(noun, '|');
	char buf[32];
	struct text text = {buf, sizeof(buf), 0};

	if (node->window_ns == 0) {
		fprintf(to, "%.*s", bar ? (int)(bar - noun) : (int)strlen(noun), noun);
		return;
	}
	text_duration(&text, node->window_ns);
	text_end(&text);
	fprintf(to, "%s in the last %s", bar ? bar + 1 : noun, buf);
}

static const char *comparison(const struct policy *policy, const struct node *node)
{
	static const char *const words[] = {
		[OP_EQ] = "is",		[OP_NE] = "is not",	  [OP_LT] = "is less than",
		[OP_LE] = "is at most", [OP_GT] = "is more than", [OP_GE] = "is at least",
	};

	if (is_several(policy, node))
		return node->op == OP_EQ ? "is in" : "is not in";
	return words[node->op];
}

/* Sizes and rates with a suffix are told in bytes as well. */
static void put_value(FILE *to, const struct policy *policy, const struct node *node)
{
	enum unit unit = field_table[node->field].unit;
	char buf[1024];
	struct text text = {buf, sizeof(buf), 0};

	print_value(&text, policy, node);
	text_end(&text);
	fputs(buf, to);
	if (unit == UNIT_SIZE && node->number >= 1024 && node->number % 1024 == 0)
		fprintf(to, " (%llu bytes)", (unsigned long long)node->number);
	else if (unit == UNIT_SIZE_RATE && node->number >= 1024 && node->number % 1024 == 0)
		fprintf(to, " (%llu bytes a second)", (unsigned long long)node->number);
}

static void put_node(FILE *to, const struct policy *policy, uint32_t at, bool inside)
{
	const struct node *node = &policy->nodes[at];

	if (node->kind == NODE_PREDICATE) {
		put_noun(to, node);
		fprintf(to, " %s ", comparison(policy, node));
		put_value(to, policy, node);
		return;
	}
	if (inside)
		fputc('(', to);
	for (uint32_t child = node->child; child != NO_NODE; child = policy->nodes[child].sibling) {
		if (child != node->child)
			fputs(node->kind == NODE_ALL ? " and " : " or ", to);
		put_node(to, policy, child, true);
	}
	if (inside)
		fputc(')', to);
}

static void put_rule(FILE *to, const struct policy *policy, int at)
{
	const struct rule *rule = &policy->rules[at];

	fprintf(to, "rule %d", at + 1);
	if (rule->name[0])
		fprintf(to, " (%s)", rule->name);
	fprintf(to, ": %s",
		rule->verdict == POLICY_PEEL ? "peels an association off"
					     : "keeps an association where it is");
	if (rule->node != NO_NODE) {
		fputs(" if ", to);
		put_node(to, policy, rule->node, false);
	} else if (rule->for_ns == 0) {
		fputs(", whatever it does", to);
	}
	if (rule->for_ns) {
		char buf[32];
		struct text text = {buf, sizeof(buf), 0};

		text_duration(&text, rule->for_ns);
		text_end(&text);
		fprintf(to,
			rule->node == NO_NODE ? " once it has been seen for %s"
					      : ", without interruption for %s",
			buf);
	}
	fputs(".\n", to);
}

void policy_explain(const struct policy *policy, FILE *to)
{
	bool all = false;

	for (int i = 0; i < policy_rules(policy); i++) {
		put_rule(to, policy, i);
		all |= policy->rules[i].node == NO_NODE && policy->rules[i].for_ns == 0;
	}
	if (!all)
		fputs("otherwise: keeps the association where it is.\n", to);
	if (policy_never_peels(policy))
		fputs("This policy never peels.\n", to);
}
