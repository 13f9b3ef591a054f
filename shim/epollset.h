/* SPDX-License-Identifier: MIT */
/*
 * epollset: the program's epoll sets that endpoints are registered in.
 *
 * The kernel's own set carries, for one registration of the program, two entries of ours: the
 * original for everything but input, and the endpoint's hub for input; after the first stall a
 * third for output (stalls.h). All are level-triggered, edge-triggered or one-shot as the program
 * asked, so waits and wake-ups stay the kernel's.
 */
#ifndef SCTPEEL_EPOLLSET_H
#define SCTPEEL_EPOLLSET_H

#include "endpoint.h"
#include "registration.h"

struct epollset;

/* epoll_ctl on an endpoint: results and errno as the kernel's for one socket. */
int epollset_ctl(struct endpoint *endpoint, int epfd, int op, int fd, struct epoll_event *event);
/* Each of its registrations, under the lock: `each` changes none. */
void epollset_each(const struct endpoint *endpoint,
		   void (*each)(const struct registration *registration, void *context),
		   void *context);
/* In a fork child: the endpoint has a hub of its own from now on, which sets of the parent lack. */
void epollset_watch_hub(struct endpoint *endpoint);
/* The endpoint has had its first stall: its registrations ask stalls.c for output from now on. */
void epollset_watch_stalls(struct endpoint *endpoint);
/* What one event of the kernel's means, looked up under the lock and used without it. */
struct found {
	struct registration *registration;
	struct endpoint *endpoint;
	int fd, epfd;
	uint32_t events;
	epoll_data_t data;
	enum entry entry;
	bool on_hub, on_stalls;
};

/* Is this ours, of a registration that has been removed since the kernel told of it? */
bool epollset_is_tag(uint64_t data);
/* Such an event as the program would have been told of it; false: it was removed long ago. */
bool epollset_recall(struct epoll_event *event);
/* False: the event is none of ours. */
bool epollset_look_up(const struct epollset *set, uint64_t tag, struct found *ret);
/* EPOLLONESHOT: told once, by whichever entry; the others are put to sleep. */
bool epollset_tell_once(const struct found *found);
/* A wake-up that came to nothing must arm an EPOLLONESHOT entry again. */
void epollset_rearm(const struct found *found);
/* Pinned: one of the set's whose message is half read; NULL: there is none. */
struct endpoint *epollset_half_read(const struct epollset *set);
/* `to` is another number of the set. */
void epollset_duplicated(struct epollset *set, int to);
void epollset_closed(struct epollset *set);
/* Around a fork: no registration is half made in the child. */
void epollset_before_fork(void);
void epollset_after_fork(bool child);
/* The endpoint ends; its registrations go with it, as in the kernel. */
void epollset_forget(struct endpoint *endpoint);
/* A hidden number moves: what is registered under it follows. */
void epollset_hidden_moves(const int *slot, int from, int to);

#endif
