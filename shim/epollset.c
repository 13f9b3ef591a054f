/* SPDX-License-Identifier: MIT */
#include "epollset.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

#include "binding.h"
#include "events/events.h"
#include "fanin.h"
#include "hidden.h"
#include "peel.h"
#include "pool.h"
#include "registration.h"
#include "source_queue.h"
#include "stalls.h"

struct epollset {
	uint32_t numbers;
	struct registration *first;
};

/* One lock for all of them: registrations change rarely, and a wait holds it for a few entries. */
static struct lock sets_lock;
static struct pool sets, registrations;

/* Data of ours among the program's: 64 bits that nobody else comes upon. */
static uint64_t new_tag(const struct registration *registration)
{
	static uint64_t secret, serial;

	if (secret == 0) {
		memcpy(&secret, (const void *)getauxval(AT_RANDOM), sizeof(secret));
		secret |= 1;
	}
	return (secret * (serial += 4) ^ (uintptr_t)registration) & ~(uint64_t)ENTRIES;
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
	registration->tag = 0;
	hidden_close(&registration->hub);
	pool_give(&registrations, registration);
}

void epollset_each(const struct endpoint *endpoint,
		   void (*each)(const struct registration *registration, void *context),
		   void *context)
{
	if (!lock_take(&sets_lock))
		return;
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		each(r, context);
	lock_release(&sets_lock);
}

void epollset_watch_hub(struct endpoint *endpoint)
{
	if (!lock_take(&sets_lock))
		return;
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		if (r->on_hub && r->hub < 0 && registration_put(r, EPOLL_CTL_ADD, HUB) < 0)
			peel_hold(endpoint, "an epoll set cannot watch the hub");
	lock_release(&sets_lock);
}

