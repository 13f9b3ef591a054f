/* SPDX-License-Identifier: MIT */
/*
 * subscriptions: SCTP_EVENTS and SCTP_EVENT on an endpoint (RFC 6458 6.2).
 *
 * The shim needs SCTP_ASSOC_CHANGE of every association that it has peeled off; what the program
 * asked for decides what the program sees.
 */
#ifndef SCTPEEL_SUBSCRIPTIONS_H
#define SCTPEEL_SUBSCRIPTIONS_H

#include "endpoint.h"

/* setsockopt(2) of SCTP_EVENTS, of SCTP_EVENT for no association in particular, and for a peeled
 * one. */
int subscription_set_events(struct endpoint *endpoint, int fd, const void *value, socklen_t len);
int subscription_set_event(struct endpoint *endpoint, int fd, const void *value, socklen_t len);
int subscription_set_event_of(struct endpoint *endpoint, struct association *association,
			      const void *value, socklen_t len);

#endif
