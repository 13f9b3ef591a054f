/* SPDX-License-Identifier: MIT */
/* history: what decisions and peels tell, and what a policy's rules came to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history_parts.h"
#include "policy/policy.h"

/* The rules as the policy's text has them, when the text is whole. */
static void learn_rules(struct history_policy *policy)
{
	struct policy_error error;
	struct policy *parsed = policy->text ? policy_parse(policy->text, &error) : NULL;

	if (parsed == NULL)
		return;
	if (strcmp(policy_hash(parsed), policy->hash) == 0) {
		policy->count = (size_t)policy_rules(parsed);
		policy->rules = calloc(policy->count, sizeof(*policy->rules));
		policy->known = policy->rules != NULL;
	}
	for (size_t i = 0; policy->known && i < policy->count; i++)
		policy->rules[i].name = strdup(policy_rule_name(parsed, (int)i));
	policy_free(parsed);
}

static struct history_policy *policy_of(struct history *history, struct trace_text hash,
					struct trace_text text)
{
	struct history_policy *policy;

	if (hash.length == 0)
		return NULL;
	HASH_FIND(hh, history->policies, hash.at, hash.length, policy);
	if (policy == NULL) {
		policy = calloc(1, sizeof(*policy));
		if (policy == NULL)
			return NULL;
		policy->hash = strndup(hash.at, hash.length);
		if (policy->hash == NULL) {
			free(policy);
			return NULL;
		}
		HASH_ADD_KEYPTR(hh, history->policies, policy->hash, hash.length, policy);
	}
	if (policy->text == NULL && text.length > 0) {
		policy->text = strndup(text.at, text.length);
		learn_rules(policy);
	}
	return policy;
}

void history_add_start(struct history *history, struct history_process *process,
		       const struct trace_event *event)
{
	history_set(&process->version, event->version);
	process->policy = policy_of(history, event->policy_hash, event->policy);
}

static struct history_rule *rule_of(struct history_policy *policy, const struct trace_event *event)
{
	size_t at = (size_t)event->rule_index - 1;
	struct history_rule *rules;

	if (policy == NULL || event->rule_index < 1 || event->rule_index > 256)
		return NULL;
	if (at >= policy->count) {
		if (policy->known)
			return NULL;
		rules = realloc(policy->rules, (at + 1) * sizeof(*rules));
		if (rules == NULL)
			return NULL;
		memset(&rules[policy->count], 0, (at + 1 - policy->count) * sizeof(*rules));
		policy->rules = rules;
		policy->count = at + 1;
	}
	history_set(&policy->rules[at].name, event->rule);
	return &policy->rules[at];
}

static void note_hold(struct history *history, struct history_association *association,
		      const struct trace_event *event)
{
	struct history_count *count = history_count(&history->held, event->reason);

	if (count != NULL &&
	    (association->held == NULL || !trace_text_is(event->reason, association->held)))
		count->associations++;
	history_set(&association->held, event->reason);
	association->holds++;
}

/* How long before it was written the decision was made; 0 when the event does not say. */
static int64_t judged_before(const struct trace_event *event)
{
	const uint64_t hour = UINT64_C(3600000000000);
	uint64_t ns = event->mono_ns - event->input.now_ns;

	return event->has_input && event->input.now_ns && ns < hour ? (int64_t)ns : 0;
}

void history_add_decision(struct history *history, struct history_process *process,
			  struct history_association *association, const struct trace_event *event,
			  int64_t time)
{
	struct history_policy *policy =
		policy_of(history, event->policy_hash, (struct trace_text){0});
	struct history_rule *rule = rule_of(policy, event);
	char verdict = event->verdict.length > 0 ? event->verdict.at[0] : '\0';
	int64_t behind = judged_before(event);

	if (process->policy == NULL)
		process->policy = policy;
	history_set(&process->mode, event->mode);
	history_set(&association->rule, event->rule);
	history_set(&association->reason, event->reason);
	if (verdict == 'k')
		association->condition_ns = -1;
	else if (association->condition_ns < 0)
		association->condition_ns = time - behind;
	if (verdict == 'h')
		note_hold(history, association, event);
	association->verdict = verdict;
	if (event->has_input && !association->peeled) {
		association->bytes_before = event->input.bytes;
		association->msgs_before = event->input.msgs;
		if (event->input.msgs >= association->msgs) {
			association->bytes = event->input.bytes;
			association->msgs = event->input.msgs;
		}
	}
	if (rule != NULL) {
		rule->peels += verdict == 'p';
		rule->keeps += verdict == 'k';
		rule->holds += verdict == 'h';
	}
}

static void note_refusal(struct history *history, struct history_association *association,
			 int error)
{
	const char *name = strerrorname_np(error);
	char number[16];
	struct history_count *count;

	snprintf(number, sizeof(number), "%d", error);
	if (name == NULL)
		name = number;
	count = history_count(&history->refused, (struct trace_text){name, strlen(name)});
	if (count != NULL && association->error != error)
		count->associations++;
	association->error = error;
	association->refusals++;
}

/* From here on its messages are no longer in the others' way. */
static void mark_peel(struct history_association *association)
{
	struct spread *before = malloc(sizeof(*before));

	association->socket->any_peel = true;
	if (association->own == NULL || association->mark == NULL || before == NULL) {
		free(before);
		return;
	}
	*before = association->socket->all;
	spread_take(before, association->mark);
	spread_take(before, association->own);
	association->others_before = before;
	*association->mark = association->socket->all;
	memset(association->own, 0, sizeof(*association->own));
}

void history_add_peel(struct history *history, struct history_association *association,
		      const struct trace_event *event, int64_t time)
{
	bool program = trace_text_is(event->by, "program");

	if (event->effect.error > 0) {
		note_refusal(history, association, (int)event->effect.error);
		return;
	}
	if (!event->has_effect || association->peeled)
		return;
	if (program) {
		association->by_program = true;
		history->program_peels++;
		return;
	}
	association->peeled = true;
	association->peeled_ns = time;
	association->latency_ns = event->effect.latency_ns;
	association->queued = event->effect.queued;
	if (association->condition_ns >= 0)
		association->delay_ns = time - association->condition_ns;
	if (association->delay_ns < 0)
		association->delay_ns = -1;
	association->bytes_before = association->bytes;
	association->msgs_before = association->msgs;
	history->peels++;
	if (++history->peeled > history->peeled_most)
		history->peeled_most = history->peeled;
	mark_peel(association);
}

void history_unmatched(const struct history *history,
		       void (*each)(void *context, const struct history_policy *policy,
				    const struct history_rule *rule),
		       void *context)
{
	for (const struct history_policy *policy = history->policies; policy != NULL;
	     policy = policy->hh.next)
		for (size_t i = 0; i < policy->count; i++)
			if (policy->rules[i].peels + policy->rules[i].keeps +
				    policy->rules[i].holds ==
			    0)
				each(context, policy, &policy->rules[i]);
}
