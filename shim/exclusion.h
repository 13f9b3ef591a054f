/* SPDX-License-Identifier: MIT */
/*
 * exclusion: what must not meet a peel in another thread.
 *
 * SCTP_SENDALL, connect, and sends that set an association up corrupt kernel memory when they meet
 * one (before 6.1.175 and 6.1.176, KERNEL.md 8); what is set on a whole socket would miss an
 * association that is on its way. A peel never waits for them: it is put off. They wait for a peel,
 * which is short.
 */
#ifndef SCTPEEL_EXCLUSION_H
#define SCTPEEL_EXCLUSION_H

#include "endpoint.h"

/*
 * False: a peel is under way, or calls that it must not meet, or `fd` is the endpoint's no more.
 * Else peel_done must follow, and `fd` is not closed before.
 */
bool peel_begin(struct endpoint *endpoint, int fd);
void peel_done(struct endpoint *endpoint);

/* Waits while a peel is under way, then keeps others off until peel_admit. */
void peel_exclude(struct endpoint *endpoint);
void peel_admit(struct endpoint *endpoint);

static inline void exclusion_begin(struct endpoint *endpoint)
{
	if (endpoint)
		peel_exclude(endpoint);
}

static inline void exclusion_end(struct endpoint **endpoint)
{
	if (*endpoint)
		peel_admit(*endpoint);
}

/* No peel of this endpoint (NULL: none at all) for the rest of the block, on cancellation neither.
 */
#define EXCLUDE_PEELS(whose)                                                         \
	struct endpoint *excluded __attribute__((cleanup(exclusion_end))) = (whose); \
	exclusion_begin(excluded)

/* Counts up at the begin and the end of each peel: a call that failed compares before and after. */
static inline uint32_t peel_sequence(const struct endpoint *endpoint)
{
	return __atomic_load_n(&endpoint->peeling, __ATOMIC_ACQUIRE);
}
/* Is another thread at a peel? */
static inline bool peel_is_anothers(const struct endpoint *endpoint)
{
	return (peel_sequence(endpoint) & 1) && GLANCE(endpoint->peeler) != lock_self();
}
/* For who has marked a number busy and will close it, or is about to fork: lets the peel of another
 * thread end. */
void peel_let_end(struct endpoint *endpoint);
/*
 * Waits for the end of a peel that another process is at, or has died in, `most_ns` long (0: as
 * long as it takes). TURN_OURS: none begins until peel_let_others. TURN_OWN: this thread is at a
 * peel itself, so none begins until that is over. TURN_TAKEN: not now.
 */
enum turn { TURN_OURS, TURN_OWN, TURN_TAKEN };
enum turn peel_keep_others_off(struct commons *commons, uint64_t most_ns);
void peel_let_others(struct commons *commons);
/* Waits for the end of a peel that another thread is at. True: there was one since `sequence`. */
bool peel_settled(struct endpoint *endpoint, uint32_t sequence);

#endif
