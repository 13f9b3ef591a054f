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
 * True when something that the program may see stands first, lock held; what it may not see and
 * stands before that is gone then. While another receive is inside, that one looks at it.
 */
bool ending_has_visible(struct association *association);
/* It has ended: closes its descriptor unless there is something to be read. Lock held. */
void ending_reap(struct endpoint *endpoint, struct association *association);
/* Another process has said so. Lock held. */
void ending_told(struct endpoint *endpoint, struct association *association);
/* A call met it ended. Takes the lock; errno is kept. */
void ending_met(struct endpoint *endpoint, struct association *association);

#endif
