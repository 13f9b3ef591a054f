/* SPDX-License-Identifier: MIT */
/*
 * source_queue: which of an endpoint's sources is next.
 *
 * The hub (an epoll set, level-triggered) tells which sources are readable; a look at it fills two
 * queues: sources that were not readable at the look before (fresh) are served first, one message
 * each, as fq_codel does with sparse flows; the others (busy) share round-robin, a quantum each,
 * and between two of them the original has its turn, weighted by the associations on it. The next
 * look is taken after LOOK_MESSAGES messages or some 50 us, and 5 more for each source that was
 * found, so that what became readable meanwhile waits no longer than that. All functions want the
 * endpoint's lock held unless they say otherwise.
 */
#ifndef SCTPEEL_SOURCE_QUEUE_H
#define SCTPEEL_SOURCE_QUEUE_H

#include "endpoint.h"

/*
 * Makes the hub if there is none yet, or only that of a fork parent, with the original `fd` in it.
 * No lock held by the caller. 0, or -errno; -ENOTSUP when the policy never peels, so that a hub
 * would be of no use.
 */
int fanin_hub(struct endpoint *endpoint, int fd);
/* Processes share it from now on: wakes one of them for a message, and this one for news. */
void fanin_share(struct endpoint *endpoint, int fd);
/* Epoll sets of the program are shared as well: news must not keep them awake. Lock held. */
void fanin_leave_mail(struct endpoint *endpoint);
/* Can one more join? Asked with any descriptor that is not in the hub. 0, or -errno. */
int fanin_room(struct endpoint *endpoint, int fd);
/* A peeled descriptor joins and leaves the hub and the queues. 0, or -errno. */
int fanin_join(struct endpoint *endpoint, struct source *source);
void fanin_leave(struct endpoint *endpoint, struct source *source);

/*
 * The source whose turn it is; it stays out of the queues until the next look unless it keeps its
 * turn. NULL: none is readable. *looks counts looks of this call: one that finds nothing is final.
 */
struct source *queue_choose(struct endpoint *endpoint, uint64_t now, int *looks);
/*
 * Sleeps, no lock held, until a source is readable, and queues what is: one call where a look, a
 * sleep and another look would be three. 0; -EINTR; -EAGAIN: not now (something is queued or
 * bound, no hub, or the hub fails), look and wait one after the other. `restarts`: whatever
 * interrupts it, it is to be called again.
 */
int queue_sleep(struct endpoint *endpoint, bool restarts);
/* Looks again, so that what the hub had to say of the mailbox is heard. */
void queue_refresh(struct endpoint *endpoint);
/* Are there others whose turn will come without another look? */
bool queue_has_others(const struct endpoint *endpoint);
/*
 * Takes a readable source out whose association has ended, after a look; NULL: there is none among
 * the first of them, as many as a look tells.
 */
struct source *queue_take_ended(struct endpoint *endpoint, uint64_t now);
/* It gave a message. */
void queue_served(struct endpoint *endpoint, struct source *source);
/* It gave something that did not count: stays first. */
void queue_keep(struct endpoint *endpoint, struct source *source);
/* It has nothing more. */
void queue_remove(struct endpoint *endpoint, struct source *source);

#endif
