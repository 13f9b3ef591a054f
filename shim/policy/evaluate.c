/* SPDX-License-Identifier: MIT */
#include "evaluation.h"

#include <string.h>

#include "address.h"

/*
 * The association's state: its windows, then the moments since which the conditions of rules
 * with a `for` have held (0: does not hold, else the time + 1). The socket's: its windows.
 */
size_t policy_assoc_state_size(const struct policy *policy)
{
	return policy->window_count * sizeof(struct window) +
	       policy->timer_count * sizeof(uint64_t);
}

size_t policy_socket_state_size(const struct policy *policy)
{
	return policy->socket_window_count * sizeof(struct window);
}

void policy_account(const struct policy *policy, void *assoc_state, void *socket_state,
		    uint64_t now_ns, uint64_t bytes)
{
	struct window *windows = assoc_state, *socket_windows = socket_state;

	for (uint32_t i = 0; i < policy->window_count; i++)
		window_add(&windows[i], policy->windows[i].length_ns, now_ns,
			   policy->windows[i].messages ? 1 : bytes);
	for (uint32_t i = 0; i < policy->socket_window_count; i++)
		window_add(&socket_windows[i], policy->socket_windows[i].length_ns, now_ns, bytes);
}

static const struct policy_kernel_figures *ask(struct evaluation *evaluation, bool stats)
{
	const struct policy_input *input = evaluation->input;
	struct asked *asked = stats ? &evaluation->stats : &evaluation->status;

	if (!asked->asked) {
		asked->asked = true;
		asked->answered = input->ask && input->ask(input->context, stats, &asked->figures);
	}
	return asked->answered ? &asked->figures : NULL;
}

static bool kernel_value(struct evaluation *evaluation, enum field field, uint64_t *ret)
{
	bool stats = field == FIELD_RETRANS || field == FIELD_OUTOFSEQ;
	const struct policy_kernel_figures *figures = ask(evaluation, stats);

	if (figures == NULL)
		return false;
	switch (field) {
	case FIELD_RWND:
		*ret = figures->rwnd;
		return true;
	case FIELD_UNACKED:
		*ret = figures->unacked;
		return true;
	case FIELD_PENDING:
		*ret = figures->pending;
		return true;
	case FIELD_SRTT:
		*ret = figures->srtt_ns;
		return true;
	case FIELD_CWND:
		*ret = figures->cwnd;
		return true;
	case FIELD_RETRANS:
		*ret = figures->retrans;
		return true;
	case FIELD_OUTOFSEQ:
		*ret = figures->outofseq;
		return true;
	default:
		return false;
	}
}

static uint64_t leaf_window(const struct evaluation *evaluation, const struct leaf *leaf)
{
	return window_sum(&evaluation->windows[leaf->window],
			  evaluation->policy->windows[leaf->window].length_ns,
			  evaluation->input->now_ns);
}

static uint64_t leaf_rate(const struct evaluation *evaluation, const struct leaf *leaf)
{
	uint64_t length_ns = evaluation->policy->windows[leaf->window].length_ns;

	return multiply_divide(leaf_window(evaluation, leaf), NS_PER_S, length_ns);
}

static uint64_t leaf_share(const struct evaluation *evaluation, const struct leaf *leaf)
{
	const struct policy *policy = evaluation->policy;
	uint64_t part = leaf_window(evaluation, leaf);
	uint64_t whole = window_sum(&evaluation->socket_windows[leaf->socket_window],
				    policy->socket_windows[leaf->socket_window].length_ns,
				    evaluation->input->now_ns);

	if (part >= whole)
		return whole ? 10000 : 0;
	return multiply_divide(part, 10000, whole);
}

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static bool port_value(const struct sockaddr *sockaddr, uint64_t *ret)
{
	struct address address;
	uint16_t port;

	if (!address_of(sockaddr, &address, &port))
		return false;
	*ret = port;
	return true;
}

bool evaluation_value(struct evaluation *evaluation, const struct leaf *leaf, uint64_t *ret)
{
	const struct policy_input *input = evaluation->input;

	switch ((int)leaf->source) {
	case FIELD_BYTES:
		*ret = input->bytes;
		return true;
	case FIELD_MSGS:
		*ret = input->msgs;
		return true;
	case FIELD_AVGSIZE:
		*ret = input->msgs ? input->bytes / input->msgs : 0;
		return true;
	case FIELD_AGE:
		*ret = since(input->first_seen_ns, input->now_ns);
		return true;
	case FIELD_IDLE: /* of the first message: since the association was seen */
		*ret = since(input->previous_ns ? input->previous_ns : input->first_seen_ns,
			     input->now_ns);
		return true;
	case FIELD_ASSOCS:
		*ret = input->assocs;
		return true;
	case FIELD_PEELED:
		*ret = input->peeled;
		return true;
	case FIELD_SNDBLOCKED:
		*ret = input->sndblocked;
		return true;
	case FIELD_STREAM:
		*ret = input->stream;
		return input->has_message;
	case FIELD_PPID:
		*ret = input->ppid;
		return input->has_message;
	case FIELD_PEER_PORT:
		return port_value(input->peer, ret);
	case FIELD_LOCAL_PORT:
		return port_value(input->local, ret);
	case SOURCE_WINDOW_SUM:
		*ret = leaf_window(evaluation, leaf);
		return true;
	case SOURCE_WINDOW_RATE:
		*ret = leaf_rate(evaluation, leaf);
		return true;
	case SOURCE_SHARE:
		*ret = leaf_share(evaluation, leaf);
		return true;
	default:
		return kernel_value(evaluation, (enum field)leaf->source, ret);
	}
}

