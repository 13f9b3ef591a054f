/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "parser.h"
#include "presets.h"

struct policy *policy_parse(const char *text, struct policy_error *err)
{
	const char *rules = preset_rules(text);
	struct parser parser = {.nesting = 0};

	memset(err, 0, sizeof(*err));
	err->len = 1;
	parser.policy = calloc(1, sizeof(*parser.policy));
	if (parser.policy != NULL) {
		if (!lexer_start(&parser.lexer, rules ? rules : text, err) ||
		    !parse_rules(&parser)) {
			policy_free(parser.policy);
			return NULL;
		}
		if (policy_compile(parser.policy) == 0)
			return parser.policy;
	}
	policy_free(parser.policy);
	strcpy(err->message, "out of memory");
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	free(policy->rules);
	free(policy->nodes);
	free(policy->leaves);
	free(policy->ranges);
	free(policy->prefixes);
	free(policy->canonical);
	free(policy);
}

bool policy_never_peels(const struct policy *policy)
{
	return policy->never_peels;
}

int policy_rules(const struct policy *policy)
{
	return (int)policy->rule_count;
}

const char *policy_rule_name(const struct policy *policy, int rule)
{
	const struct rule *it = &policy->rules[rule];

	return it->name[0] ? it->name : it->shown;
}

const char *policy_hash(const struct policy *policy)
{
	return policy->hash;
}
