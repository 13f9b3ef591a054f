/* SPDX-License-Identifier: MIT */
#include "newcomer.h"

#include <errno.h>

#include "ancillary.h"
#include "peel.h"
#include "source_queue.h"

/* Does the original's next message come from an association that we do not know yet? */
static bool is_next(const struct endpoint *endpoint, int fd, struct peer_address *peer)
{
	char control[ANCILLARY_SIZE] __attribute__((aligned(8)));
	char bytes[sizeof(struct sctp_assoc_change)];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct sockaddr_in6 name;
	struct msghdr msg = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct received got;
	ssize_t n = libc.recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return false;
	ancillary_read(&msg, (size_t)n, &got);
	*peer = got.peer;
	return got.id != 0 && !association_find(&endpoint->associations, got.id);
}

/* What it had before, if that is peeled off and over. */
static struct source *ended(struct endpoint *endpoint, const struct peer_address *peer)
{
	struct association *association = association_by_address(&endpoint->associations, peer);

	if (!association || !association_peeled(association) ||
	    association->source.queue == QUEUE_DEFERRED ||
	    peel_alive(association->source.fd, association->id))
		return NULL;
	association->ended = true;
	queue_remove(endpoint, &association->source);
	return &association->source;
}

struct source *newcomer_waits_for(struct endpoint *endpoint, int fd, uint64_t now)
{
	struct peer_address peer;
	struct source *ret;

	if (!is_next(endpoint, fd, &peer))
		return NULL;
	ret = ended(endpoint, &peer);
	/* it may come from another of its addresses */
	return ret ? ret : queue_take_ended(endpoint, now);
}
