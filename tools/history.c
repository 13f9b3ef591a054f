/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history_parts.h"

static char *copy(struct trace_text text)
{
	return text.length > 0 ? strndup(text.at, text.length) : NULL;
}

static bool same(const char *have, struct trace_text text)
{
	return have != NULL && trace_text_is(text, have);
}

void history_set(char **at, struct trace_text text)
{
	if (text.length == 0 || same(*at, text))
		return;
	free(*at);
	*at = copy(text);
}

struct history_count *history_count(struct history_count **counts, struct trace_text what)
{
	struct history_count *count;

	HASH_FIND(hh, *counts, what.at, what.length, count);
	if (count == NULL) {
		count = calloc(1, sizeof(*count));
		if (count == NULL)
			return NULL;
		count->what = copy(what);
		if (count->what == NULL) {
			free(count);
			return NULL;
		}
		HASH_ADD_KEYPTR(hh, *counts, count->what, what.length, count);
	}
	count->events++;
	return count;
}

static struct history_process *new_process(struct history *history, const struct trace_event *event)
{
	struct history_process *process = calloc(1, sizeof(*process));
	int64_t ts = trace_time(event->ts);

	if (process == NULL)
		return NULL;
	process->pid = event->pid;
	process->first_seq = event->seq;
	process->offset_ns = ts >= 0 ? (int64_t)((uint64_t)ts - event->mono_ns) : 0;
	*(history->last ? &history->last->next : &history->first) = process;
	history->last = process;
	HASH_ADD(hh, history->processes, pid, sizeof(process->pid), process);
	return process;
}

/* A number that is used again begins with `start`, or with the first number of a sequence. */
static bool begins(const struct history_process *process, const struct trace_event *event)
{
	return event->kind == EVENT_START || (event->seq == 0 && process->events > 1);
}

/* One number far ahead is a damaged one; when the next is there too, much is missing. */
static void note_seq(struct history_process *process, uint64_t seq)
{
	const uint64_t far = 1000;
	bool leaps =
		process->events > 1 && seq > process->last_seq && seq - process->last_seq > far;

	if (seq > process->last_seq && (!leaps || process->leapt))
		process->last_seq = seq;
	process->leapt = leaps && !process->leapt;
}

static struct history_process *process_of(struct history *history, const struct trace_event *event)
{
	struct history_process *process = history->latest;

	if (process == NULL || process->pid != event->pid)
		HASH_FIND(hh, history->processes, &event->pid, sizeof(event->pid), process);
	if (process != NULL && begins(process, event)) {
		HASH_DELETE(hh, history->processes, process);
		process = NULL;
	}
	if (process == NULL)
		process = new_process(history, event);
	if (process == NULL)
		return NULL;
	history->latest = process;
	process->events++;
	note_seq(process, event->seq);
	if (event->seq < process->first_seq)
		process->first_seq = event->seq;
	if (process->program == NULL)
		process->program = copy(event->program);
	return process;
}

static struct history_socket *socket_of(struct history *history, struct history_key key)
{
	struct history_socket *found;

	HASH_FIND(hh, history->sockets, &key, sizeof(key), found);
	if (found == NULL) {
		found = calloc(1, sizeof(*found));
		if (found == NULL)
			return NULL;
		found->key = key;
		HASH_ADD(hh, history->sockets, key, sizeof(found->key), found);
	}
	return found;
}

/* What its socket had when it came, so that the others' waits in its time can be told. */
static void begin_waits(struct history_association *association)
{
	association->own = calloc(1, sizeof(struct spread));
	association->mark = malloc(sizeof(struct spread));
	if (association->mark != NULL)
		*association->mark = association->socket->all;
}

static struct history_association *new_association(struct history *history, struct history_key key,
						   struct history_socket *socket, int64_t time)
{
	struct history_association *association = calloc(1, sizeof(*association));

	if (association == NULL)
		return NULL;
	association->key = key;
	association->socket = socket;
	association->first_ns = association->last_ns = time;
	association->peeled_ns = association->condition_ns = association->delay_ns = -1;
	association->latency_ns = association->queued = -1;
	begin_waits(association);
	HASH_ADD(hh, history->associations, key, sizeof(association->key), association);
	return association;
}

