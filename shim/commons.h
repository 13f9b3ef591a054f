/* SPDX-License-Identifier: MIT */
/*
 * commons: the memory by which processes share an endpoint after fork.
 *
 * A memfd, mapped by all of them. Its locks are robust: one that dies inside lets the next go on
 * (pthread_mutexattr_setrobust(3)). Each is held over calls that cannot block, and taken after the
 * endpoint's own lock, never before it.
 */
#ifndef SCTPEEL_COMMONS_H
#define SCTPEEL_COMMONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "endpoint.h"

enum { HOLDERS = 1000, COUNTED = 512 };

enum holder_state {
	HOLDER_RUNS,	 /* under the shim */
	HOLDER_EXECUTED, /* another program by now, which may not know of us */
};

/* A process that has the endpoint open. The dead leave by being dead. */
struct holder {
	pid_t pid; /* 0: free */
	uint32_t state;
	uint32_t exclusives; /* its calls that a peel must not meet; atomic */
};

/* What came in of an association that has not been peeled off, over all processes. */
struct counted {
	sctp_assoc_t id; /* 0: free */
	uint64_t first_seen_ns, last_seen_ns, bytes, msgs;
};

struct commons {
	pthread_mutex_t mail, counts, peel;
	uint64_t posted;     /* bytes ever put into the mailbox; written under mail, atomic */
	uint64_t dropped;    /* of these, taken out again; under mail */
	bool peeling;	     /* atomic, written under peel */
	bool held;	     /* one of them holds all peels; atomic */
	bool sets_inherited; /* epoll sets that it is in are shared as well; atomic */
	uint32_t forks;	     /* that began; atomic */
	uint32_t born;	     /* children that came of them, and are holders; atomic */
	uint64_t forked_ns;  /* when the last one began; atomic */
	uint32_t count;	     /* of those counted; under counts */
	struct as_set set;
	struct holder holders[HOLDERS];
	struct counted counted[COUNTED];
	uint64_t states[]; /* the policy's: of the socket, then of each that is counted */
};

/* False: EDEADLK, this thread is inside already, interrupted by a handler. */
bool commons_lock(pthread_mutex_t *mutex);
/* The same, but not for longer than that: ETIMEDOUT. */
bool commons_lock_within(pthread_mutex_t *mutex, uint64_t most_ns);

/*
 * Makes it, with this process its only holder. The endpoint's lock is held. False when there is no
 * memory or no descriptor for it.
 */
bool commons_make(struct endpoint *endpoint);
/*
 * Maps that of `fd`, which an image before this one has had, and goes on as the holder that it was.
 * False: it is of another kind, or there is no memory.
 */
bool commons_join(struct endpoint *endpoint, int fd);
/* This process becomes a holder; for a fork child. False: no room. */
bool commons_claim(struct endpoint *endpoint);
/* This process is none any more. */
void commons_leave(struct endpoint *endpoint);
/* The record is emptied: unmaps it. */
void commons_forget(struct endpoint *endpoint);

/*
 * The association's counts, and the policy's state for it, are those of all processes from here
 * until commons_put. The endpoint's lock is held.
 */
struct counted *commons_take(struct endpoint *endpoint, struct association *association);
void commons_put(struct endpoint *endpoint, struct association *association,
		 struct counted *counted);
/* It has left the original. */
void commons_drop(struct endpoint *endpoint, sctp_assoc_t id);

#endif
