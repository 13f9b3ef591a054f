/* SPDX-License-Identifier: MIT */
#include "peeled.h"

#include <errno.h>

#include "news.h"
#include "peel.h"

static bool none(const struct endpoint *endpoint)
{
	return GLANCE(endpoint->associations.peeled) == 0;
}

static struct association *use_if_peeled(struct association *association)
{
	if (!association || !association_peeled(association))
		return NULL;
	peel_use(association);
	return association;
}

/*
 * For a signal handler that interrupted its own thread inside the lock: nobody else changes
 * anything, and of what its thread was changing the list is whole at each moment. By address, or
 * by id when there is none.
 */
static struct association *find_nested(struct endpoint *endpoint,
				       const struct peer_address *address, sctp_assoc_t id)
{
	struct association *a = endpoint->associations.first;

	while (a && (a->retired || !association_peeled(a) ||
		     (address ? !association_has_address(a, address) : a->id != id)))
		a = a->next;
	return use_if_peeled(a);
}

struct association *peeled_by_id(struct endpoint *endpoint, sctp_assoc_t id)
{
	struct association *ret;

	news_hear(endpoint, endpoint->number);
	if (none(endpoint))
		return NULL;
	if (!lock_take(&endpoint->lock))
		return find_nested(endpoint, NULL, id);
	ret = use_if_peeled(association_find(&endpoint->associations, id));
	lock_release(&endpoint->lock);
	return ret;
}

struct association *peeled_by_address(struct endpoint *endpoint, const struct peer_address *address)
{
	struct association *ret;

	news_hear(endpoint, endpoint->number);
	if (none(endpoint))
		return NULL;
	if (!lock_take(&endpoint->lock))
		return find_nested(endpoint, address, 0);
	ret = use_if_peeled(association_by_address(&endpoint->associations, address));
	lock_release(&endpoint->lock);
	return ret;
}

bool peeled_knows_address(struct endpoint *endpoint, const struct peer_address *address)
{
	bool ret;

	if (!lock_take(&endpoint->lock))
		return false;
	ret = association_by_address(&endpoint->associations, address) != NULL;
	lock_release(&endpoint->lock);
	return ret;
}

/* net/sctp/socket.c:sctp_getsockopt_peer_addrs: addresses packed one after the other. */
static bool learn(struct endpoint *endpoint, struct association *association)
{
	union {
		struct sctp_getaddrs head;
		char bytes[sizeof(struct sctp_getaddrs) + 64 * sizeof(struct sockaddr_in6)];
	} answer = {.head = {.assoc_id = association->id}};
	socklen_t len = sizeof(answer), size;
	const char *at = (const char *)answer.head.addrs;
	bool ret = false;

	association->addresses_known = true;
	if (libc.getsockopt(association->source.fd, SOL_SCTP, SCTP_GET_PEER_ADDRS, &answer, &len) <
	    0)
		return false;
	for (unsigned int i = 0; i < answer.head.addr_num; i++, at += size) {
		const struct sockaddr *addr = (const struct sockaddr *)(const void *)at;
		struct peer_address address;

		size = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						   : sizeof(struct sockaddr_in);
		if (!peer_address_from(&address, addr, size) ||
		    association_by_address(&endpoint->associations, &address) == association)
			continue;
		association_add_address(&endpoint->associations, association, &address);
		ret = true;
	}
	return ret;
}

bool peeled_learn_addresses(struct endpoint *endpoint, bool again)
{
	int kept = errno;
	bool ret = false;

	if (none(endpoint) || !lock_take(&endpoint->lock))
		return false;
	for (struct association *a = endpoint->associations.first; a; a = a->next) {
		if (association_peeled(a) && (again || !a->addresses_known))
			ret |= learn(endpoint, a);
	}
	lock_release(&endpoint->lock);
	errno = kept;
	return ret;
}

/* One that has left the list meanwhile is no way into it any more; its place in the order is. */
static struct association *after(const struct endpoint *endpoint,
				 const struct association *previous)
{
	struct association *a;

	if (!previous->retired)
		return previous->next;
	for (a = endpoint->associations.first; a && a->serial <= previous->serial;)
		a = a->next;
	return a;
}

struct association *peeled_next(struct endpoint *endpoint, struct association *previous)
{
	struct association *ret = NULL;

	news_hear(endpoint, endpoint->number);
	if ((!previous && none(endpoint)) || !lock_take(&endpoint->lock)) {
		if (previous)
			peel_unuse(endpoint, previous);
		return NULL;
	}
	ret = previous ? after(endpoint, previous) : endpoint->associations.first;
	while (ret && !association_peeled(ret))
		ret = ret->next;
	if (ret)
		peel_use(ret);
	lock_release(&endpoint->lock);
	if (previous)
		peel_unuse(endpoint, previous);
	return ret;
}

struct association *peeled_next_alive(struct endpoint *endpoint, struct association *previous)
{
	struct association *ret = peeled_next(endpoint, previous);

	while (ret && !peel_alive(ret->source.fd, ret->id))
		ret = peeled_next(endpoint, ret);
	return ret;
}
