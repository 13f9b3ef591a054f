/* SPDX-License-Identifier: MIT */
#include "epollwait.h"

#include <errno.h>

#include "binding.h"
#include "events/events.h"
#include "fanin.h"
#include "registration.h"
#include "stalls.h"

/* Is there anything to be received that the program may see? Only where it asked for input. */
static uint32_t input(struct endpoint *endpoint, const struct found *found)
{
	if (!(found->events & INPUT) || !fanin_readable(endpoint, endpoint->number))
		return 0;
	return found->events & INPUT;
}

/* Can anything be sent? Only where it asked, and where the original's own word is not what counts.
 */
static uint32_t output(struct endpoint *endpoint, const struct found *found)
{
	if (!found->on_stalls || !(found->events & OUTPUT) || !stalls_over(endpoint))
		return 0;
	return found->events & OUTPUT;
}

static bool is_readable(int fd)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};

	return libc.poll(&poll, 1, 0) > 0;
}

/*
 * One entry of the kernel's tells of input, one of output after a stall, one of all else; the
 * program is told all at once, as by one socket. (The bits of epoll are those of poll.)
 */
static uint32_t all_events(const struct found *found, uint32_t events)
{
	struct endpoint *endpoint __attribute__((cleanup(endpoint_leave))) =
		endpoint_pin(found->endpoint);
	uint32_t others = found->events & ~(uint32_t)INPUT & ~MANNER & 0xffff;
	struct pollfd poll = {.fd = endpoint ? endpoint->number : -1};

	if (!endpoint)
		return 0;
	if (found->on_stalls)
		others &= ~(uint32_t)OUTPUT;
	/* others must wait for the rest of a half-read message */
	if (found->entry == ORIGINAL && GLANCE(endpoint->bound) && (events & INPUT) &&
	    !input(endpoint, found))
		events &= ~(uint32_t)INPUT;
	if (found->entry == HUB)
		events = input(endpoint, found);
	else if (found->entry == STALLS)
		events = output(endpoint, found);
	if (!events)
		return 0;
	poll.events = (short)others;
	if (found->entry != ORIGINAL && others && libc.poll(&poll, 1, 0) > 0)
		events |= (uint32_t)(unsigned short)poll.revents &
			  (others | (uint32_t)(EPOLLERR | EPOLLHUP));
	if (found->entry != HUB && found->on_hub && is_readable(GLANCE(endpoint->hub)))
		events |= input(endpoint, found);
	if (found->entry != STALLS)
		events |= output(endpoint, found);
	return events;
}

/* Two entries of one registration in one answer become one event. */
struct told {
	const struct registration *registration;
	struct epoll_event *event;
};

static struct epoll_event *told_already(const struct told *all, int n, const struct found *found)
{
	for (int i = 0; i < n; i++)
		if (all[i].registration == found->registration)
			return all[i].event;
	return NULL;
}

enum { BATCH = 64 };

/* In place: kernel's events to the program's. Returns how many are left. */
static int translate(const struct epollset *set, struct epoll_event *events, int n)
{
	struct told told[BATCH];
	int out = 0, ours = 0;

	for (int i = 0; i < n; i++) {
		struct epoll_event event = events[i], *merged;
		struct found found;

		if (epollset_look_up(set, event.data.u64, &found)) {
			event.events = all_events(&found, event.events);
			if (event.events == 0) {
				epollset_rearm(&found);
				continue;
			}
			event.data = found.data;
			merged = told_already(told, ours, &found);
			if (merged) {
				merged->events |= event.events;
				continue;
			}
			if (!epollset_tell_once(&found))
				continue;
			if (ours < BATCH)
				told[ours++] = (struct told){found.registration, &events[out]};
		} else if (epollset_is_tag(event.data.u64) && !epollset_recall(&event)) {
			continue;
		}
		events[out++] = event;
	}
	return out;
}

int epollwait_woken(struct epollset *set, struct epoll_event *events, int n)
{
	return translate(set, events, n);
}

/* epoll_pwait2 only where milliseconds will not do: kernels before 5.11 lack it. */
static int wait_once(int epfd, struct epoll_event *events, int maxevents,
		     const struct timespec *timeout, const sigset_t *mask)
{
	if (!timeout)
		return libc.epoll_pwait(epfd, events, maxevents, -1, mask);
	bool valid = timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1000000000;
	int n = -1;

	if (!valid || timeout->tv_nsec % 1000000 != 0 || timeout->tv_sec >= 2000000) {
		n = libc.epoll_pwait2(epfd, events, maxevents, timeout, mask);
		if (n >= 0 || errno != ENOSYS || !valid || timeout->tv_sec >= 2000000)
			return n;
	}
	return libc.epoll_pwait(
		epfd, events, maxevents,
		(int)(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000), mask);
}

/* Woken for nothing: others could be heard, who must wait for the rest of a half-read message. */
static int nap(const struct epollset *set, uint64_t deadline)
{
	struct endpoint *endpoint __attribute__((cleanup(endpoint_leave))) =
		epollset_half_read(set);

	return endpoint ? binding_nap(endpoint, endpoint->number, deadline) : 0;
}

int epollwait(struct epollset *set, int epfd, struct epoll_event *events, int maxevents,
	      const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left = timeout ? *timeout : (struct timespec){0, 0};
	uint64_t deadline = left.tv_sec || left.tv_nsec ? now_ns() + timespec_ns(&left) : 0;

	events_tend_now();
	for (;;) {
		int n = wait_once(epfd, events, maxevents, timeout ? &left : NULL, mask);
		int told = n > 0 ? translate(set, events, n) : n;

		if (told != 0 || n <= 0 || (timeout && now_ns() >= deadline))
			return told;
		if (nap(set, deadline) < 0)
			return -1;
		if (timeout)
			left = time_until(deadline);
	}
}
