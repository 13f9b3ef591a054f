/* SPDX-License-Identifier: MIT */
/*
 * association: one association of an endpoint: who the peer is, what came in, where it lives.
 *
 * All functions want the endpoint's lock held, unless they say otherwise. Memory comes from the
 * endpoint's pools and stays valid until association_forget.
 */
#ifndef SCTPEEL_ASSOCIATION_H
#define SCTPEEL_ASSOCIATION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "libc.h"
#include "policy/policy.h"
#include "pool.h"

struct address_entry;

/* Something that messages can be received from: the original socket, or a peeled descriptor. */
struct source {
	struct source *next;		    /* in the queue that it is in */
	int fd __attribute__((aligned(8))); /* hidden number; -1: the original */
	uint32_t generation;		    /* of the last look at the hub that found it readable */
	uint8_t queue;			    /* enum source_queue */
};

/* QUEUE_DEFERRED: in none, and in none it comes until the last of its readers has left: ending.c */
enum source_queue { QUEUE_NONE, QUEUE_FRESH, QUEUE_BUSY, QUEUE_CURRENT, QUEUE_DEFERRED };

/* An address as the kernel compares them: v4-mapped is v4, and nothing but family, port, address.
 */
struct peer_address {
	uint8_t bytes[16];
	uint32_t scope;
	uint16_t port; /* network byte order */
	uint16_t family;
};

enum association_verdict { VERDICT_NONE, VERDICT_KEEP, VERDICT_PEEL, VERDICT_HOLD };

struct association {
	struct source source; /* source.fd >= 0: peeled */
	sctp_assoc_t id;
	uint32_t serial;  /* the endpoint's list is in this order */
	uint32_t users;	  /* calls that use source.fd at this moment; no lock held */
	uint32_t readers; /* receives among them */
	struct association *next_same_hash;
	struct address_entry *addresses;
	struct association *previous, *next; /* of the endpoint's, oldest first */
	uint64_t first_seen_ns, last_seen_ns;
	uint64_t bytes, msgs;
	uint64_t unfinished; /* bytes of a message whose end has not been read yet */
	uint64_t retry_ns;   /* no peel before this time: the kernel refused one */
	uint64_t tell_ns;    /* until when its next decision would come too soon */
	const char *held;    /* what stood against the peel last */
	struct policy_kernel_figures *figures; /* NULL until a rule asks */
	uint64_t figures_ns;
	uint32_t sndblocked;
	uint32_t live; /* its place in the live page */
	uint16_t refusals;
	int16_t rule;
	uint8_t verdict;    /* enum association_verdict: the last one told */
	uint8_t hides_dry;  /* SCTP_SENDER_DRY_EVENTs to come that one socket would not have had */
	bool hides_changes; /* SCTP_ASSOC_CHANGE is subscribed for us alone */
	bool ended;	    /* its last notification was read */
	bool retired;	    /* waits for its users to leave */
	bool blocked;	    /* a send found no room: POLLOUT waits for it */
	bool addresses_known;	  /* all of the peer's addresses are in the table */
	struct peer_address peer; /* family 0: unknown */
	uint64_t state[];	  /* the policy's */
};

static inline bool association_peeled(const struct association *association)
{
	return association->source.fd >= 0;
}

struct associations {
	struct association **by_id; /* hash, `size` heads */
	struct address_entry **by_address;
	uint32_t size, count, peeled, serial;
	struct association *first, *last;
	struct pool pool, address_pool, figures_pool;
};

void associations_init(struct associations *all, size_t state_size);
void associations_end(struct associations *all);

struct association *association_find(const struct associations *all, sctp_assoc_t id);
/* Shared (not peeled) and empty. NULL for want of memory. */
struct association *association_add(struct associations *all, sctp_assoc_t id, uint64_t now);
/* Takes it out of the tables; its memory stays until association_free. */
void association_unlink(struct associations *all, struct association *association);
void association_free(struct associations *all, struct association *association);

/* False when the address is neither IPv4 nor IPv6, or too short. Needs no lock. */
bool peer_address_from(struct peer_address *ret, const struct sockaddr *addr, socklen_t len);
/* The reverse, for people. Needs no lock. */
void peer_address_to(const struct peer_address *peer, struct sockaddr_in6 *ret);

/* One peer may have several addresses. Nothing happens when it is there already or memory is short.
 */
void association_add_address(struct associations *all, struct association *association,
			     const struct peer_address *address);
bool association_has_address(const struct association *association,
			     const struct peer_address *address);
struct association *association_by_address(const struct associations *all,
					   const struct peer_address *address);

#endif
