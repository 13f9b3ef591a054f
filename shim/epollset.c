/* SPDX-License-Identifier: MIT */
#include "epollset.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "commons.h"
#include "hidden.h"
#include "peel.h"
#include "pool.h"
#include "registration.h"
#include "source_queue.h"

struct epollset {
	uint32_t numbers;
	struct registration *first;
};

/* One lock for all of them: registrations change rarely, and a wait holds it for a few entries. */
static struct fork_lock changes;
static struct pool sets, registrations;

/*
 * Data of ours among the program's: its upper half is the same for all, so that it is known as ours
 * when its registration is gone, and it is no pointer.
 */
static uint64_t secret;

static uint64_t new_tag(void)
{
	static uint32_t serial;

	if (secret == 0) {
		memcpy(&secret, (const void *)getauxval(AT_RANDOM), sizeof(secret));
		secret = (secret & 0x3fffffff00000000) | 0x8000000000000000;
	}
	return secret | (serial += ENTRIES + 1);
}

bool epollset_is_tag(uint64_t data)
{
	return secret && data >> 32 == secret >> 32;
}

static struct epollset *set_of(int epfd, bool make)
{
	uintptr_t word = fdtable_get(epfd);
	struct epollset *set;

	if (fd_kind(word) == FD_SET)
		return fd_object(word);
	if (!make || word == FD_BUSY || (unsigned int)epfd >= FDTABLE_SIZE)
		return NULL;
	if (sets.size == 0)
		pool_init(&sets, sizeof(struct epollset));
	set = pool_take(&sets);
	if (!set)
		return NULL;
	set->numbers = 1;
	fdtable_set(epfd, fd_word(FD_SET, set));
	return set;
}

/* What was removed last: the kernel may have told a thread of it that has not told the program. */
enum { REMEMBERED = 64 };
static struct removed {
	uint64_t tag;
	uint32_t events;
	epoll_data_t data;
} removed[REMEMBERED];
static uint32_t removals;

static void remember(const struct registration *registration)
{
	removed[removals++ % REMEMBERED] = (struct removed){
		.tag = registration->tag,
		.events = registration->events,
		.data = registration->data,
	};
}

bool epollset_recall(struct epoll_event *event)
{
	const uint64_t tag = event->data.u64 & ~(uint64_t)ENTRIES;
	const enum entry entry = (enum entry)(event->data.u64 & ENTRIES);
	const struct removed *found = NULL;

	if (!lock_take(&changes.lock))
		return false;
	for (int i = 0; i < REMEMBERED && !found; i++)
		if (removed[i].tag == tag)
			found = &removed[i];
	if (found) {
		event->data = found->data;
		if (entry != ORIGINAL)
			event->events = found->events & (entry == HUB ? INPUT : OUTPUT);
	}
	lock_release(&changes.lock);
	return found && event->events;
}

/* The kernel's key is description and number; a closed number may be registered still. */
static struct registration *find(const struct epollset *set, const struct endpoint *endpoint,
				 int fd)
{
	struct registration *registration;

	for (registration = set ? set->first : NULL; registration;
	     registration = registration->next_of_set)
		if (registration->fd == fd && registration->endpoint == endpoint)
			break;
	return registration;
}

/* It never was in the kernel's set, or is no more. errno is kept. */
static int discard(struct registration *registration)
{
	registration->tag = 0;
	hidden_close(&registration->hub);
	pool_give(&registrations, registration);
	return -1;
}

static void unlink_registration(struct registration *registration)
{
	struct registration **at = &registration->set->first;

	while (*at != registration)
		at = &(*at)->next_of_set;
	*at = registration->next_of_set;
	at = &registration->endpoint->registrations;
	while (*at != registration)
		at = &(*at)->next_of_endpoint;
	*at = registration->next_of_endpoint;
	remember(registration);
	(void)discard(registration);
}

void epollset_each(const struct endpoint *endpoint,
		   void (*each)(const struct registration *registration, void *context),
		   void *context)
{
	if (!lock_take(&changes.lock))
		return;
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		each(r, context);
	lock_release(&changes.lock);
}

void epollset_watch_hub(struct endpoint *endpoint)
{
	if (!lock_take(&changes.lock))
		return;
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		if (r->on_hub && r->hub < 0 && registration_put(r, EPOLL_CTL_ADD, HUB) < 0)
			peel_hold(endpoint, "an epoll set cannot watch the hub");
	lock_release(&changes.lock);
}

void epollset_watch_stalls(struct endpoint *endpoint)
{
	if (!lock_take(&changes.lock))
		return;
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		registration_watch_stalls(r);
	lock_release(&changes.lock);
}

/* No memory: what is peeled off would never wake this set. */
static int add_unknown(struct endpoint *endpoint, int epfd, int fd, const struct epoll_event *event)
{
	if (GLANCE(endpoint->associations.peeled) > 0) {
		errno = ENOMEM;
		return -1;
	}
	peel_hold(endpoint, "no memory to watch an epoll set");
	return libc.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, (struct epoll_event *)(uintptr_t)event);
}

