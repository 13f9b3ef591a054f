/* SPDX-License-Identifier: MIT */
/*
 * registration: one endpoint in one epoll set of the program's, and the entries that it has in the
 * kernel's set for it.
 *
 * The caller holds epollset.c's lock. All return what epoll_ctl does.
 */
#ifndef SCTPEEL_REGISTRATION_H
#define SCTPEEL_REGISTRATION_H

#include "endpoint.h"

enum { INPUT = EPOLLIN | EPOLLRDNORM, OUTPUT = EPOLLOUT | EPOLLWRNORM };
/* How the program wants to be told; holds for all entries. */
#define MANNER ((uint32_t)EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)

/* Whom an entry is for: the low bits of its tag. */
enum entry { ORIGINAL, HUB, STALLS, ENTRIES = 3 };

struct registration {
	struct registration *next_of_set, *next_of_endpoint;
	struct epollset *set;
	struct endpoint *endpoint;
	int hub __attribute__((
		aligned(8))); /* a copy of the hub's number, -1: the endpoint's own */
	int fd, epfd;
	uint32_t events;   /* as the program asked */
	epoll_data_t data; /* as the program gave it */
	uint64_t tag;	   /* what the kernel holds for the original; + HUB, + STALLS for those */
	bool on_hub;	   /* the hub is in the kernel's set for this registration */
	bool on_stalls;	   /* so is what tells of stalls: from the endpoint's first one on */
	bool armed;	   /* EPOLLONESHOT: not told since it was armed */
};

/* Adds or changes an entry: as the program wishes. */
int registration_put(const struct registration *registration, int op, enum entry entry);
int registration_remove(const struct registration *registration, enum entry entry);
/* EPOLLONESHOT: nothing of this entry until it is put again. */
void registration_silence(const struct registration *registration, enum entry entry);
/* The hub's entry; under a number of its own when the endpoint is in the set already. */
int registration_add_hub(struct registration *registration);
/*
 * From now on output is told by the entry for stalls. What sleeps (EPOLLONESHOT) sleeps on. Where
 * that cannot be, for want of memory, under a second number or with EPOLLEXCLUSIVE, whose entries
 * never change, the original's room is what counts.
 */
void registration_watch_stalls(struct registration *registration);
/* A hidden number moves: what is registered under it follows. */
void registration_move(const struct registration *registration, int from, int to);

#endif
