/* SPDX-License-Identifier: MIT */
/*
 * newcomer: an association that the original tells of for the first time.
 *
 * Its peer may come back: then one of its own has been peeled off and has ended, and on one socket
 * that end is told before the new beginning.
 */
#ifndef SCTPEEL_NEWCOMER_H
#define SCTPEEL_NEWCOMER_H

#include "endpoint.h"

/*
 * The source that has to be received from before the original, taken out of its queue; NULL: the
 * original's next message is of nobody new, or nobody stands before it. `fd` is the original; the
 * endpoint's lock is held.
 */
struct source *newcomer_waits_for(struct endpoint *endpoint, int fd, uint64_t now);

#endif
