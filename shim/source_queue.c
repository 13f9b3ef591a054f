/* SPDX-License-Identifier: MIT */
#include "source_queue.h"

#include <errno.h>
#include <unistd.h>

#include "binding.h"
#include "epollset.h"
#include "hidden.h"
#include "mailbox.h"
#include "peel.h"
#include "stalls.h"

enum { LOOK_EVENTS = 64, LOOK_MESSAGES = 64, FRESH_IN_A_ROW = 64 };
/* A look asks the kernel about each source that it tells of: the more it told, the rarer it is. */
static const uint64_t LOOK_NS = 50000, LOOK_NS_A_SOURCE = 5000;

static void append(struct queue *queue, struct source *source)
{
	source->next = NULL;
	*(queue->last ? &queue->last->next : &queue->first) = source;
	queue->last = source;
	queue->length++;
}

static void prepend(struct queue *queue, struct source *source)
{
	source->next = queue->first;
	queue->first = source;
	if (!queue->last)
		queue->last = source;
	queue->length++;
}

static struct source *pop(struct queue *queue)
{
	struct source *source = queue->first;

	queue->first = source->next;
	if (!queue->first)
		queue->last = NULL;
	source->next = NULL;
	source->queue = QUEUE_NONE;
	queue->length--;
	return source;
}

static void take_out(struct queue *queue, struct source *source)
{
	struct source **at = &queue->first, *before = NULL;

	for (; *at && *at != source; at = &(*at)->next)
		before = *at;
	if (!*at)
		return;
	*at = source->next;
	source->next = NULL;
	queue->length--;
	if (queue->last == source)
		queue->last = before;
}

void queue_remove(struct endpoint *endpoint, struct source *source)
{
	if (source->queue == QUEUE_DEFERRED)
		return;
	if (source->queue == QUEUE_FRESH)
		take_out(&endpoint->fresh, source);
	else if (source->queue == QUEUE_BUSY)
		take_out(&endpoint->busy, source);
	if (endpoint->current == source)
		endpoint->current = NULL;
	source->queue = QUEUE_NONE;
}

void queue_keep(struct endpoint *endpoint, struct source *source)
{
	if (source->queue != QUEUE_NONE || endpoint->associations.peeled == 0)
		return;
	prepend(&endpoint->fresh, source);
	source->queue = QUEUE_FRESH;
}

void queue_served(struct endpoint *endpoint, struct source *source)
{
	endpoint->served++;
	if (endpoint->current != source)
		return;
	if (endpoint->credit > 0)
		endpoint->credit--;
	if (endpoint->credit == 0)
		queue_remove(endpoint, source);
}

/*
 * Where processes share the endpoint each has a hub of its own, and a message wakes one of those
 * that sleep (EPOLLEXCLUSIVE, epoll_ctl(2)), as it does on one socket (sctp_wait_for_packet).
 */
static uint32_t input(const struct endpoint *endpoint)
{
	return EPOLLIN | (endpoint->commons ? EPOLLEXCLUSIVE : 0);
}

/* What is not in the hub wakes nobody: a shortage that goes by at once must not leave it out. */
static int hub_add(int hub, int fd, uint32_t events, struct source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	for (int tries = 0; tries < 3; tries++) {
		if (libc.epoll_ctl(hub, EPOLL_CTL_ADD, fd, &event) == 0)
			return 0;
		if (errno != ENOMEM && errno != ENOSPC)
			break;
	}
	return -errno;
}

static int hub_watch(int hub, int fd, uint32_t events, struct source *source)
{
	int fault = fault_at("epoll");

	if (fault) {
		errno = fault;
		return -fault;
	}
	return hub_add(hub, fd, events, source);
}

/* Its readers take nothing out of it: each letter tells once (EPOLLET). NULL stands for it. */
static int watch_mail(const struct endpoint *endpoint, int hub)
{
	if (!endpoint->commons || endpoint->commons->sets_inherited)
		return 0;
	return hub_watch(hub, endpoint->mail_out, EPOLLIN | EPOLLET, NULL);
}

