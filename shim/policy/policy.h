/* SPDX-License-Identifier: MIT */
/*
 * policy: which associations are to be peeled off.
 *
 * Pure code: no I/O, no clock, no sockets. The caller brings the numbers (struct policy_input) and
 * the time; so the shim, `sctpeel check` and `sctpeel simulate` reach the same verdicts. A compiled
 * policy is immutable and may be read by many threads; the states belong to the caller, who also
 * brings the locking.
 */
#ifndef SCTPEEL_POLICY_H
#define SCTPEEL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

struct policy;

/* What was wrong with a policy text, ready to be shown under it. */
struct policy_error {
	int rule;	   /* 1-based; 0 when no rule is concerned */
	size_t line_start; /* offset of the faulty line in the text */
	size_t line_len;
	size_t column; /* of the fault in that line, 0-based, in bytes */
	size_t len;    /* how much to underline, at least 1 */
	char message[160];
};

enum policy_verdict { POLICY_KEEP, POLICY_PEEL };

/*
 * What the shim knows of an association when a message arrived. Sizes in bytes, times in
 * nanoseconds. The figures that the kernel must be asked for are fetched through `ask`, at most
 * once in an evaluation, and only when the verdict (or a `for`) depends on them.
 *
 * A predicate on something unknown is false, and so is its negation: `not ppid 60` does not hold
 * before the first message, so that nobody is peeled for what is not known.
 */
struct policy_kernel_figures {
	uint64_t rwnd, unacked, pending, srtt_ns, cwnd; /* SCTP_STATUS */
	uint64_t retrans, outofseq;			/* SCTP_GET_ASSOC_STATS */
};

struct policy_input {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint64_t first_seen_ns;
	uint64_t previous_ns; /* of the message before this one, 0: none; idle = now - previous */
	uint64_t bytes, msgs; /* received so far, this message included */
	uint64_t sndblocked;
	uint32_t assocs, peeled; /* on this socket */
	uint16_t stream;	 /* of the message being received */
	uint32_t ppid;		 /* host byte order */
	bool has_message; /* false: first sight by notification; stream and ppid match nothing */
	const struct sockaddr *peer, *local; /* NULL: unknown, matches nothing */
	/* Fills *ret; false when the kernel did not answer: unknown then. NULL allowed. */
	bool (*ask)(void *context, bool stats, struct policy_kernel_figures *ret);
	void *context;
};

struct policy_result {
	enum policy_verdict verdict;
	int rule;     /* 0-based index of the rule that matched, -1: none did */
	bool pending; /* a `for` is running: the answer may change as time passes */
	/* "rate(5s)=12582912 > 10485760 for 3.2s", "bytes=3 < 1M", "no rule matches" */
	char reason[120];
};

/*
 * Compiles `text` (rules, or one of the presets none, all, volume). Returns NULL and fills *err
 * on a mistake or (message "out of memory") for want of memory. @FILE is the caller's business.
 */
struct policy *policy_parse(const char *text, struct policy_error *err);
void policy_free(struct policy *policy);

/* True when no rule can ever peel: the shim then needs neither counting nor a hub. */
bool policy_never_peels(const struct policy *policy);
/* Number of rules, and name of rule i ("bulk"; "#2" for the second when it has none). */
int policy_rules(const struct policy *policy);
const char *policy_rule_name(const struct policy *policy, int rule);
/* 8 hex digits: FNV-1a 64 of the canonical form, folded to 32 bits. Valid as long as the policy. */
const char *policy_hash(const struct policy *policy);

/*
 * Bytes of state that the caller keeps, zeroed at first, one for each association and one for
 * each socket (windows for share). Multiples of 8; 0 when no rule needs any.
 */
size_t policy_assoc_state_size(const struct policy *policy);
size_t policy_socket_state_size(const struct policy *policy);

/* Counts one message of `bytes` in the windows of both states. O(number of windows), no allocation.
 */
void policy_account(const struct policy *policy, void *assoc_state, void *socket_state,
		    uint64_t now_ns, uint64_t bytes);
/*
 * First matching rule wins. Updates the `for` timers in assoc_state. No allocation,
 * async-signal-safe. With `ret->reason` filled only if want_reason (formatting costs more than the
 * verdict).
 */
void policy_evaluate(const struct policy *policy, void *assoc_state, void *socket_state,
		     const struct policy_input *input, bool want_reason, struct policy_result *ret);

/* Canonical form (parses back to the same policy), one rule a line; and each rule in plain words.
 */
void policy_print(const struct policy *policy, FILE *to);
void policy_explain(const struct policy *policy, FILE *to);
/*
 * Prints the mistake with its place, two-line caret form of INTERFACE.md:
 *   sctpeel: WHERE: rule 1: unknown field 'byts' (did you mean 'bytes'?)
 *     peel if byts >= 1M
 *             ^^^^
 * (with ":LINE:COLUMN" after WHERE when the text has several lines), newline included,
 * as one string into buf (always terminated), for a single write by the caller.
 */
void policy_error_format(const struct policy_error *err, const char *where, const char *text,
			 char *buf, size_t size);
/* Presets, fields with units, operators and examples: the body of SCTPEEL_POLICY=help. */
const char *policy_help(void);
/* Nearest of the NULL-terminated `names` to `word` (edit distance <= 2 and less than half of it),
 * or NULL. */
const char *policy_nearest(const char *word, const char *const *names);

#endif
