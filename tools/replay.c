/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct replay_process *process_of(struct replay *replay, const struct trace_event *event)
{
	struct replay_process *process = replay->latest_process;

	if (process == NULL || process->pid != event->pid)
		HASH_FIND(hh, replay->processes, &event->pid, sizeof(event->pid), process);
	if (process == NULL) {
		process = calloc(1, sizeof(*process));
		if (process == NULL)
			return NULL;
		process->pid = event->pid;
		HASH_ADD(hh, replay->processes, pid, sizeof(process->pid), process);
	}
	/* the number is another's now */
	if (process->events++ == 0 || event->kind == EVENT_START || event->seq == 0)
		process->serial = replay->serial++;
	replay->latest_process = process;
	return process;
}

static struct replay_socket *socket_of(struct replay *replay, struct replay_key key)
{
	struct replay_socket *found;

	HASH_FIND(hh, replay->sockets, &key, sizeof(key), found);
	if (found != NULL)
		return found;
	found = calloc(1, sizeof(*found));
	if (found == NULL)
		return NULL;
	found->key = key;
	found->peeled = calloc(replay->count + 1, sizeof(*found->peeled));
	found->states = calloc(replay->count + 1, sizeof(*found->states));
	for (size_t i = 0; found->states != NULL && i < replay->count; i++)
		found->states[i] = calloc(1, policy_socket_state_size(replay->policies[i].policy) +
						     sizeof(uint64_t));
	HASH_ADD(hh, replay->sockets, key, sizeof(found->key), found);
	return found;
}