static int fill(struct endpoint *endpoint, int hub, int fd)
{
	int ret = hub_watch(hub, fd, input(endpoint), &endpoint->original), each;

	if (ret == 0)
		ret = watch_mail(endpoint, hub);
	/* one that cannot be watched is no reason to leave out those after it */
	for (struct association *a = endpoint->associations.first; a; a = a->next) {
		each = association_peeled(a)
			       ? hub_watch(hub, a->source.fd, input(endpoint), &a->source)
			       : 0;
		ret = ret ? ret : each;
	}
	return ret;
}

static int make_hub(struct endpoint *endpoint, int fd)
{
	int hub = libc.epoll_create1(EPOLL_CLOEXEC);
	int ret = hub < 0 ? -errno : fill(endpoint, hub, fd);

	/* closed meanwhile: the hub would be nobody's, or watch what has the number now */
	if (ret == 0 && !endpoint_has(endpoint, fd))
		ret = -EBADF;
	if (ret < 0) {
		if (hub >= 0)
			libc.close(hub);
		return ret;
	}
	/* that of a fork parent: what either of us takes out of it is missing in the other's */
	if (endpoint->hub_inherited)
		hidden_close(&endpoint->hub);
	PUBLISH(endpoint->hub_inherited, false);
	hidden_adopt(hub, &endpoint->hub);
	return 0;
}

int fanin_hub(struct endpoint *endpoint, int fd)
{
	int ret = 0, kept = errno;
	bool renewed;

	if (likely(GLANCE(endpoint->hub) >= 0 && !GLANCE(endpoint->hub_inherited)))
		return 0;
	if (settings_never_peel())
		return -ENOTSUP;
	if (!lock_take(&endpoint->lock))
		return -EAGAIN;
	renewed = endpoint->hub_inherited;
	if (endpoint->hub < 0 || renewed)
		ret = make_hub(endpoint, fd);
	lock_release(&endpoint->lock);
	if (renewed && ret == 0)
		epollset_watch_hub(endpoint);
	errno = kept;
	return ret;
}

void fanin_share(struct endpoint *endpoint, int fd)
{
	int hub = endpoint->hub;

	if (hub < 0 || endpoint->hub_inherited)
		return;
	libc.epoll_ctl(hub, EPOLL_CTL_DEL, fd, NULL);
	for (struct association *a = endpoint->associations.first; a; a = a->next)
		if (association_peeled(a))
			libc.epoll_ctl(hub, EPOLL_CTL_DEL, a->source.fd, NULL);
	if (fill(endpoint, hub, fd) < 0) {
		(void)hub_watch(hub, fd, EPOLLIN, &endpoint->original);
		peel_hold(endpoint, "the hub cannot be shared");
	}
}

void fanin_leave_mail(struct endpoint *endpoint)
{
	if (endpoint->hub >= 0 && !endpoint->hub_inherited)
		libc.epoll_ctl(endpoint->hub, EPOLL_CTL_DEL, endpoint->mail_out, NULL);
}

int fanin_room(struct endpoint *endpoint, int fd)
{
	int kept = errno;
	int ret = hub_watch(endpoint->hub, fd, 0, &endpoint->original);

	if (ret == 0)
		libc.epoll_ctl(endpoint->hub, EPOLL_CTL_DEL, fd, NULL);
	errno = kept;
	return ret;
}

int fanin_join(struct endpoint *endpoint, struct source *source)
{
	int kept = errno;
	int ret = hub_add(endpoint->hub, source->fd, input(endpoint), source);

	/* what moved with the peel is readable at once, and came before what comes now */
	queue_keep(endpoint, source);
	errno = kept;
	return ret;
}

void fanin_leave(struct endpoint *endpoint, struct source *source)
{
	int kept = errno;

	/* in a fork child the hub is the parent's, and so is what is in it */
	if (source != &endpoint->original)
		stalls_end(endpoint, (struct association *)(void *)source);
	if (source->fd >= 0 && !endpoint->hub_inherited)
		libc.epoll_ctl(endpoint->hub, EPOLL_CTL_DEL, source->fd, NULL);
	queue_remove(endpoint, source);
	endpoint->departures++;
	binding_leave(endpoint, source);
	errno = kept;
}

