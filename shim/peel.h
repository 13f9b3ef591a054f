/* SPDX-License-Identifier: MIT */
/*
 * peel: carries a verdict out, and looks after what was peeled until its end.
 *
 * A peel that does not happen leaves the association where it is; an event says why (KERNEL.md 2).
 */
#ifndef SCTPEEL_PEEL_H
#define SCTPEEL_PEEL_H

#include "endpoint.h"
#include "judgement.h"

/*
 * Tells what was judged, and does it. No lock held; never blocks beyond the peel's own system
 * calls. `fd` is a number of the original. errno is kept.
 */
void peel_act(struct endpoint *endpoint, int fd, struct judgement *judgement);

/*
 * What another process had the kernel peel off before it was killed: `peeled` is the kernel's
 * descriptor, adopted here; `hides_changes`: the program has not subscribed to SCTP_ASSOC_CHANGE.
 * peel_keep_others_off holds, no lock of ours.
 */
void peel_finish(struct endpoint *endpoint, int fd, sctp_assoc_t id, int peeled,
		 bool hides_changes);

/* Nothing may be peeled from this endpoint any more; `why` is static text. First reason stays. */
void peel_hold(struct endpoint *endpoint, const char *why);

/*
 * The association of a peeled descriptor ended and its queue is empty: closes it, now or when its
 * last user leaves. The endpoint's lock is held.
 */
void peel_retire(struct endpoint *endpoint, struct association *association);
/* The same for another reason than its end ("moved"). */
void peel_retire_as(struct endpoint *endpoint, struct association *association, const char *state);
/* A shared association ended ("down") or was taken by the program ("moved"). Lock held. */
void peel_forget_shared(struct endpoint *endpoint, sctp_assoc_t id, const char *state);
/*
 * Shared associations may end unheard by the program and by us. Called for each new one, looks at
 * two old ones, so that no more records stay than there are associations. Lock held.
 */
void peel_review(struct endpoint *endpoint, int fd, uint64_t now);
/* Pins and unpins a peeled descriptor for a system call. Lock held for use, not for unuse. */
void peel_use(struct association *association);
void peel_unuse(struct endpoint *endpoint, struct association *association);
/* A subscription to SCTP_ASSOC_CHANGE, its gap set too: the kernel is given all of it. No lock
 * needed. */
void peel_change_event(struct sctp_event *ret, sctp_assoc_t id, bool on);
/*
 * A quiet end is invisible without a subscription to SCTP_ASSOC_CHANGE (KERNEL.md 4): takes one for
 * the association of this peeled descriptor. True when the program had none, so that it is ours
 * alone.
 */
bool peel_subscribe(int fd, sctp_assoc_t id);
/* Does the kernel still know the association of this peeled descriptor? No lock needed. */
bool peel_alive(int fd, sctp_assoc_t id);
/* The endpoint ends: closes all that was peeled. */
void peel_end_all(struct endpoint *endpoint);

/*
 * own_peel.c. The program itself peels (X01): gives it a descriptor of its own for `id`. Returns
 * the number, or -1 with errno as the kernel answers. `option` is SCTP_SOCKOPT_PEELOFF or _FLAGS;
 * flags SOCK_*.
 */
int peel_for_program(struct endpoint *endpoint, int fd, sctp_assoc_t id, int option,
		     unsigned int flags);

#endif