/* What it is to tell has changed. Entries with EPOLLEXCLUSIVE never change (epoll_ctl(2)). */
static int put_original_again(struct registration *registration)
{
	if (!(registration->events & EPOLLEXCLUSIVE))
		return registration_put(registration, EPOLL_CTL_MOD, ORIGINAL);
	registration_remove(registration, ORIGINAL);
	return registration_put(registration, EPOLL_CTL_ADD, ORIGINAL);
}

/* Two entries, the hub's first: should it fail, the original's is as without us. */
static int add(struct endpoint *endpoint, int epfd, int fd, const struct epoll_event *event)
{
	struct epollset *set = set_of(epfd, true);
	struct registration *registration;

	if (registrations.size == 0)
		pool_init(&registrations, sizeof(struct registration));
	registration = set ? pool_take(&registrations) : NULL;
	if (!registration)
		return add_unknown(endpoint, epfd, fd, event);
	registration->set = set;
	registration->endpoint = endpoint;
	registration->fd = fd;
	registration->hub = -1;
	registration->epfd = epfd;
	registration->events = event->events;
	registration->data = event->data;
	registration->tag = new_tag();
	registration->armed = true;
	registration->on_hub = true;
	registration->on_stalls = false;
	if (registration_put(registration, EPOLL_CTL_ADD, ORIGINAL) < 0)
		return discard(registration);
	if (registration_add_hub(registration) < 0) {
		/* what is peeled off already would never wake this set */
		if (GLANCE(endpoint->associations.peeled) > 0) {
			int error = errno;

			registration_remove(registration, ORIGINAL);
			errno = error;
			return discard(registration);
		}
		registration->on_hub = false;
		if (put_original_again(registration) < 0)
			return discard(registration);
		/* what is peeled off now would never wake this set */
		peel_hold(endpoint, "an epoll set cannot watch the hub");
	}
	registration->next_of_set = set->first;
	set->first = registration;
	registration->next_of_endpoint = endpoint->registrations;
	endpoint->registrations = registration;
	if (endpoint->stalls >= 0)
		registration_watch_stalls(registration);
	return 0;
}

static int modify(struct registration *registration, const struct epoll_event *event)
{
	struct registration was = *registration;
	int ret;

	registration->events = event->events;
	registration->data = event->data;
	__atomic_store_n(&registration->armed, true, __ATOMIC_RELEASE);
	ret = registration_put(registration, EPOLL_CTL_MOD, ORIGINAL);
	if (ret < 0)
		*registration = was;
	else if (registration->on_hub)
		registration_put(registration, EPOLL_CTL_MOD, HUB);
	if (ret == 0 && registration->on_stalls)
		registration_put(registration, EPOLL_CTL_MOD, STALLS);
	return ret;
}

static int drop(struct registration *registration)
{
	int ret = registration_remove(registration, ORIGINAL);

	if (ret < 0)
		return ret;
	if (registration->on_hub)
		registration_remove(registration, HUB);
	if (registration->on_stalls)
		registration_remove(registration, STALLS);
	unlink_registration(registration);
	return 0;
}

int epollset_ctl(struct endpoint *endpoint, int epfd, int op, int fd, struct epoll_event *event)
{
	enum fd_kind kind = fd_kind(fdtable_get(epfd));
	struct registration *registration;
	int hub, ret;

	/* no epoll set: the kernel says so */
	if (epfd < 0 || kind == FD_ENDPOINT || kind == FD_HIDDEN)
		return libc.epoll_ctl(kind == FD_HIDDEN ? -1 : epfd, op, fd, event);
	hub = fanin_hub(endpoint, fd);
	/* what is peeled off later would never wake this set */
	if (hub < 0 && hub != -ENOTSUP && op == EPOLL_CTL_ADD)
		peel_hold(endpoint, "no hub for an epoll set to watch");
	if (hub < 0 || (nowhere(event) && op != EPOLL_CTL_DEL) || !lock_take(&changes.lock))
		return libc.epoll_ctl(epfd, op, fd, event);
	if (op != EPOLL_CTL_DEL && (event->events & OUTPUT))
		PUBLISH(endpoint->asks_room, true);
	registration = find(set_of(epfd, false), endpoint, fd);
	if (op == EPOLL_CTL_ADD && !registration)
		ret = add(endpoint, epfd, fd, event);
	else if (op == EPOLL_CTL_MOD && registration)
		ret = modify(registration, event);
	else if (op == EPOLL_CTL_DEL && registration)
		ret = drop(registration);
	else
		ret = libc.epoll_ctl(epfd, op, fd, event);
	lock_release(&changes.lock);
	return ret;
}

/* ------------------------------------------------------------------ for waits */