static void found(struct endpoint *endpoint, struct source *source)
{
	/* with more readable sources than a look tells, the kernel shows each every few looks */
	uint32_t gap = 1 + endpoint->associations.peeled / LOOK_EVENTS;
	bool fresh = endpoint->generation - source->generation > gap;

	source->generation = endpoint->generation;
	if (source->queue != QUEUE_NONE)
		return;
	source->queue = fresh ? QUEUE_FRESH : QUEUE_BUSY;
	append(fresh ? &endpoint->fresh : &endpoint->busy, source);
}

static void saw(struct endpoint *endpoint, const struct epoll_event *events, int n, uint64_t now)
{
	endpoint->generation++;
	endpoint->served = 0;
	PUBLISH(endpoint->looked_ns, now);
	endpoint->look_ns = LOOK_NS + (n > 0 ? (uint64_t)n * LOOK_NS_A_SOURCE : 0);
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr)
			found(endpoint, events[i].data.ptr);
}

static void look(struct endpoint *endpoint, uint64_t now)
{
	struct epoll_event events[LOOK_EVENTS];
	int fault = fault_at("epoll");
	int n = fault ? -1 : libc.epoll_wait(endpoint->hub, events, LOOK_EVENTS, 0);

	saw(endpoint, events, n, now);
	if (n >= 0)
		return;
	/* the hub fails: try them all, which is slow and right */
	found(endpoint, &endpoint->original);
	for (struct association *a = endpoint->associations.first; a; a = a->next)
		if (association_peeled(a))
			found(endpoint, &a->source);
}

void queue_refresh(struct endpoint *endpoint)
{
	if (endpoint->hub >= 0 && !endpoint->hub_inherited)
		look(endpoint, now_ns());
}

/* Where a sleep could begin: the hub, or -1. */
static int hub_to_sleep_on(struct endpoint *endpoint)
{
	bool usable = (endpoint->associations.peeled > 0 || endpoint->commons) &&
		      !endpoint->hub_inherited && !endpoint->bound && !queue_has_others(endpoint);

	return usable ? endpoint->hub : -1;
}

/*
 * epoll_wait says EINTR when the process was stopped, frozen or traced meanwhile, without any
 * handler; poll sleeps on, as a receive does, and takes one call more.
 */
static int sleep_on(int hub, struct epoll_event *events, bool restarts)
{
	struct pollfd wait = {.fd = hub, .events = POLLIN};

	if (restarts)
		return CANCELLABLE(libc.epoll_wait(hub, events, LOOK_EVENTS, -1));
	if (CANCELLABLE(libc.ppoll(&wait, 1, NULL, NULL)) < 0)
		return -1;
	return libc.epoll_wait(hub, events, LOOK_EVENTS, 0);
}

int queue_sleep(struct endpoint *endpoint, bool restarts)
{
	struct epoll_event events[LOOK_EVENTS];
	uint32_t departures;
	int hub, n;

	if (!lock_take(&endpoint->lock))
		return -EAGAIN;
	hub = hub_to_sleep_on(endpoint);
	departures = endpoint->departures;
	lock_release(&endpoint->lock);
	if (hub < 0)
		return -EAGAIN;
	n = sleep_on(hub, events, restarts);
	if (n < 0)
		return errno == EINTR ? -EINTR : -EAGAIN;
	if (!lock_take(&endpoint->lock))
		return 0;
	/* what was told of a source that has left since is nobody's */
	if (endpoint->departures == departures)
		saw(endpoint, events, n, now_ns());
	lock_release(&endpoint->lock);
	return 0;
}

bool queue_has_others(const struct endpoint *endpoint)
{
	return endpoint->fresh.first || endpoint->busy.first || endpoint->current;
}

