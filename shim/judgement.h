/* SPDX-License-Identifier: MIT */
/*
 * judgement: asks the policy about an association, and looks for what stands against a peel.
 *
 * All obstacles are known here and nowhere else (DESIGN.md 4). An association that a rule wants
 * peeled and an obstacle keeps is on `hold`; the reason is told once.
 */
#ifndef SCTPEEL_JUDGEMENT_H
#define SCTPEEL_JUDGEMENT_H

#include "ancillary.h"
#include "endpoint.h"

/* What the policy said of an association, to be told and done without the lock. */
struct judgement {
	bool tell, act;
	uint8_t verdict; /* enum association_verdict */
	sctp_assoc_t id;
	const char *held; /* what stands against the peel */
	struct received received;
	struct peer_address peer;
	uint64_t now, first_seen_ns, idle_ns, bytes, msgs;
	uint32_t assocs, peeled;
	struct policy_result result;
};

/*
 * A message or COMM_UP of a shared association came on `fd`: asks the policy. Lock held. Fills *ret
 * only when there is something to tell or to do (ret->tell, ret->act).
 */
void judge(struct endpoint *endpoint, int fd, struct association *association,
	   const struct received *received, uint64_t now, struct judgement *ret);

#endif
