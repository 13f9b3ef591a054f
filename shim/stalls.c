/* SPDX-License-Identifier: MIT */
#include "stalls.h"

#include <errno.h>

#include "epollset.h"
#include "hidden.h"

enum { LOOK_EVENTS = 16 };

static int change(const struct endpoint *endpoint, int op, int fd, struct association *association)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = association};

	return libc.epoll_ctl(endpoint->stalls, op, fd, &event);
}

/* In a fork child it is the parent's. */
static bool is_own(const struct endpoint *endpoint)
{
	return endpoint->stalls >= 0 && !endpoint->stalls_inherited;
}

static void make(struct endpoint *endpoint)
{
	int set = libc.epoll_create1(EPOLL_CLOEXEC);

	if (set >= 0)
		hidden_adopt(set, &endpoint->stalls);
}

void stalls_begin(struct endpoint *endpoint, struct association *association)
{
	int kept = errno;
	bool made = false;

	if (!lock_take(&endpoint->lock))
		return;
	if (!association->blocked && !association->retired && !endpoint->stalls_inherited) {
		if (endpoint->stalls < 0) {
			make(endpoint);
			made = endpoint->stalls >= 0;
		}
		if (is_own(endpoint) &&
		    change(endpoint, EPOLL_CTL_ADD, association->source.fd, association) == 0) {
			association->blocked = true;
			if (endpoint->stalled++ == 0)
				change(endpoint, EPOLL_CTL_DEL, endpoint->number, NULL);
		}
	}
	lock_release(&endpoint->lock);
	if (made)
		epollset_watch_stalls(endpoint);
	errno = kept;
}

void stalls_end(struct endpoint *endpoint, struct association *association)
{
	int kept = errno;

	if (!association->blocked || !is_own(endpoint))
		return;
	association->blocked = false;
	change(endpoint, EPOLL_CTL_DEL, association->source.fd, NULL);
	if (--endpoint->stalled == 0)
		change(endpoint, EPOLL_CTL_ADD, endpoint->number, NULL);
	errno = kept;
}

void stalls_sent(struct endpoint *endpoint, struct association *association)
{
	if (likely(!association->blocked) || !lock_take(&endpoint->lock))
		return;
	stalls_end(endpoint, association);
	lock_release(&endpoint->lock);
}

static void watch_number(struct endpoint *endpoint, int op, int fd)
{
	int kept = errno;

	if (GLANCE(endpoint->stalls) < 0 || !lock_take(&endpoint->lock))
		return;
	if (is_own(endpoint) && endpoint->stalled == 0)
		change(endpoint, op, fd, NULL);
	lock_release(&endpoint->lock);
	errno = kept;
}

void stalls_number_goes(struct endpoint *endpoint, int fd)
{
	if (endpoint->number == fd)
		watch_number(endpoint, EPOLL_CTL_DEL, fd);
}

void stalls_number_came(struct endpoint *endpoint)
{
	watch_number(endpoint, EPOLL_CTL_ADD, endpoint->number);
}

void stalls_ask(struct endpoint *endpoint, struct association *association)
{
	struct pollfd room = {.fd = association->source.fd, .events = POLLOUT};
	int kept = errno;

	if (libc.poll(&room, 1, 0) == 0)
		stalls_begin(endpoint, association);
	errno = kept;
}

bool stalls_over(struct endpoint *endpoint)
{
	struct epoll_event events[LOOK_EVENTS];
	int kept = errno, n = 0;

	if (!lock_take(&endpoint->lock))
		return false;
	if (endpoint->stalls >= 0)
		n = libc.epoll_wait(endpoint->stalls, events, LOOK_EVENTS, 0);
	for (int i = 0; i < n && is_own(endpoint); i++)
		if (events[i].data.ptr)
			stalls_end(endpoint, events[i].data.ptr);
	lock_release(&endpoint->lock);
	errno = kept;
	return n > 0;
}
