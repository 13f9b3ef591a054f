/* SPDX-License-Identifier: MIT */
/*
 * history: what a trace tells, put together by process, socket, association and rule, in memory
 * that grows with these and not with the number of events.
 */
#ifndef SCTPEEL_HISTORY_H
#define SCTPEEL_HISTORY_H

#include <uthash.h>

#include "spread.h"
#include "trace.h"

enum { HISTORY_BINS = 64 };

struct history_rule {
	uint64_t peels, keeps, holds;
	char *name;
	bool can_peel;
};

/* Rules by their place in the policy. */
struct history_policy {
	char *hash, *text; /* text: NULL when the trace does not have it */
	size_t count;
	struct history_rule *rules;
	bool known; /* all rules are known, from the text */
	UT_hash_handle hh;
};

struct history_process {
	int64_t pid;
	char *program, *version, *mode;
	struct history_policy *policy;
	int64_t offset_ns; /* from its clock to the time of day */
	uint64_t first_seq, last_seq, events, dropped;
	bool stopped, leapt;
	struct history_process *next; /* all of them, in order of appearance */
	UT_hash_handle hh;	      /* those that go on, by pid */
};

struct history_key {
	const struct history_process *process;
	int64_t number; /* socket.fd or sctp.assoc.id */
};

/* How long messages waited in the socket. */
enum { WAIT_BEFORE, WAIT_SHARED, WAIT_PEELED, WAIT_KINDS };

struct history_socket {
	struct history_key key;
	bool any_peel;
	struct spread
		waits[WAIT_KINDS]; /* before the first peel; after it, of those left, and not */
	struct spread all;
	UT_hash_handle hh;
};

struct history_association {
	struct history_key key;
	struct history_socket *socket;
	char *peer;		    /* "192.0.2.7:9487"; NULL: not told */
	char *rule, *reason, *held; /* of the last verdict; of the last hold */
	char verdict;		    /* k, p, h; 0: none told */
	bool peeled, ended, restarted, by_program, refused_last;
	int64_t first_ns, last_ns, peeled_ns, condition_ns; /* time of day; -1 unknown */
	int64_t delay_ns;				    /* condition true to peeled */
	int64_t latency_ns, queued, error;
	uint64_t bytes, msgs, bytes_before, msgs_before;
	uint64_t holds, refusals;
	uint64_t latest_bytes;	   /* in the bins */
	struct spread *own, *mark; /* its messages' waits; all of its socket's at its begin */
	struct spread *others_before, *others_after;
	uint64_t bins[HISTORY_BINS];
	unsigned int bin_shift;
	UT_hash_handle hh;
};

/* How often a reason or an errno came. */
struct history_count {
	char *what;
	uint64_t events, associations;
	UT_hash_handle hh;
};

struct history {
	struct history_process *processes, *first, *last;
	struct history_socket *sockets;
	struct history_association *associations;
	struct history_policy *policies;
	struct history_count *held, *refused, *errors;
	int64_t begin_ns, end_ns;
	unsigned int bin_shift; /* a bin is 1 << bin_shift ns long, from begin_ns on */
	uint64_t events[EVENT_KINDS];
	uint64_t messages, bytes, dropped, missing, peeled, peeled_most, peels, program_peels;
	bool has_waits, out_of_memory;
	struct history_process *latest;
	struct history_association *latest_association;
};

void history_add(struct history *history, const struct trace_event *event);
/* No more events come: sums up. */
void history_finish(struct history *history);
void history_free(struct history *history);

/* The associations, those that received most first; the caller frees the array. NULL: none. */
struct history_association **history_heaviest(const struct history *history, size_t *ret_count);
/* Of all sockets. */
void history_waits(const struct history *history, struct spread ret[WAIT_KINDS]);
/* The policies' rules that no association matched: calls for each. */
void history_unmatched(const struct history *history,
		       void (*each)(void *context, const struct history_policy *policy,
				    const struct history_rule *rule),
		       void *context);

#endif
