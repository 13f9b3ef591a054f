/* SPDX-License-Identifier: MIT */
/*
 * endpoint: the shim's record of one open one-to-many socket.
 *
 * It stands for the open file description, not for a number: dup'ed numbers share it. Its memory
 * is never unmapped, so that a thread may still touch the record while another closes the last
 * number; `pins` tells when its contents may go.
 */
#ifndef SCTPEEL_ENDPOINT_H
#define SCTPEEL_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "association.h"
#include "cancellation.h"
#include "fdtable.h"
#include "lock.h"
#include "settings.h"

struct queue {
	struct source *first, *last;
	uint32_t length;
};

enum { NOTED_OPTIONS = 64 };

/* What the program has set on its socket, as far as we must know; atomic. */
struct as_set {
	bool nonblock, listening, interleave, wants_rcvinfo;
	bool hides_rcvinfo;   /* SCTP_RECVRCVINFO is switched on for us alone */
	bool hides_arrival;   /* SO_TIMESTAMPNS is; only where messages are traced */
	uint64_t rcvtimeo_ns; /* 0: none */
	uint64_t noted; /* bit set over inheritance.c's table: options that a peel would lose */
};

struct commons;
struct holder;

struct endpoint {
	uint32_t pins;	  /* one for the numbers, one for each call inside; 0: free */
	uint32_t numbers; /* of the program */
	struct lock lock; /* guards all below but what is said to be atomic */
	struct associations associations;
	void *policy_state;
	int family;
	int number;		   /* one of its numbers */
	struct peer_address local; /* family 0: unknown */

	struct as_set own_set, *set; /* the latter is where processes share it once they do */

	/* receiving: fanin.c */
	int hub __attribute__((aligned(8))); /* hidden number, -1: none yet */
	struct source original;
	struct queue fresh, busy;
	struct source *current; /* whose turn it is, `credit` messages more */
	struct source *bound;	/* the next receive must come from it: binding.c */
	uint32_t binding;	/* counts the changes of it */
	uint32_t naps;		/* since the last one; atomic */
	sctp_assoc_t half_read; /* the association whose message it is bound to, if not by a peek */
	uint64_t half_read_ns;	/* when the last part of it came */
	bool half_notification; /* it is a notification */
	bool bound_by_peek, originals_turn;
	bool hub_inherited;    /* the hub is the parent's: made anew before it is used */
	bool stalls_inherited; /* likewise */
	int stalls __attribute__((aligned(8))); /* hidden number, -1: none yet; stalls.c */
	bool asks_room;	  /* some wait of the program has asked for output; atomic */
	uint32_t stalled; /* peeled associations that wait for POLLOUT; atomic */
	uint32_t credit, fresh_in_a_row, served, generation;
	uint32_t departures;	      /* counts the sources that have left */
	uint64_t looked_ns, look_ns;  /* last look, and how long until the next */
	uint32_t blocked_in_original; /* threads in a receive that no hub wakes */

	/* peeling: peel.c */
	const char *held; /* why nothing may be peeled any more; static text */
	uint32_t peeling; /* counts up at the begin and the end of each peel: odd inside. A futex */
	uint32_t peeler;  /* thread that peels */
	struct commons
		*peels_in;   /* where it keeps off the peels of other processes; NULL: nowhere */
	uint32_t exclusives; /* calls inside that a peel must not meet (KERNEL.md 8) */
	struct association *reviewed; /* where the search for quietly ended ones stands */

	bool leaves; /* an exec is under way that it goes along with: handover.c */

	/* processes that share it after a fork: siblings.c, commons.c, mailbox.c */
	bool forked, locked_for_fork;
	bool inherited;		 /* from a program that may have it still */
	struct commons *commons; /* NULL: not shared */
	struct holder *holder;	 /* this process's place in it */
	int commons_fd __attribute__((aligned(8)));
	int mail_in __attribute__((aligned(8)));
	int mail_out __attribute__((aligned(8)));
	uint64_t read;	       /* how far it has read what is in the mailbox */
	sctp_assoc_t begun;    /* whose peel another has begun and not ended, 0: nobody's */
	uint64_t begun_at;     /* where the letter is that has its descriptor */
	bool begun_hides;      /* what that says of SCTP_ASSOC_CHANGE */
	bool announced;	       /* this process has begun one */
	bool doubts_ends;      /* one was killed that may have known of some: to be looked for */
	bool has_lost_mail;    /* no memory for what came */
	bool has_told_mail;    /* of what could not be received, until it can */
	uint64_t strangers_ns; /* when holders were last looked at */
	bool sets_shared;      /* as of then */
	char strangers[96];    /* who of them runs another program, as a reason; "": none */

