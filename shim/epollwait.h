/* SPDX-License-Identifier: MIT */
/*
 * epollwait: waits on epoll sets that endpoints are registered in, and what the kernel's events
 * mean to the program.
 */
#ifndef SCTPEEL_EPOLLWAIT_H
#define SCTPEEL_EPOLLWAIT_H

#include "epollset.h"

/* All the waits. timeout NULL: for ever. `set` is pinned by the caller's descriptor. */
int epollwait(struct epollset *set, int epfd, struct epoll_event *events, int maxevents,
	      const struct timespec *timeout, const sigset_t *mask);
/* What a wait brought that began before `set` had endpoints in it. Returns how many are left. */
int epollwait_woken(struct epollset *set, struct epoll_event *events, int n);

#endif