void epollset_watch_stalls(struct endpoint *endpoint)
{
	if (!lock_take(&sets_lock))
		return;
	for (struct registration *r = endpoint->registrations; r; r = r->next_of_endpoint)
		registration_watch_stalls(r);
	lock_release(&sets_lock);
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

/* Two entries, the hub's first: should it fail, the original's is as without us. */
static int add(struct endpoint *endpoint, int epfd, int fd, const struct epoll_event *event)
{
	struct epollset *set = set_of(epfd, true);
	struct registration *registration;
	int ret;

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
	registration->tag = new_tag(registration);
	registration->armed = true;
	registration->on_hub = true;
	registration->on_stalls = false;
	ret = registration_put(registration, EPOLL_CTL_ADD, ORIGINAL);
	if (ret < 0) {
		pool_give(&registrations, registration);
		return ret;
	}
	if (registration_add_hub(registration) < 0) {
		/* what is peeled off already would never wake this set */
		if (GLANCE(endpoint->associations.peeled) > 0) {
			int error = errno;

			registration_remove(registration, ORIGINAL);
			registration->tag = 0;
			hidden_close(&registration->hub);
			pool_give(&registrations, registration);
			errno = error;
			return -1;
		}
		registration->on_hub = false;
		registration_put(registration, EPOLL_CTL_MOD, ORIGINAL);
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
	struct registration *registration;
	int ret;

	if (fanin_hub(endpoint, fd) < 0 || (nowhere(event) && op != EPOLL_CTL_DEL) ||
	    !lock_take(&sets_lock))
		return libc.epoll_ctl(epfd, op, fd, event);
	registration = find(set_of(epfd, false), endpoint, fd);
	if (op == EPOLL_CTL_ADD && !registration)
		ret = add(endpoint, epfd, fd, event);
	else if (op == EPOLL_CTL_MOD && registration)
		ret = modify(registration, event);
	else if (op == EPOLL_CTL_DEL && registration)
		ret = drop(registration);
	else
		ret = libc.epoll_ctl(epfd, op, fd, event);
	lock_release(&sets_lock);
	return ret;
}

/* ------------------------------------------------------------------ waiting */

/* What one event of the kernel's means, looked up under the lock and used without it. */
struct found {
	struct registration *registration;
	struct endpoint *endpoint;
	int fd, epfd;
	uint32_t events;
	epoll_data_t data;
	enum entry entry;
	bool on_hub, on_stalls, told;
};

static bool look_up(const struct epollset *set, uint64_t tag, struct found *ret)
{
	struct registration *registration;

	if (!lock_take(&sets_lock))
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
	lock_release(&sets_lock);
	return registration != NULL;
}

/* EPOLLONESHOT: told once, by whichever entry; the others are put to sleep. */
static bool tell_once(const struct found *found)
{
	struct registration *registration = found->registration;
	bool there[] = {true, false, false}, ret;

	if (!(found->events & EPOLLONESHOT))
		return true;
	if (!lock_take(&sets_lock))
		return true;
	ret = registration->tag != 0 && registration->armed;
	registration->armed = false;
	there[HUB] = registration->on_hub;
	there[STALLS] = registration->on_stalls;
	for (enum entry entry = ORIGINAL; ret && entry <= STALLS; entry++)
		if (there[entry] && entry != found->entry)
			registration_silence(registration, entry);
	lock_release(&sets_lock);
	return ret;
}

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

/* A wake-up that came to nothing must arm an EPOLLONESHOT entry again. */
static void rearm(const struct found *found)
{
	if (!(found->events & EPOLLONESHOT) || !lock_take(&sets_lock))
		return;
	if (found->registration->tag != 0 && found->registration->armed)
		registration_put(found->registration, EPOLL_CTL_MOD, found->entry);
	lock_release(&sets_lock);
}

/* Two entries of one registration in one answer become one event. */
static struct epoll_event *told_already(struct epoll_event *events, int n, const struct found *all,
					const struct found *found)
{
	for (int i = 0; i < n; i++)
		if (all[i].told && all[i].registration == found->registration)
			return &events[i];
	return NULL;
}

enum { BATCH = 64 };

/* In place: kernel's events to the program's. Returns how many are left. */
static int translate(const struct epollset *set, struct epoll_event *events, int n)
{
	struct found told[BATCH];
	int out = 0;

	for (int i = 0; i < n; i++) {
		struct epoll_event event = events[i], *merged;
		struct found found;

		if (look_up(set, event.data.u64, &found)) {
			event.events = all_events(&found, event.events);
			if (event.events == 0) {
				rearm(&found);
				continue;
			}
			event.data = found.data;
			merged = told_already(events, out < BATCH ? out : BATCH, told, &found);
			if (merged) {
				merged->events |= event.events;
				continue;
			}
			if (!tell_once(&found))
				continue;
			found.told = true;
		} else {
			found.told = false;
		}
		if (out < BATCH)
			told[out] = found;
		events[out++] = event;
	}
	return out;
}

int epollset_woken(struct epollset *set, struct epoll_event *events, int n)
{
	return translate(set, events, n);
}

/* epoll_pwait2 only where milliseconds will not do: kernels before 5.11 lack it. */
static int wait_once(int epfd, struct epoll_event *events, int maxevents,
		     const struct timespec *timeout, const sigset_t *mask)
{
	if (!timeout)
		return libc.epoll_pwait(epfd, events, maxevents, -1, mask);
	if (timeout->tv_nsec % 1000000 == 0 && timeout->tv_sec < 2000000)
		return libc.epoll_pwait(epfd, events, maxevents,
					(int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000),
					mask);
	return libc.epoll_pwait2(epfd, events, maxevents, timeout, mask);
}

/* Pinned: one of the set's whose message is half read. */
static struct endpoint *half_read_in(const struct epollset *set)
{
	struct endpoint *ret = NULL;

	if (!lock_take(&sets_lock))
		return NULL;
	for (struct registration *r = set->first; r && !ret; r = r->next_of_set)
		if (GLANCE(r->endpoint->bound))
			ret = endpoint_pin(r->endpoint);
	lock_release(&sets_lock);
	return ret;
}

/* Woken for nothing: others could be heard, who must wait for the rest of a half-read message. */
static int nap(const struct epollset *set, uint64_t deadline)
{
	struct endpoint *endpoint __attribute__((cleanup(endpoint_leave))) = half_read_in(set);

	return endpoint ? binding_nap(endpoint, endpoint->number, deadline) : 0;
}

int epollset_wait(struct epollset *set, int epfd, struct epoll_event *events, int maxevents,
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

/* ------------------------------------------------------------------ lifetime */

void epollset_duplicated(struct epollset *set, int to)
{
	__atomic_add_fetch(&set->numbers, 1, __ATOMIC_RELAXED);
	fdtable_set(to, fd_word(FD_SET, set));
}

void epollset_closed(struct epollset *set)
{
	if (__atomic_sub_fetch(&set->numbers, 1, __ATOMIC_ACQ_REL) != 0 || !lock_take(&sets_lock))
		return;
	while (set->first)
		unlink_registration(set->first);
	lock_release(&sets_lock);
	/* not given back: a thread may be asleep in a wait on it, and sets are few and small */
}

void epollset_before_fork(void)
{
	(void)lock_take(&sets_lock);
}

void epollset_after_fork(void)
{
	lock_release(&sets_lock);
}

void epollset_forget(struct endpoint *endpoint)
{
	if (!lock_take(&sets_lock))
		return;
	while (endpoint->registrations)
		unlink_registration(endpoint->registrations);
	lock_release(&sets_lock);
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
	if (!lock_take(&sets_lock))
		return;
	moving = (struct move){slot, from, to};
	endpoint_for_each(move_one);
	lock_release(&sets_lock);
}
