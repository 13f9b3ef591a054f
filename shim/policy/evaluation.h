/* SPDX-License-Identifier: MIT */
/* evaluation: one look at an association through the rules. Private to shim/policy/. */
#ifndef SCTPEEL_POLICY_EVALUATION_H
#define SCTPEEL_POLICY_EVALUATION_H

#include "rules.h"
#include "window.h"

/* Where a leaf's value comes from: a field without a window, by its number, or one of these. */
enum source { SOURCE_WINDOW_SUM = FIELDS, SOURCE_WINDOW_RATE, SOURCE_SHARE };

/* The answers of the kernel, asked for at most once each. */
struct asked {
	bool asked, answered;
	struct policy_kernel_figures figures;
};

struct evaluation {
	const struct policy *policy;
	const struct window *windows, *socket_windows;
	uint64_t *timers;
	const struct policy_input *input;
	struct asked status, stats;
};

/* The leaf's value now; false when it is not known, and the leaf then holds neither way. */
bool evaluation_value(struct evaluation *evaluation, const struct leaf *leaf, uint64_t *ret);
bool evaluation_address(const struct evaluation *evaluation, const struct leaf *leaf,
			struct address *ret);
bool evaluation_holds(struct evaluation *evaluation, const struct leaf *leaf);
/* How long the rule's condition has held, 0 when it does not hold. */
uint64_t evaluation_held(const struct evaluation *evaluation, const struct rule *rule);

/* reason.c: why the result is what it is, into result->reason. */
void reason_write(struct evaluation *evaluation, struct policy_result *result);

#endif
