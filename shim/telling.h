/* SPDX-License-Identifier: MIT */
/*
 * telling: what happened to associations, as events.
 *
 * For the trace, the live page and the probes. Each function does nothing, at the cost of a branch,
 * when nobody wants its kind. The endpoint's lock is held where an association is given, and
 * not where an endpoint is given without one.
 */
#ifndef SCTPEEL_TELLING_H
#define SCTPEEL_TELLING_H

#include "endpoint.h"
#include "judgement.h"

/* down, restart, moved */
void tell_state(struct endpoint *endpoint, struct association *association, const char *state);
/* It is known from now on; `received` is what it was seen by. */
void tell_up(struct endpoint *endpoint, struct association *association,
	     const struct received *received);
/* Before last_seen_ns becomes `now`. */
void tell_message(struct endpoint *endpoint, struct association *association,
		  const struct received *received, uint64_t size, uint64_t now);
/* `number` is the hidden descriptor, -1 when there is none. */
void tell_decision(struct endpoint *endpoint, int fd, const struct judgement *judgement, int number,
		   int error, uint64_t latency_ns);
void tell_peel(struct endpoint *endpoint, int fd, const struct judgement *judgement, int number,
	       int error, uint64_t latency_ns);
/* The program's own peel; `number` is what it got. */
void tell_program(int fd, sctp_assoc_t id, int number, int error, unsigned int flags,
		  uint64_t latency_ns);
void tell_error(sctp_assoc_t id, const char *what, int error);
/* A call that was routed to a peeled descriptor. */
void tell_call(int fd, sctp_assoc_t id, const char *call);

#endif