bool evaluation_address(const struct evaluation *evaluation, const struct leaf *leaf,
			struct address *ret)
{
	const struct policy_input *input = evaluation->input;
	uint16_t port;

	return address_of(leaf->source == FIELD_PEER ? input->peer : input->local, ret, &port);
}

static inline bool in_bounds(const struct leaf *leaf, uint64_t value)
{
	return (value - leaf->low <= leaf->span) != leaf->negate;
}

static bool in_ranges(const struct policy *policy, const struct leaf *leaf, uint64_t value)
{
	const struct range *range = &policy->ranges[leaf->low];

	for (uint64_t i = 0; i < leaf->span; i++)
		if (value >= range[i].first && value <= range[i].last)
			return true;
	return false;
}

/*
 * What is not known makes a predicate false, "!=" as well, and as every `not` has been pushed
 * into the predicates, nobody is peeled for what we do not know.
 */
bool evaluation_holds(struct evaluation *evaluation, const struct leaf *leaf)
{
	const struct policy *policy = evaluation->policy;
	struct address address;
	uint64_t value;

	if (leaf->how == LEAF_PREFIX)
		return evaluation_address(evaluation, leaf, &address) &&
		       prefix_holds(&policy->prefixes[leaf->low], address) != leaf->negate;
	if (!evaluation_value(evaluation, leaf, &value))
		return false;
	if (leaf->how != LEAF_SET)
		return in_bounds(leaf, value);
	return in_ranges(policy, leaf, value) != leaf->negate;
}

/*
 * Walks the leaves from `at` as long as they look at nothing but counters. An exit (see
 * LEAF_EXIT), or the first leaf that needs more.
 */
static inline unsigned walk_counters(const struct policy *policy, const struct policy_input *input,
				     unsigned at)
{
	while (at < LEAF_EXIT && policy->leaves[at].how == LEAF_COUNTER) {
		const struct leaf *leaf = &policy->leaves[at];
		uint64_t counter;

		memcpy(&counter, (const char *)input + leaf->offset, sizeof(counter));
		at = leaf->next[in_bounds(leaf, counter)];
	}
	return at;
}

/* Walks the leaves from `at` until they know the answer: an exit. */
static unsigned walk(struct evaluation *evaluation, unsigned at)
{
	const struct policy *policy = evaluation->policy;

	while ((at = walk_counters(policy, evaluation->input, at)) < LEAF_EXIT)
		at = policy->leaves[at].next[evaluation_holds(evaluation, &policy->leaves[at])];
	return at;
}

uint64_t evaluation_held(const struct evaluation *evaluation, const struct rule *rule)
{
	uint64_t start = evaluation->timers[rule->timer];

	return start ? since(start - 1, evaluation->input->now_ns) : 0;
}

/* Starts or stops the rule's timer. True when the condition has held for long enough. */
static bool run_timer(struct evaluation *evaluation, const struct rule *rule, bool holds)
{
	uint64_t *timer = &evaluation->timers[rule->timer];

	if (!holds)
		*timer = 0;
	else if (*timer == 0)
		*timer = add_saturated(evaluation->input->now_ns, 1);
	return holds && evaluation_held(evaluation, rule) >= rule->for_ns;
}

/*
 * All rules are looked at, also behind the one that decides: the time for which their conditions
 * have held runs on. Returns the exit, as walk does.
 */
static unsigned walk_with_timers(struct evaluation *evaluation, bool *ret_pending)
{
	const struct policy *policy = evaluation->policy;
	unsigned decided = LEAF_EXIT;

	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		bool holds, matches;

		if (decided != LEAF_EXIT && rule->for_ns == 0)
			continue;
		holds = matches = walk(evaluation, rule->entry) != LEAF_EXIT;
		if (rule->for_ns)
			matches = run_timer(evaluation, rule, holds);
		if (decided != LEAF_EXIT)
			continue;
		*ret_pending |= holds && !matches;
		if (matches)
			decided = LEAF_EXIT + 1 + i;
	}
	return decided;
}

static inline void set_result(const struct policy *policy, unsigned exit, struct policy_result *ret)
{
	ret->rule = (int)exit - LEAF_EXIT - 1;
	ret->verdict = exit == LEAF_EXIT ? POLICY_KEEP : policy->rules[ret->rule].verdict;
	ret->reason[0] = '\0';
}

__attribute__((noinline)) static void evaluate_fully(const struct policy *policy, void *assoc_state,
						     void *socket_state,
						     const struct policy_input *input,
						     bool want_reason, struct policy_result *ret)
{
	struct evaluation evaluation = {
		.policy = policy,
		.windows = assoc_state,
		.socket_windows = socket_state,
		.input = input,
	};

	if (policy->timer_count == 0) {
		set_result(policy, walk(&evaluation, policy->rules[0].entry), ret);
	} else {
		evaluation.timers = (uint64_t *)assoc_state +
				    policy->window_count * sizeof(struct window) / sizeof(uint64_t);
		set_result(policy, walk_with_timers(&evaluation, &ret->pending), ret);
	}
	if (want_reason)
		reason_write(&evaluation, ret);
}

void policy_evaluate(const struct policy *policy, void *assoc_state, void *socket_state,
		     const struct policy_input *input, bool want_reason, struct policy_result *ret)
{
	ret->pending = false;
	/* policies that only count, like the default one, are over in a few dozen instructions */
	if (policy->timer_count == 0 && !want_reason) {
		unsigned at = walk_counters(policy, input, policy->rules[0].entry);

		if (at >= LEAF_EXIT) {
			set_result(policy, at, ret);
			return;
		}
	}
	evaluate_fully(policy, assoc_state, socket_state, input, want_reason, ret);
}
