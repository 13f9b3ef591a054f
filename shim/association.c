/* SPDX-License-Identifier: MIT */
#include "association.h"

#include <string.h>
#include <sys/mman.h>

#include "events/live_page.h"
#include "events/statistics.h"

struct address_entry {
	struct address_entry *next_same_hash, *next_of_association;
	struct association *association;
	struct peer_address address;
};

enum { FIRST_SIZE = 256 };

void associations_init(struct associations *all, size_t state_size)
{
	memset(all, 0, sizeof(*all));
	pool_init(&all->pool, sizeof(struct association) + state_size);
	pool_init(&all->address_pool, sizeof(struct address_entry));
	pool_init(&all->figures_pool, sizeof(struct policy_kernel_figures));
}

static size_t heads_size(uint32_t size)
{
	return size * (sizeof(struct association *) + sizeof(struct address_entry *));
}

/* Takes it out of what is told of associations. */
static void leave(struct association *association)
{
	live_forget(&association->live);
	statistics_association_ends(association_peeled(association));
}

void associations_end(struct associations *all)
{
	for (struct association *a = all->first; a; a = a->next)
		leave(a);
	if (all->by_id)
		munmap(all->by_id, heads_size(all->size));
	all->by_id = NULL;
	all->by_address = NULL;
	all->size = all->count = all->peeled = 0;
	all->first = all->last = NULL;
	pool_end(&all->pool);
	pool_end(&all->address_pool);
	pool_end(&all->figures_pool);
}

/* The kernel hands ids out in order, so their low bits spread well enough. */
static uint32_t id_head(const struct associations *all, sctp_assoc_t id)
{
	return (uint32_t)id & (all->size - 1);
}

static uint32_t address_head(const struct associations *all, const struct peer_address *address)
{
	uint64_t words[3];
	uint64_t hash;

	_Static_assert(sizeof(words) == sizeof(*address), "no padding in peer_address");
	memcpy(words, address, sizeof(words));
	hash = (words[0] ^ (words[1] * 0x9e3779b97f4a7c15u) ^ (words[2] << 1)) *
	       0xbf58476d1ce4e5b9u;
	return (uint32_t)(hash >> 32) & (all->size - 1);
}

static bool resize(struct associations *all, uint32_t size)
{
	struct associations old = *all;
	void *heads = pool_map(heads_size(size));

	if (!heads)
		return false;
	all->by_id = heads;
	all->by_address = (struct address_entry **)(void *)(all->by_id + size);
	all->size = size;
	for (struct association *a = all->first; a; a = a->next) {
		struct association **head = &all->by_id[id_head(all, a->id)];

		a->next_same_hash = *head;
		*head = a;
	}
	for (uint32_t i = 0; i < old.size; i++) {
		for (struct address_entry *entry = old.by_address[i], *next; entry; entry = next) {
			struct address_entry **head =
				&all->by_address[address_head(all, &entry->address)];

			next = entry->next_same_hash;
			entry->next_same_hash = *head;
			*head = entry;
		}
	}
	if (old.by_id)
		munmap(old.by_id, heads_size(old.size));
	return true;
}

struct association *association_find(const struct associations *all, sctp_assoc_t id)
{
	struct association *a;

	if (all->size == 0)
		return NULL;
	for (a = all->by_id[id_head(all, id)]; a && a->id != id;)
		a = a->next_same_hash;
	return a;
}

struct association *association_add(struct associations *all, sctp_assoc_t id, uint64_t now)
{
	struct association *a, **head;

	if (all->count >= all->size && !resize(all, all->size ? all->size * 2 : FIRST_SIZE) &&
	    all->size == 0)
		return NULL;
	a = pool_take(&all->pool);
	if (!a)
		return NULL;
	a->id = id;
	a->serial = all->serial++;
	a->source.fd = -1;
	a->rule = -1;
	a->first_seen_ns = a->last_seen_ns = now;
	head = &all->by_id[id_head(all, id)];
	a->next_same_hash = *head;
	*head = a;
	a->previous = all->last;
	/* whole before a handler may meet it (peeled.c) */
	__atomic_signal_fence(__ATOMIC_RELEASE);
	*(all->last ? &all->last->next : &all->first) = a;
	all->last = a;
	all->count++;
	statistics_association_begins();
	return a;
}

