/* SPDX-License-Identifier: MIT */
/*
 * replay: recorded messages through the shim's own policy code, for several policies at once.
 *
 * It follows judgement.c: what is peeled off is accounted and no longer judged. What the trace does
 * not have (what stood against a peel, what the kernel would have answered) is not replayed.
 */
#ifndef SCTPEEL_REPLAY_H
#define SCTPEEL_REPLAY_H

#include <netinet/in.h>
#include <stdio.h>
#include <uthash.h>

#include "policy/policy.h"
#include "policy/window.h"
#include "trace.h"

struct replay_policy {
	struct policy *policy;
	const char *given; /* on the command line */
	uint64_t peels, peeled, peeled_most;
	uint64_t first_ns, shared_bytes; /* of the first peel since the begin; read before a peel */
	uint64_t compared, different;	 /* recorded decisions under the same policy */
	bool asked;			 /* a rule asks the kernel */
};

struct replay_key {
	int64_t process, number; /* a process is a pid since its start */
};

/* What a policy said of an association last. */
struct replay_verdict {
	enum policy_verdict verdict;
	bool told, peeled;
	bool agreed; /* the recorded run peeled, or wanted to, at the same message */
	int rule;
	uint64_t msgs;		     /* received when it was said */
	uint64_t peel_ns, peel_msgs; /* since the association was first seen */
	void *state;
};

struct replay_socket {
	struct replay_key key;
	uint32_t *peeled; /* for each policy */
	void **states;
	struct window window; /* bytes in a second: suggest.c */
	struct blame *blame;
	UT_hash_handle hh;
};

struct replay_association {
	struct replay_key key;
	int64_t pid;
	struct replay_socket *socket;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer, local;
	bool ended;
	uint64_t bytes, msgs, first_ns, previous_ns;
	/* suggest.c: for how long others waited while its messages were handled, and its figures */
	uint64_t blamed_ns, most_rate, most_msgrate, most_share;
	struct window rate, msgrate;
	UT_hash_handle hh;
	struct replay_verdict verdicts[];
};

struct replay_process {
	int64_t pid, serial;
	uint64_t events;
	UT_hash_handle hh;
};

struct replay {
	struct replay_policy *policies;
	size_t count;
	FILE *decisions; /* each change of a verdict goes there; NULL: nowhere */
	struct replay_association *associations, *latest;
	struct replay_socket *sockets;
	struct replay_process *processes, *latest_process;
	int64_t serial;
	uint64_t messages, bytes, begin_ns;
	uint64_t delayed, waited_ns; /* messages that waited for 1 ms or longer; suggest.c */
	bool has_waits, has_inputs, suggesting, out_of_memory;
};

void replay_add(struct replay *replay, const struct trace_event *event);
void replay_free(struct replay *replay);

/* Who was handled while this message waited. */
void suggest_add(struct replay *replay, struct replay_association *association, uint64_t now,
		 const struct trace_event *event);
/*
 * The smallest thresholds that part those who delayed others from the rest, at most `room` of them,
 * printed with the reasons. The texts are the caller's to free. How many.
 */
size_t suggest_print(const struct replay *replay, FILE *to, char **ret_policies, size_t room);

#endif