	struct registration *registrations; /* in epoll sets: epollset.c, under its lock */
};

/*
 * The endpoint behind *fd, pinned, or NULL when the number is not ours. A hidden number becomes
 * -1, so that the call on it answers EBADF as it would without us. The thread is not cancelled
 * until endpoint_leave, but where the call says so (cancellation.h). errno is kept.
 */
struct endpoint *endpoint_enter_slow(int *fd, bool probe);
/* How many pins this thread has: a handler that interrupted it may fork, and return there. */
extern _Thread_local uint32_t endpoint_inside;
/* Pins a record met elsewhere than in the table, as above; NULL when its last number is gone. */
struct endpoint *endpoint_pin(struct endpoint *endpoint);
void endpoint_leave_slow(struct endpoint *endpoint);

/* For calls that a one-to-many socket may first be met in: asks about numbers not known yet. */
static inline bool endpoint_foreign(int fd)
{
	return likely(fdtable_get(fd) == FD_FOREIGN);
}

/* For calls that every descriptor sees (read, write): unknown numbers pass, at no cost. */
static inline bool endpoint_not_known(int fd)
{
	return likely(fdtable_get(fd) <= FD_BUSY);
}

static inline void endpoint_leave(struct endpoint **endpoint)
{
	if (!*endpoint)
		return;
	endpoint_leave_slow(*endpoint);
	cancellation_on();
}

/* Is the number still this endpoint's? Another thread may close it at any moment. */
static inline bool endpoint_has(const struct endpoint *endpoint, int fd)
{
	return fdtable_get(fd) == fd_word(FD_ENDPOINT, endpoint);
}

/* What is set is asked without the lock, and moves where processes share it. */
static inline struct as_set *as_set(const struct endpoint *endpoint)
{
	return GLANCE(endpoint->set);
}

/* Pins the endpoint of `fd` for the rest of the block; unwound on cancellation too. */
#define ENTER(endpoint, fd)                                                  \
	struct endpoint *endpoint __attribute__((cleanup(endpoint_leave))) = \
		endpoint_enter_slow(&(fd), true)
#define ENTER_KNOWN(endpoint, fd)                                            \
	struct endpoint *endpoint __attribute__((cleanup(endpoint_leave))) = \
		endpoint_enter_slow(&(fd), false)

/* A socket() of the program: takes note of it, an endpoint or not. */
void endpoint_opened(int fd, int domain, int type, int protocol);
/* The endpoint of a number that nothing was known of, which is inherited; NULL: it is none. */
struct endpoint *endpoint_inherited(int fd);
/* One number more; false when another thread has closed the last one meanwhile. */
bool endpoint_count_number(struct endpoint *endpoint);
/* `to` is a new number of the same description as `fd` (dup and kin). */
void endpoint_duplicated(struct endpoint *endpoint, int to);
/* Closes fd, whatever it is, as libc's close does. */
int endpoint_close(int fd);
/*
 * The same around another call that closes `fd` (dup2, close_range): begin marks the number busy
 * and returns what stood there, end tells whether the kernel really closed it. The thread is not
 * cancelled in between.
 */
uintptr_t endpoint_closing(int fd);
void endpoint_closed(int fd, uintptr_t word, bool closed, uintptr_t becomes);

/* Calls `each` for every endpoint in use; for fork handlers. */
void endpoint_for_each(void (*each)(struct endpoint *endpoint));
/* No new records in between; a child finds no lock taken by a thread that it does not have. */
void endpoint_before_fork(void);
void endpoint_after_fork(bool child);
/* The process that this memory belongs to: a vfork child runs in it as another. */
bool endpoint_own_process(void);
void endpoint_set_process(void);

#endif