static void forget_addresses(struct associations *all, struct association *association)
{
	struct address_entry *entry = association->addresses, *next, **at;

	for (; entry; entry = next) {
		next = entry->next_of_association;
		at = &all->by_address[address_head(all, &entry->address)];
		while (*at != entry)
			at = &(*at)->next_same_hash;
		*at = entry->next_same_hash;
		pool_give(&all->address_pool, entry);
	}
	association->addresses = NULL;
}

void association_unlink(struct associations *all, struct association *association)
{
	struct association **at = &all->by_id[id_head(all, association->id)];

	while (*at != association)
		at = &(*at)->next_same_hash;
	*at = association->next_same_hash;
	*(association->previous ? &association->previous->next : &all->first) = association->next;
	*(association->next ? &association->next->previous : &all->last) = association->previous;
	all->count--;
	forget_addresses(all, association);
	leave(association);
}

void association_free(struct associations *all, struct association *association)
{
	if (association->figures)
		pool_give(&all->figures_pool, association->figures);
	pool_give(&all->pool, association);
}

bool peer_address_from(struct peer_address *ret, const struct sockaddr *addr, socklen_t len)
{
	sa_family_t family;

	memset(ret, 0, sizeof(*ret));
	if (nowhere(addr) || len < sizeof(family))
		return false;
	/* it may stand at any address */
	memcpy(&family, addr, sizeof(family));
	if (family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		memcpy(ret->bytes, &in.sin_addr, 4);
		ret->port = in.sin_port;
		ret->family = AF_INET;
		return true;
	}
	if (family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, addr, sizeof(in6));
		ret->port = in6.sin6_port;
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
			memcpy(ret->bytes, &in6.sin6_addr.s6_addr[12], 4);
			ret->family = AF_INET;
			return true;
		}
		memcpy(ret->bytes, &in6.sin6_addr, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr))
			ret->scope = in6.sin6_scope_id;
		ret->family = AF_INET6;
		return true;
	}
	return false;
}

void peer_address_to(const struct peer_address *peer, struct sockaddr_in6 *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (peer->family == AF_INET) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = peer->port};

		memcpy(&in.sin_addr, peer->bytes, 4);
		memcpy(ret, &in, sizeof(in));
		return;
	}
	ret->sin6_family = peer->family;
	ret->sin6_port = peer->port;
	ret->sin6_scope_id = peer->scope;
	memcpy(&ret->sin6_addr, peer->bytes, 16);
}

void association_add_address(struct associations *all, struct association *association,
			     const struct peer_address *address)
{
	struct address_entry *entry, **head;

	if (association_by_address(all, address) == association)
		return;
	entry = pool_take(&all->address_pool);
	if (!entry)
		return;
	head = &all->by_address[address_head(all, address)];
	entry->association = association;
	entry->address = *address;
	entry->next_of_association = association->addresses;
	/* whole before a handler may meet it (peeled.c) */
	__atomic_signal_fence(__ATOMIC_RELEASE);
	association->addresses = entry;
	/* the newest first: an ended association's address may be another's by now */
	entry->next_same_hash = *head;
	*head = entry;
}

bool association_has_address(const struct association *association,
			     const struct peer_address *address)
{
	const struct address_entry *entry = association->addresses;

	while (entry && memcmp(&entry->address, address, sizeof(*address)) != 0)
		entry = entry->next_of_association;
	return entry != NULL;
}

struct association *association_by_address(const struct associations *all,
					   const struct peer_address *address)
{
	struct address_entry *entry;

	if (all->size == 0)
		return NULL;
	for (entry = all->by_address[address_head(all, address)]; entry;
	     entry = entry->next_same_hash)
		if (memcmp(&entry->address, address, sizeof(*address)) == 0)
			return entry->association;
	return NULL;
}