static struct history_association *association_of(struct history *history,
						  struct history_process *process,
						  const struct trace_event *event, int64_t time)
{
	struct history_association *association = history->latest_association;
	struct history_key key = {process, event->assoc_id};
	struct history_socket *socket;

	if (association == NULL || association->key.process != process ||
	    association->key.number != event->assoc_id)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		HASH_FIND(hh, history->associations, &key, sizeof(key), association);
	if (association == NULL) {
		socket = socket_of(history, (struct history_key){process, event->fd});
		if (socket == NULL)
			return NULL;
		association = new_association(history, key, socket, time);
	}
	if (association == NULL)
		return NULL;
	history->latest_association = association;
	association->last_ns = time;
	if (association->peer == NULL && event->peer.length > 0 &&
	    asprintf(&association->peer,
		     memchr(event->peer.at, ':', event->peer.length) ? "[%.*s]:%" PRId64
								     : "%.*s:%" PRId64,
		     (int)event->peer.length, event->peer.at, event->peer_port) < 0)
		association->peer = NULL;
	return association;
}

/* Bins twice as wide, until the time is in one. */
static void bin_add(struct history *history, struct history_association *association, int64_t time,
		    uint64_t bytes)
{
	uint64_t since = time > history->begin_ns ? (uint64_t)(time - history->begin_ns) : 0;

	while (since >> history->bin_shift >= HISTORY_BINS)
		history->bin_shift++;
	history_widen(association, history->bin_shift);
	association->bins[since >> history->bin_shift] += bytes;
}

void history_widen(struct history_association *association, unsigned int shift)
{
	for (; association->bin_shift < shift; association->bin_shift++) {
		for (int i = 0; i < HISTORY_BINS / 2; i++)
			association->bins[i] =
				association->bins[2 * i] + association->bins[2 * i + 1];
		memset(&association->bins[HISTORY_BINS / 2], 0, sizeof(association->bins) / 2);
	}
}

static void add_message(struct history *history, struct history_association *association,
			const struct trace_event *event, int64_t time)
{
	struct history_socket *socket = association->socket;
	uint64_t bytes = event->bytes > 0 ? (uint64_t)event->bytes : 0;
	int kind = association->peeled ? WAIT_PEELED : socket->any_peel ? WAIT_SHARED : WAIT_BEFORE;

	history->messages++;
	history->bytes += bytes;
	if (event->has_input) {
		association->bytes = event->input.bytes;
		association->msgs = event->input.msgs;
	} else {
		association->bytes += bytes;
		association->msgs++;
	}
	association->latest_bytes += bytes;
	bin_add(history, association, time, bytes);
	if (event->wait_ns < 0)
		return;
	history->has_waits = true;
	spread_add(&socket->waits[kind], (uint64_t)event->wait_ns);
	spread_add(&socket->all, (uint64_t)event->wait_ns);
	if (association->own != NULL)
		spread_add(association->own, (uint64_t)event->wait_ns);
}

static void add_state(struct history *history, struct history_association *association,
		      const struct trace_event *event)
{
	if (event->has_input && event->input.msgs >= association->msgs) {
		association->bytes = event->input.bytes;
		association->msgs = event->input.msgs;
	}
	if (trace_text_is(event->state, "restart"))
		association->restarted = true;
	if (trace_text_is(event->state, "moved"))
		association->by_program = true;
	if (!trace_text_is(event->state, "down") && !trace_text_is(event->state, "moved"))
		return;
	if (association->peeled && !association->ended && history->peeled > 0)
		history->peeled--;
	association->ended = true;
	history_end_waits(association);
}

static void add_event(struct history *history, struct history_process *process,
		      const struct trace_event *event, int64_t time)
{
	struct history_association *association = NULL;

	if (event->assoc_id >= 0 && event->kind != EVENT_ERROR && event->kind != EVENT_CALL)
		association = association_of(history, process, event, time);
	if (event->kind == EVENT_START)
		history_add_start(history, process, event);
	else if (event->kind == EVENT_STOP)
		process->stopped = true;
	else if (event->kind == EVENT_DROP)
		process->dropped += event->dropped;
	else if (event->kind == EVENT_ERROR)
		history_count(&history->errors, event->detail);
	if (association == NULL)
		return;
	if (event->kind == EVENT_MSG)
		add_message(history, association, event, time);
	else if (event->kind == EVENT_ASSOC)
		add_state(history, association, event);
	else if (event->kind == EVENT_DECISION)
		history_add_decision(history, process, association, event, time);
	else if (event->kind == EVENT_PEEL)
		history_add_peel(history, association, event, time);
}

void history_add(struct history *history, const struct trace_event *event)
{
	struct history_process *process = process_of(history, event);
	int64_t time;

	if (process == NULL) {
		history->out_of_memory = true;
		return;
	}
	time = (int64_t)(event->mono_ns + (uint64_t)process->offset_ns);
	if (time < 0)
		time = 0;
	if (history->end_ns == 0)
		history->begin_ns = time;
	if (time > history->end_ns)
		history->end_ns = time;
	history->events[event->kind]++;
	add_event(history, process, event, time);
}
