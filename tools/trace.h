/* SPDX-License-Identifier: MIT */
/*
 * trace: the events of JSON Lines traces, one after the other, in bounded memory.
 *
 * What cannot be read is told with its place, counted, and passed over.
 */
#ifndef SCTPEEL_TRACE_H
#define SCTPEEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/events.h"

/* Bytes that others made, not terminated; length 0: not there. */
struct trace_text {
	const char *at;
	size_t length;
};

/* One event, as struct event. Unset numbers are -1. Texts last until the next event is read. */
struct trace_event {
	enum event_kind kind;
	uint64_t mono_ns, seq;
	int64_t pid;
	struct trace_text ts, program;
	int64_t fd, assoc_id, stream, ppid, peer_port, local_port;
	struct trace_text peer, local;
	struct trace_text policy_hash, rule, mode, verdict, reason, state, by, detail, call;
	int64_t rule_index; /* 1-based */
	int64_t bytes, wait_ns, flags;
	bool has_input, has_effect;
	struct {
		uint64_t bytes, msgs, age_ns, assocs, peeled, now_ns, idle_ns, sndblocked;
	} input;
	struct {
		int64_t fd, error, latency_ns, queued;
	} effect;
	uint64_t dropped;		   /* drop */
	struct trace_text version, policy; /* start: SCTPEEL_POLICY, as it was given */
};

struct trace_counts {
	uint64_t lines, events, unreadable;
	uint64_t unknown; /* events of kinds that a later version has */
};

struct trace;

/*
 * Opens the files one after the other; one that was rotated is read with its ".1" first. "-" is
 * standard input. NULL after a message when one of them cannot be opened; *ret_status says why.
 */
struct trace *trace_open(const char *command, char *const *paths, int count, int *ret_status);
/* False at the end of the last file, or when one cannot be read on. */
bool trace_next(struct trace *trace, struct trace_event *ret);
const struct trace_counts *trace_counts(const struct trace *trace);
/* After the end: says how much was left out. 0; EX_DATAERR when no event was found, EX_IOERR. */
int trace_end(struct trace *trace);
void trace_close(struct trace *trace);

bool trace_text_is(struct trace_text text, const char *word);
/* "2026-01-02T03:04:05.123456789Z" in ns since 1970, or -1. */
int64_t trace_time(struct trace_text text);

#endif