bool epollset_look_up(const struct epollset *set, uint64_t tag, struct found *ret)
{
	struct registration *registration;

	if (!lock_take(&changes.lock))
		return false;
	for (registration = set->first; registration; registration = registration->next_of_set)
		if (registration->tag == (tag & ~(uint64_t)ENTRIES))
			break;
	if (registration)
		*ret = (struct found){
			.registration = registration,
			.endpoint = registration->endpoint,
			.fd = registration->fd,
			.epfd = registration->epfd,
			.events = registration->events,
			.data = registration->data,
			.entry = (enum entry)(tag & ENTRIES),
			.on_hub = registration->on_hub,
			.on_stalls = registration->on_stalls,
		};
	lock_release(&changes.lock);
	return registration != NULL;
}

bool epollset_tell_once(const struct found *found)
{
	struct registration *registration = found->registration;
	bool there[] = {true, false, false}, ret;

	if (!(found->events & EPOLLONESHOT))
		return true;
	if (!lock_take(&changes.lock))
		return true;
	/* where processes share the set, another may have armed it */
	ret = registration->tag != 0 &&
	      (registration->armed ||
	       (found->endpoint->commons && found->endpoint->commons->sets_inherited));
	registration->armed = false;
	there[HUB] = registration->on_hub;
	there[STALLS] = registration->on_stalls;
	for (enum entry entry = ORIGINAL; ret && entry <= STALLS; entry++)
		if (there[entry] && entry != found->entry)
			registration_silence(registration, entry);
	lock_release(&changes.lock);
	return ret;
}

void epollset_rearm(const struct found *found)
{
	if (!(found->events & EPOLLONESHOT) || !lock_take(&changes.lock))
		return;
	if (found->registration->tag != 0 && found->registration->armed)
		registration_put(found->registration, EPOLL_CTL_MOD, found->entry);
	lock_release(&changes.lock);
}

struct endpoint *epollset_half_read(const struct epollset *set)
{
	struct endpoint *ret = NULL;

	if (!lock_take(&changes.lock))
		return NULL;
	for (struct registration *r = set->first; r && !ret; r = r->next_of_set)
		if (GLANCE(r->endpoint->bound))
			ret = endpoint_pin(r->endpoint);
	lock_release(&changes.lock);
	return ret;
}

/* ------------------------------------------------------------------ lifetime */

void epollset_duplicated(struct epollset *set, int to)
{
	__atomic_add_fetch(&set->numbers, 1, __ATOMIC_RELAXED);
	fdtable_set(to, fd_word(FD_SET, set));
}

/* The number that a registration was made by may be the one that was closed. */
static void renumber(struct epollset *set)
{
	uintptr_t word = fd_word(FD_SET, set);
	int other = 0;

	while (other < fdtable_end() && fdtable_get(other) != word)
		other++;
	for (struct registration *r = set->first; r; r = r->next_of_set)
		if (fdtable_get(r->epfd) != word)
			r->epfd = other;
}

void epollset_closed(struct epollset *set)
{
	uint32_t left = __atomic_sub_fetch(&set->numbers, 1, __ATOMIC_ACQ_REL);

	if (!lock_take(&changes.lock))
		return;
	if (left > 0) {
		renumber(set);
		lock_release(&changes.lock);
		return;
	}
	while (set->first)
		unlink_registration(set->first);
	lock_release(&changes.lock);
	/* not given back: a thread may be asleep in a wait on it, and sets are few and small */
}

void epollset_before_fork(void)
{
	lock_before_fork(&changes);
}

void epollset_after_fork(bool child)
{
	lock_after_fork(&changes, child);
}

void epollset_forget(struct endpoint *endpoint)
{
	if (!lock_take(&changes.lock))
		return;
	while (endpoint->registrations)
		unlink_registration(endpoint->registrations);
	lock_release(&changes.lock);
}

struct move {
	const int *slot;
	int from, to;
};

static struct move moving;

static void move_association(struct endpoint *endpoint, struct association *association)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &association->source};

	libc.epoll_ctl(endpoint->hub, EPOLL_CTL_ADD, moving.to, &event);
	libc.epoll_ctl(endpoint->hub, EPOLL_CTL_DEL, moving.from, NULL);
	if (!association->blocked)
		return;
	event = (struct epoll_event){.events = EPOLLOUT, .data.ptr = association};
	libc.epoll_ctl(endpoint->stalls, EPOLL_CTL_ADD, moving.to, &event);
	libc.epoll_ctl(endpoint->stalls, EPOLL_CTL_DEL, moving.from, NULL);
}

static void move_one(struct endpoint *endpoint)
{
	for (struct association *a = endpoint->associations.first; a; a = a->next)
		if (&a->source.fd == moving.slot)
			move_association(endpoint, a);
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		registration_move(r, moving.from, moving.to);
}

void epollset_hidden_moves(const int *slot, int from, int to)
{
	if (!lock_take(&changes.lock))
		return;
	moving = (struct move){slot, from, to};
	endpoint_for_each(move_one);
	lock_release(&changes.lock);
}
