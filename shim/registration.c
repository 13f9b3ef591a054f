/* SPDX-License-Identifier: MIT */
#include "registration.h"

#include <errno.h>
#include <fcntl.h>

#include "events/events.h"
#include "hidden.h"

/*
 * The original's entry is for all that no other tells. An epoll set in an epoll set cannot be
 * EPOLLEXCLUSIVE (fs/eventpoll.c): all are woken then.
 */
static uint32_t events_of(const struct registration *registration, enum entry entry)
{
	uint32_t events = registration->events, manner = events & MANNER;

	if (entry == ORIGINAL)
		return events & ~(uint32_t)((registration->on_hub ? INPUT : 0) |
					    (registration->on_stalls ? OUTPUT : 0));
	return (events & (entry == HUB ? INPUT : OUTPUT) ? EPOLLIN : 0) |
	       (manner & ~(uint32_t)EPOLLEXCLUSIVE);
}

static int number_of(const struct registration *registration, enum entry entry)
{
	if (entry == ORIGINAL)
		return registration->fd;
	if (entry == STALLS)
		return registration->endpoint->stalls;
	return registration->hub >= 0 ? registration->hub : GLANCE(registration->endpoint->hub);
}

static int put(const struct registration *registration, int op, int fd, uint32_t events,
	       enum entry entry)
{
	struct epoll_event event = {.events = events, .data.u64 = registration->tag + entry};

	return libc.epoll_ctl(registration->epfd, op, fd, &event);
}

int registration_put(const struct registration *registration, int op, enum entry entry)
{
	/* a change needs no memory, so it cannot fail */
	int fault = op == EPOLL_CTL_ADD && entry == HUB ? fault_at("epoll") : 0;

	/* its number is closed, or another file's: what is registered cannot be changed any more */
	if (op == EPOLL_CTL_MOD && entry == ORIGINAL &&
	    !endpoint_has(registration->endpoint, registration->fd))
		fault = ENOENT;
	if (fault) {
		errno = fault;
		return -1;
	}
	return put(registration, op, number_of(registration, entry), events_of(registration, entry),
		   entry);
}

int registration_remove(const struct registration *registration, enum entry entry)
{
	return libc.epoll_ctl(registration->epfd, EPOLL_CTL_DEL, number_of(registration, entry),
			      NULL);
}

void registration_silence(const struct registration *registration, enum entry entry)
{
	if (entry == ORIGINAL && (!(events_of(registration, entry) & ~MANNER) ||
				  !endpoint_has(registration->endpoint, registration->fd)))
		return;
	put(registration, EPOLL_CTL_MOD, number_of(registration, entry), EPOLLONESHOT, entry);
}

int registration_add_hub(struct registration *registration)
{
	int copy;

	if (registration_put(registration, EPOLL_CTL_ADD, HUB) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	copy = libc.fcntl(GLANCE(registration->endpoint->hub), F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -1;
	hidden_adopt(copy, &registration->hub);
	return registration_put(registration, EPOLL_CTL_ADD, HUB);
}

void registration_watch_stalls(struct registration *registration)
{
	bool asleep = (registration->events & EPOLLONESHOT) && !registration->armed;

	if (registration->on_stalls || !endpoint_has(registration->endpoint, registration->fd) ||
	    (registration->events & EPOLLEXCLUSIVE) ||
	    registration_put(registration, EPOLL_CTL_ADD, STALLS) < 0)
		return;
	registration->on_stalls = true;
	if (asleep)
		registration_silence(registration, STALLS);
	else
		registration_put(registration, EPOLL_CTL_MOD, ORIGINAL);
}

void registration_move(const struct registration *registration, int from, int to)
{
	bool there[] = {false, registration->on_hub, registration->on_stalls};

	for (enum entry entry = HUB; entry <= STALLS; entry++) {
		if (!there[entry] || number_of(registration, entry) != from)
			continue;
		put(registration, EPOLL_CTL_ADD, to, events_of(registration, entry), entry);
		libc.epoll_ctl(registration->epfd, EPOLL_CTL_DEL, from, NULL);
	}
}
