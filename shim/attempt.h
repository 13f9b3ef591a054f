/* SPDX-License-Identifier: MIT */
/*
 * attempt: one try to receive from one source, and what comes of it.
 *
 * fanin.c chooses the source; here a message is received, accounted for, and hidden if it is none
 * of the program's.
 */
#ifndef SCTPEEL_ATTEMPT_H
#define SCTPEEL_ATTEMPT_H

#include "ancillary.h"
#include "judgement.h"

struct attempt {
	struct source *source;
	struct association *association; /* NULL: the original */
	uint32_t binding;		 /* endpoint->binding when it was chosen */
	bool goes_on;			 /* with the rest of a notification */
	int fd;
	ssize_t n;
	int error;
	struct received got;
	struct judgement judgement;
};

enum outcome { DELIVER, TRY_ON };
/* The program takes a message; it is shown the one that it will take; the shim alone looks. */
enum purpose { TAKE, SHOW, LOOK };

/* Receives into a control buffer of ours; `outer` gets its fields only if something came. No lock.
 */
void attempt_receive(struct endpoint *endpoint, struct attempt *attempt, struct msghdr *outer,
		     int flags);
/* It gave something. `msg` is what the program asked with. Lock held. */
enum outcome attempt_succeeded(struct endpoint *endpoint, struct attempt *attempt,
			       const struct msghdr *msg, enum purpose purpose, uint64_t now);
/* It gave nothing, or an error. Lock held. */
enum outcome attempt_failed(struct endpoint *endpoint, struct attempt *attempt);

#endif
