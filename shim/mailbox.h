/* SPDX-License-Identifier: MIT */
/*
 * mailbox: how peeled descriptors reach the other processes that share the endpoint.
 *
 * One stream of letters for all of them, with the descriptors in it (SCM_RIGHTS). Each reads it by
 * looking (MSG_PEEK at its own offset, SO_PEEK_OFF in socket(7)) and takes nothing out, so one that
 * never reads stands in nobody's way, and one that reads late finds all. What is over is taken out
 * from time to time by whoever finds that most of it is, after what still lives has been put in
 * again behind it.
 */
#ifndef SCTPEEL_MAILBOX_H
#define SCTPEEL_MAILBOX_H

#include "commons.h"

enum letter_kind {
	LETTER_PEELED = 1, /* with its descriptor */
	LETTER_ENDED,	   /* the association is over, and its queue read to the end */
	LETTER_MOVED,	   /* the program took its descriptor for itself */
	LETTER_WISHES,	   /* the program has changed what it wants to hear of it */
	LETTER_BEGUN,	   /* with its descriptor as the kernel gave it: whoever is killed before it
			      has made it LETTER_PEELED does not take the association with it */
};

struct letter {
	uint64_t at; /* where in the stream it begins */
	uint32_t kind;
	sctp_assoc_t id;
	uint32_t descriptor; /* which of those that come with it */
	uint32_t hides_changes;
	struct peer_address peer;
	uint64_t reserved;
};

/* Makes it. The endpoint's lock is held. False: no descriptors for it. */
bool mailbox_make(struct endpoint *endpoint);
void mailbox_close(struct endpoint *endpoint);

/* Has another process written since this one read last? No lock needed. */
static inline bool mailbox_has_news(const struct endpoint *endpoint)
{
	const struct commons *commons = GLANCE(endpoint->commons);

	return unlikely(commons != NULL) && GLANCE(commons->posted) != GLANCE(endpoint->read);
}

/* All below want the endpoint's lock held. */

/* Is there room for the letter of one more peel? It cannot be undone when there is none. */
bool mailbox_has_room(struct endpoint *endpoint);
/* Would the kernel take the letters of a peel now (ETOOMANYREFS, unix(7))? 0, or an errno. */
int mailbox_rehearse(int fd);
/* Tells the others; fd -1: no descriptor. 0, or -errno. */
int mailbox_post(struct endpoint *endpoint, enum letter_kind kind,
		 const struct association *association);
/* LETTER_BEGUN, for a descriptor that no record has yet. 0, or -errno. */
int mailbox_post_begun(struct endpoint *endpoint, sctp_assoc_t id, int fd, bool hides_changes);
/* The descriptor of the LETTER_BEGUN that endpoint->begun_at tells; -ENOENT: it has been taken out,
 * for the peel is over; -errno: not now. */
int mailbox_fetch_begun(struct endpoint *endpoint);
/*
 * The next letter for this process, with the descriptor that comes with it or -1 in *ret_fd: 1. 0:
 * there is none. -errno: not now; the letter stays. What was missed because it was taken out
 * is put in again behind; *ret_missed is then true: what ended meanwhile must be looked for.
 */
int mailbox_read(struct endpoint *endpoint, struct letter *ret, int *ret_fd, bool *ret_missed);
/* Takes out what is over, if that is most and this process has read all. */
void mailbox_tidy(struct endpoint *endpoint);

#endif
