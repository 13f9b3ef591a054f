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

struct epollset;
struct registration;

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
/* All the waits. timeout NULL: for ever. `set` is pinned by the caller's descriptor. */
int epollset_wait(struct epollset *set, int epfd, struct epoll_event *events, int maxevents,
		  const struct timespec *timeout, const sigset_t *mask);
/* What a wait brought that began before `set` had endpoints in it. Returns how many are left. */
int epollset_woken(struct epollset *set, struct epoll_event *events, int n);
/* `to` is another number of the set. */
void epollset_duplicated(struct epollset *set, int to);
void epollset_closed(struct epollset *set);
/* Around a fork: no registration is half made in the child. */
void epollset_before_fork(void);
void epollset_after_fork(void);
/* The endpoint ends; its registrations go with it, as in the kernel. */
void epollset_forget(struct endpoint *endpoint);
/* A hidden number moves: what is registered under it follows. */
void epollset_hidden_moves(const int *slot, int from, int to);

#endif