static bool set_address(struct sockaddr *to, struct trace_text address, int64_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	char text[INET6_ADDRSTRLEN];

	if (address.length == 0 || address.length >= sizeof(text) || port < 0)
		return false;
	memcpy(text, address.at, address.length);
	text[address.length] = '\0';
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		memcpy(to, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		memcpy(to, &v6, sizeof(v6));
	else
		return false;
	return true;
}

static struct replay_association *new_association(struct replay *replay, struct replay_key key,
						  struct replay_socket *socket)
{
	struct replay_association *association =
		calloc(1, sizeof(*association) + replay->count * sizeof(struct replay_verdict));

	if (association == NULL)
		return NULL;
	association->key = key;
	association->socket = socket;
	for (size_t i = 0; i < replay->count; i++) {
		association->verdicts[i].rule = -1;
		association->verdicts[i].state = calloc(
			1, policy_assoc_state_size(replay->policies[i].policy) + sizeof(uint64_t));
	}
	HASH_ADD(hh, replay->associations, key, sizeof(association->key), association);
	return association;
}

static struct replay_association *association_of(struct replay *replay,
						 const struct replay_process *process,
						 const struct trace_event *event)
{
	struct replay_association *association = replay->latest;
	struct replay_key key = {process->serial, event->assoc_id};
	struct replay_socket *socket;

	if (association == NULL || association->key.number != key.number ||
	    association->key.process != key.process)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		HASH_FIND(hh, replay->associations, &key, sizeof(key), association);
	if (association == NULL) {
		socket = socket_of(replay, (struct replay_key){process->serial, event->fd});
		association = socket ? new_association(replay, key, socket) : NULL;
	}
	if (association == NULL) {
		replay->out_of_memory = true;
		return NULL;
	}
	replay->latest = association;
	association->pid = process->pid;
	if (association->peer.any.sa_family == 0)
		(void)set_address(&association->peer.any, event->peer, event->peer_port);
	if (association->local.any.sa_family == 0)
		(void)set_address(&association->local.any, event->local, event->local_port);
	return association;
}

/* What the kernel would have answered was not recorded. */
static bool ask(void *context, bool stats, struct policy_kernel_figures *ret)
{
	struct replay_policy *policy = context;

	(void)stats;
	(void)ret;
	policy->asked = true;
	return false;
}

static struct policy_input input_of(const struct replay_association *association,
				    const struct trace_event *event, uint64_t now)
{
	return (struct policy_input){
		.now_ns = now,
		.first_seen_ns = association->first_ns,
		.previous_ns = association->previous_ns,
		.bytes = association->bytes,
		.msgs = association->msgs,
		.sndblocked = event->input.sndblocked,
		.assocs = (uint32_t)event->input.assocs,
		.stream = event->stream < 0 ? 0 : (uint16_t)event->stream,
		.ppid = event->ppid < 0 ? 0 : (uint32_t)event->ppid,
		.has_message = event->kind == EVENT_MSG,
		.peer = association->peer.any.sa_family ? &association->peer.any : NULL,
		.local = association->local.any.sa_family ? &association->local.any : NULL,
		.ask = ask,
	};
}

/* Names and reasons are the policy's own words: nothing in them needs escaping but quotes. */
static void put_text(FILE *to, const char *key, const char *text)
{
	fprintf(to, ",\"%s\":\"", key);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

static void tell(const struct replay *replay, size_t which, const struct trace_event *event,
		 const struct policy_input *input, const struct policy_result *result)
{
	const struct policy *policy = replay->policies[which].policy;
	FILE *to = replay->decisions;

	if (to == NULL)
		return;
	fprintf(to,
		"{\"policy\":%zu,\"policy.hash\":\"%s\",\"pid\":%" PRId64
		",\"sctp.assoc.id\":%" PRId64 ",\"verdict\":\"%s\"",
		which + 1, policy_hash(policy), event->pid, event->assoc_id,
		result->verdict == POLICY_PEEL ? "peel" : "keep");
	if (result->rule >= 0) {
		put_text(to, "rule", policy_rule_name(policy, result->rule));
		fprintf(to, ",\"rule.index\":%d", result->rule + 1);
	}
	put_text(to, "reason", result->reason);
	fprintf(to,
		",\"input\":{\"bytes\":%" PRIu64 ",\"msgs\":%" PRIu64 ",\"age_ns\":%" PRIu64
		",\"assocs\":%" PRIu32 ",\"peeled\":%" PRIu32 ",\"now_ns\":%" PRIu64 "}}\n",
		input->bytes, input->msgs, input->now_ns - input->first_seen_ns, input->assocs,
		input->peeled, input->now_ns);
}

static void peel(struct replay *replay, size_t which, struct replay_association *association,
		 uint64_t now)
{
	struct replay_policy *policy = &replay->policies[which];
	struct replay_verdict *verdict = &association->verdicts[which];

	verdict->peeled = true;
	verdict->peel_ns = now - association->first_ns;
	verdict->peel_msgs = association->msgs;
	association->socket->peeled[which]++;
	if (policy->peels++ == 0)
		policy->first_ns = now - replay->begin_ns;
	if (++policy->peeled > policy->peeled_most)
		policy->peeled_most = policy->peeled;
}

/* As judgement.c does it, with nothing standing against a peel. */
static void judge(struct replay *replay, size_t which, struct replay_association *association,
		  const struct trace_event *event, struct policy_input *input)
{
	struct replay_policy *policy = &replay->policies[which];
	struct replay_verdict *verdict = &association->verdicts[which];
	void *socket_state = association->socket->states[which];
	struct policy_result result;

	input->peeled = association->socket->peeled[which];
	input->context = policy;
	policy_evaluate(policy->policy, verdict->state, socket_state, input, false, &result);
	if (verdict->told && verdict->verdict == result.verdict &&
	    (result.verdict != POLICY_KEEP || verdict->rule == result.rule))
		return;
	if (replay->decisions != NULL)
		policy_evaluate(policy->policy, verdict->state, socket_state, input, true, &result);
	tell(replay, which, event, input, &result);
	verdict->told = true;
	verdict->verdict = result.verdict;
	verdict->rule = result.rule;
	verdict->msgs = input->msgs;
	if (result.verdict == POLICY_PEEL)
		peel(replay, which, association, input->now_ns);
}

static void judge_all(struct replay *replay, struct replay_association *association,
		      const struct trace_event *event, uint64_t now)
{
	struct policy_input input = input_of(association, event, now);

	for (size_t i = 0; i < replay->count; i++)
		if (!association->verdicts[i].peeled)
			judge(replay, i, association, event, &input);
}

static uint64_t now_of(const struct trace_event *event)
{
	return event->has_input && event->input.now_ns ? event->input.now_ns : event->mono_ns;
}

static void count_message(struct replay *replay, struct replay_association *association,
			  const struct trace_event *event, uint64_t now, uint64_t bytes)
{
	replay->messages++;
	replay->bytes += bytes;
	if (event->has_input && event->input.now_ns) {
		replay->has_inputs = true;
		association->bytes = event->input.bytes;
		association->msgs = event->input.msgs;
		association->first_ns = now - event->input.age_ns;
		association->previous_ns = now - event->input.idle_ns;
		return;
	}
	association->bytes += bytes;
	association->msgs++;
	if (association->first_ns == 0)
		association->first_ns = association->previous_ns = now;
}

static void add_message(struct replay *replay, struct replay_association *association,
			const struct trace_event *event)
{
	uint64_t now = now_of(event), bytes = event->bytes > 0 ? (uint64_t)event->bytes : 0;

	if (replay->messages == 0)
		replay->begin_ns = now;
	count_message(replay, association, event, now, bytes);
	for (size_t i = 0; i < replay->count; i++) {
		policy_account(replay->policies[i].policy, association->verdicts[i].state,
			       association->socket->states[i], now, bytes);
		if (!association->verdicts[i].peeled)
			replay->policies[i].shared_bytes += bytes;
	}
	judge_all(replay, association, event, now);
	association->previous_ns = now;
	if (replay->suggesting)
		suggest_add(replay, association, now, event);
}

static void add_state(struct replay *replay, struct replay_association *association,
		      const struct trace_event *event)
{
	if (trace_text_is(event->state, "up")) {
		association->first_ns = association->previous_ns = now_of(event);
		if (trace_text_is(event->by, "COMM_UP"))
			judge_all(replay, association, event, now_of(event));
		return;
	}
	if (association->ended ||
	    !(trace_text_is(event->state, "down") || trace_text_is(event->state, "moved")))
		return;
	association->ended = true;
	for (size_t i = 0; i < replay->count; i++) {
		if (!association->verdicts[i].peeled)
			continue;
		association->socket->peeled[i]--;
		replay->policies[i].peeled--;
	}
}

/* What the shim said, where it had the same policy. */
static void compare_one(struct replay_policy *policy, struct replay_verdict *verdict,
			const struct trace_event *event)
{
	enum policy_verdict said =
		trace_text_is(event->verdict, "keep") ? POLICY_KEEP : POLICY_PEEL;
	int64_t rule = event->rule_index < 0 ? 0 : event->rule_index;
	bool same = verdict->told && verdict->verdict == said && verdict->rule + 1 == rule &&
		    verdict->msgs == event->input.msgs;

	/* what was held, or only observed, is judged again there; here it is gone */
	if (verdict->agreed && event->input.msgs > verdict->peel_msgs)
		return;
	verdict->agreed = same && verdict->peeled;
	policy->compared++;
	policy->different += !same;
}

static void compare(struct replay *replay, struct replay_association *association,
		    const struct trace_event *event)
{
	for (size_t i = 0; i < replay->count; i++)
		if (trace_text_is(event->policy_hash, policy_hash(replay->policies[i].policy)))
			compare_one(&replay->policies[i], &association->verdicts[i], event);
}

void replay_add(struct replay *replay, const struct trace_event *event)
{
	struct replay_process *process = process_of(replay, event);
	struct replay_association *association;

	if (process == NULL || event->assoc_id < 0 ||
	    (event->kind != EVENT_MSG && event->kind != EVENT_ASSOC &&
	     event->kind != EVENT_DECISION))
		return;
	association = association_of(replay, process, event);
	if (association == NULL)
		return;
	if (event->kind == EVENT_MSG)
		add_message(replay, association, event);
	else if (event->kind == EVENT_ASSOC)
		add_state(replay, association, event);
	else
		compare(replay, association, event);
}

static void free_association(const struct replay *replay, struct replay_association *association)
{
	for (size_t i = 0; i < replay->count; i++)
		free(association->verdicts[i].state);
	free(association);
}

static void free_socket(const struct replay *replay, struct replay_socket *socket)
{
	for (size_t i = 0; socket->states != NULL && i < replay->count; i++)
		free(socket->states[i]);
	free(socket->states);
	free(socket->peeled);
	free(socket->blame);
	free(socket);
}

/* HASH_CLEAR leaves the list of the elements as it was. */
void replay_free(struct replay *replay)
{
	struct replay_association *association = replay->associations, *next_association;
	struct replay_socket *socket = replay->sockets, *next_socket;
	struct replay_process *process = replay->processes, *next_process;

	HASH_CLEAR(hh, replay->associations);
	HASH_CLEAR(hh, replay->sockets);
	HASH_CLEAR(hh, replay->processes);
	for (; association != NULL; association = next_association) {
		next_association = association->hh.next;
		free_association(replay, association);
	}
	for (; socket != NULL; socket = next_socket) {
		next_socket = socket->hh.next;
		free_socket(replay, socket);
	}
	for (; process != NULL; process = next_process) {
		next_process = process->hh.next;
		free(process);
	}
}
