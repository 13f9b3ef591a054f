/* SPDX-License-Identifier: MIT */
#include "ending.h"

#include <errno.h>

#include "binding.h"
#include "mailbox.h"
#include "peel.h"
#include "source_queue.h"

void ending_drain(int fd)
{
	char rest[256];
	struct iovec iov = {rest, sizeof(rest)};
	struct msghdr msg;

	do
		msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	while (libc.recvmsg(fd, &msg, MSG_DONTWAIT) > 0 && !(msg.msg_flags & MSG_EOR));
}

bool ending_hides(struct association *association, const struct received *got, bool take)
{
	if (got->notification == SCTP_ASSOC_CHANGE)
		return association->hides_changes;
	if (got->notification != SCTP_SENDER_DRY_EVENT || association->hides_dry == 0)
		return false;
	association->hides_dry -= take;
	return true;
}

enum { MOST_ERRORS = 8 };

/* What stands first is the rest of what the program has begun to read, whatever it looks like. */
static bool is_half_read(const struct endpoint *endpoint, const struct association *association)
{
	return endpoint->bound == &association->source && !endpoint->bound_by_peek &&
	       endpoint->half_notification;
}

/* True when something that the program may see stands first; what stands before that is gone then.
 */
static bool has_visible(const struct endpoint *endpoint, struct association *association)
{
	char bytes[sizeof(struct sctp_assoc_change)];
	struct iovec iov = {bytes, sizeof(bytes)};
	int errors = 0;

	for (;;) {
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = libc.recvmsg(association->source.fd, &msg, MSG_PEEK | MSG_DONTWAIT);
		struct received got;

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return false;
		/* an error that the end left behind is told once (KERNEL.md 4) */
		if (n < 0 && ++errors > MOST_ERRORS)
			return false;
		if (n < 0)
			continue;
		ancillary_read(&msg, (size_t)n, &got);
		if (is_half_read(endpoint, association) || !ending_hides(association, &got, true))
			return n > 0;
		ending_drain(association->source.fd);
	}
}

/* True: others are inside, and the last of them does it. Nobody is let in until then. */
static bool defer(struct endpoint *endpoint, struct association *association)
{
	struct source *source = &association->source;

	if (association->readers == 0) {
		if (source->queue == QUEUE_DEFERRED)
			source->queue = QUEUE_NONE;
		return false;
	}
	queue_remove(endpoint, source);
	binding_leave(endpoint, source);
	source->queue = QUEUE_DEFERRED;
	return true;
}

void ending_look(struct endpoint *endpoint, struct association *association)
{
	bool visible;

	if (association->retired || defer(endpoint, association))
		return;
	visible = has_visible(endpoint, association);
	/*
	 * Its end may have come while it was looked at, and have been drained with what it hides;
	 * or after that, with more before it. What came before an end is there once that is known.
	 */
	if (!visible && !association->ended) {
		association->ended = !peel_alive(association->source.fd, association->id);
		visible = association->ended && has_visible(endpoint, association);
	}
	if (!visible && association->ended) {
		if (endpoint->commons)
			(void)mailbox_post(endpoint, LETTER_ENDED, association);
		peel_retire(endpoint, association);
	} else {
		queue_keep(endpoint, &association->source);
	}
}

bool ending_shows(struct endpoint *endpoint, struct association *association)
{
	/* what others inside read could be what is looked at */
	if (association->readers > 0 || has_visible(endpoint, association))
		return true;
	ending_look(endpoint, association);
	return false;
}

void ending_left(struct endpoint *endpoint, struct association *association)
{
	if (association->readers == 0 && association->source.queue == QUEUE_DEFERRED)
		ending_look(endpoint, association);
}

void ending_told(struct endpoint *endpoint, struct association *association)
{
	association->ended = true;
	if (association->retired || defer(endpoint, association))
		return;
	if (!has_visible(endpoint, association))
		peel_retire(endpoint, association);
}

void ending_met(struct endpoint *endpoint, struct association *association)
{
	int kept = errno;

	if (lock_take(&endpoint->lock)) {
		association->ended = true;
		ending_look(endpoint, association);
		lock_release(&endpoint->lock);
	}
	errno = kept;
}

void ending_check(struct endpoint *endpoint, struct association *association)
{
	if (association->retired || peel_alive(association->source.fd, association->id))
		return;
	association->ended = true;
	ending_look(endpoint, association);
}
