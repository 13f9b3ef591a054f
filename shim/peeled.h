/* SPDX-License-Identifier: MIT */
/*
 * peeled: finding the descriptor that an association was peeled off into.
 *
 * Every association returned is pinned: its descriptor stays open until peel_unuse. None of these
 * wants the endpoint's lock held. While nothing is peeled they cost a load.
 */
#ifndef SCTPEEL_PEELED_H
#define SCTPEEL_PEELED_H

#include "endpoint.h"

struct association *peeled_by_id(struct endpoint *endpoint, sctp_assoc_t id);
struct association *peeled_by_address(struct endpoint *endpoint,
				      const struct peer_address *address);
/* Is it the address of an association that we know of, shared or peeled? */
bool peeled_knows_address(struct endpoint *endpoint, const struct peer_address *address);
/*
 * Asks the kernel for all addresses of the peeled associations that it has not been asked about
 * (one address each is known from their messages), or `again` for those of all: a peer may have
 * added some. True when something new was learnt.
 */
bool peeled_learn_addresses(struct endpoint *endpoint, bool again);
/* Next after `previous` (NULL: the first), which is unpinned; oldest first. */
struct association *peeled_next(struct endpoint *endpoint, struct association *previous);
/* The same, pinned only if the kernel still knows it; one that ended is unpinned and skipped. */
struct association *peeled_next_alive(struct endpoint *endpoint, struct association *previous);

#define FOR_EACH_PEELED(association, endpoint)                                           \
	for (struct association *association = peeled_next(endpoint, NULL); association; \
	     association = peeled_next(endpoint, association))

#endif
