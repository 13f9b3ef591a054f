/* SPDX-License-Identifier: MIT */
/* history: its end, and what is asked of it then. */
#include <stdlib.h>

#include "history_parts.h"

void history_end_waits(struct history_association *association)
{
	if (association->others_before != NULL && association->others_after == NULL &&
	    association->own != NULL && association->mark != NULL) {
		struct spread *after = malloc(sizeof(*after));

		if (after != NULL) {
			*after = association->socket->all;
			spread_take(after, association->mark);
			spread_take(after, association->own);
		}
		association->others_after = after;
	}
	free(association->own);
	free(association->mark);
	association->own = association->mark = NULL;
}

/* Each number of a sequence is in a line, or was told as dropped, or is missing. */
static uint64_t missing_of(const struct history_process *process)
{
	uint64_t wanted = process->last_seq - process->first_seq + 1;
	uint64_t have = process->events + process->dropped;

	return wanted > have ? wanted - have : 0;
}

void history_finish(struct history *history)
{
	for (struct history_process *process = history->first; process != NULL;
	     process = process->next) {
		history->missing += missing_of(process);
		history->dropped += process->dropped;
	}
	for (struct history_association *a = history->associations; a != NULL; a = a->hh.next) {
		history_widen(a, history->bin_shift);
		history_end_waits(a);
	}
}

static int compare(const void *left, const void *right)
{
	const struct history_association *a = *(struct history_association *const *)left;
	const struct history_association *b = *(struct history_association *const *)right;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	return a->key.number < b->key.number ? -1 : a->key.number > b->key.number;
}

struct history_association **history_heaviest(const struct history *history, size_t *ret_count)
{
	size_t count = HASH_COUNT(history->associations), n = 0;
	struct history_association **ret =
		count ? calloc(count, sizeof(struct history_association *)) : NULL;

	*ret_count = ret ? count : 0;
	if (ret == NULL)
		return NULL;
	for (struct history_association *a = history->associations; a != NULL; a = a->hh.next)
		ret[n++] = a;
	qsort(ret, n, sizeof(struct history_association *), compare);
	return ret;
}

void history_waits(const struct history *history, struct spread ret[WAIT_KINDS])
{
	memset(ret, 0, WAIT_KINDS * sizeof(*ret));
	for (const struct history_socket *socket = history->sockets; socket != NULL;
	     socket = socket->hh.next)
		for (int kind = 0; kind < WAIT_KINDS; kind++)
			spread_join(&ret[kind], &socket->waits[kind]);
}

static void free_association(struct history_association *association)
{
	free(association->peer);
	free(association->rule);
	free(association->reason);
	free(association->held);
	free(association->own);
	free(association->mark);
	free(association->others_before);
	free(association->others_after);
	free(association);
}

static void free_policy(struct history_policy *policy)
{
	for (size_t i = 0; i < policy->count; i++)
		free(policy->rules[i].name);
	free(policy->rules);
	free(policy->hash);
	free(policy->text);
	free(policy);
}

static void free_counts(struct history_count *counts)
{
	struct history_count *count = counts, *next;

	HASH_CLEAR(hh, counts);
	for (; count != NULL; count = next) {
		next = count->hh.next;
		free(count->what);
		free(count);
	}
}

static void free_process(struct history_process *process)
{
	free(process->program);
	free(process->version);
	free(process->mode);
	free(process);
}

/* HASH_CLEAR leaves the list of the elements as it was. */
void history_free(struct history *history)
{
	struct history_association *association = history->associations, *next_association;
	struct history_socket *socket = history->sockets, *next_socket;
	struct history_policy *policy = history->policies, *next_policy;

	HASH_CLEAR(hh, history->associations);
	HASH_CLEAR(hh, history->sockets);
	HASH_CLEAR(hh, history->policies);
	HASH_CLEAR(hh, history->processes);
	for (; association != NULL; association = next_association) {
		next_association = association->hh.next;
		free_association(association);
	}
	for (; socket != NULL; socket = next_socket) {
		next_socket = socket->hh.next;
		free(socket);
	}
	for (; policy != NULL; policy = next_policy) {
		next_policy = policy->hh.next;
		free_policy(policy);
	}
	for (struct history_process *process = history->first, *next; process; process = next) {
		next = process->next;
		free_process(process);
	}
	free_counts(history->held);
	free_counts(history->refused);
	free_counts(history->errors);
}
