/* SPDX-License-Identifier: MIT */
/*
 * ending: a peeled association is over when its end is known and nothing that the program may see
 * is left to be read; and what the program may not see on the way there.
 */
#ifndef SCTPEEL_ENDING_H
#define SCTPEEL_ENDING_H

#include "ancillary.h"
#include "endpoint.h"

/*
 * Did this notification come because of us alone? `take`: it is read now, not only looked at. Lock
 * held.
 */
bool ending_hides(struct association *association, const struct received *got, bool take);
/* Reads a notification that the program may not see, or what of it did not fit the program's room.
 */
void ending_drain(int fd);
/*
 * Takes away what stands first and the program may not see, and closes the descriptor if it has
 * ended and nothing else is there; else its turn is next. While other receives are inside, the last
 * of them does that when it leaves (QUEUE_DEFERRED): what it reads could be what was looked at.
 * Lock held.
 */
void ending_look(struct endpoint *endpoint, struct association *association);
/* Does something stand first that the program may see? If not, ending_look has been there. */
bool ending_shows(struct endpoint *endpoint, struct association *association);
/* A receive has left it, and what it read is settled. Lock held. */
void ending_left(struct endpoint *endpoint, struct association *association);
/* Another process has said so. Lock held. */
void ending_told(struct endpoint *endpoint, struct association *association);
/* A call met it ended. Takes the lock; errno is kept. */
void ending_met(struct endpoint *endpoint, struct association *association);

/*
 * Where processes share the endpoint one may have been killed that had taken the notification of
 * the end, before it told the others: looks for the end itself. The endpoint's lock is held.
 */
void ending_check(struct endpoint *endpoint, struct association *association);

#endif