/* The turn passes to `source`, `credit` messages long. */
static struct source *give_turn(struct endpoint *endpoint, struct source *source, uint32_t credit)
{
	if (credit > LOOK_MESSAGES)
		credit = LOOK_MESSAGES;
	endpoint->current = source;
	source->queue = QUEUE_CURRENT;
	endpoint->credit = credit;
	endpoint->fresh_in_a_row = 0;
	endpoint->originals_turn = source == &endpoint->original;
	return source;
}

/*
 * The original has its turn after each of the others, so that what is left on it waits for at most
 * a quantum; over a round of all others its turns add up to a quantum for each association on it.
 */
static struct source *next_turn(struct endpoint *endpoint)
{
	uint32_t quantum = settings_get()->quantum, others = endpoint->busy.length;
	uint32_t shared = endpoint->associations.count - endpoint->associations.peeled;

	if (endpoint->original.queue == QUEUE_BUSY && !endpoint->originals_turn) {
		take_out(&endpoint->busy, &endpoint->original);
		others = others > 1 ? others - 1 : 1;
		return give_turn(endpoint, &endpoint->original,
				 (quantum * (shared ? shared : 1) + others - 1) / others);
	}
	return endpoint->busy.first ? give_turn(endpoint, pop(&endpoint->busy), quantum) : NULL;
}

/*
 * A quantum is for servers that handle many messages between two looks. One that works longer on
 * each passes the turn on with every look: else the others would wait for a quantum of long work.
 */
static void cut_turn(struct endpoint *endpoint)
{
	struct source *source = endpoint->current;

	if (!source || !endpoint->busy.first)
		return;
	queue_remove(endpoint, source);
	source->queue = QUEUE_BUSY;
	append(&endpoint->busy, source);
}

static struct source *next_in_turn(struct endpoint *endpoint)
{
	bool others = endpoint->current || endpoint->busy.first;

	if (endpoint->fresh.first && (!others || endpoint->fresh_in_a_row < FRESH_IN_A_ROW)) {
		endpoint->fresh_in_a_row++;
		return pop(&endpoint->fresh);
	}
	return endpoint->current ? endpoint->current : next_turn(endpoint);
}

struct source *queue_choose(struct endpoint *endpoint, uint64_t now, int *looks)
{
	bool empty = !endpoint->fresh.first && !endpoint->busy.first && !endpoint->current;

	if (endpoint->bound)
		return endpoint->bound;
	if (endpoint->associations.peeled == 0 || endpoint->hub < 0 || endpoint->hub_inherited)
		return &endpoint->original;
	if (empty ? *looks < 2
		  : *looks == 0 && (endpoint->served >= LOOK_MESSAGES ||
				    now - endpoint->looked_ns > endpoint->look_ns)) {
		bool works_long = now - endpoint->looked_ns > endpoint->look_ns;

		look(endpoint, now);
		/* nothing but ends so far: the original does not wait for the rest of them */
		if (++*looks > 1)
			found(endpoint, &endpoint->original);
		if (works_long)
			cut_turn(endpoint);
	}
	return next_in_turn(endpoint);
}

static struct source *ended_in(const struct endpoint *endpoint, struct source *source, int *tries)
{
	for (; source && *tries > 0; source = source->next) {
		struct association *association = (struct association *)(void *)source;

		if (source == &endpoint->original)
			continue;
		--*tries;
		if (peel_alive(source->fd, association->id))
			continue;
		association->ended = true;
		return source;
	}
	return NULL;
}

struct source *queue_take_ended(struct endpoint *endpoint, uint64_t now)
{
	struct source *ret;
	int tries = LOOK_EVENTS;

	look(endpoint, now);
	ret = ended_in(endpoint, endpoint->fresh.first, &tries);
	if (!ret)
		ret = ended_in(endpoint, endpoint->busy.first, &tries);
	if (!ret && endpoint->current)
		ret = ended_in(endpoint, endpoint->current, &tries);
	if (ret)
		queue_remove(endpoint, ret);
	return ret;
}
