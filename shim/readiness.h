/* SPDX-License-Identifier: MIT */
/*
 * readiness: what poll and select see.
 *
 * The hub is watched beside the original; hidden numbers never enter an fd_set, so FD_SETSIZE does
 * not limit them, and time-outs and signal masks stay the kernel's (one ppoll).
 */
#ifndef SCTPEEL_READINESS_H
#define SCTPEEL_READINESS_H

#include "endpoint.h"

/*
 * Is one of the descriptors an endpoint? A table look-up each. (glibc declares that poll only
 * writes its array, so gcc lets no door hand it on as const.)
 */
bool readiness_concerns(struct pollfd *fds, nfds_t nfds);
/* ppoll(2); timeout NULL: for ever. */
int readiness_poll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
		   const sigset_t *mask);

/* Is one of the descriptors in the sets an endpoint? */
bool readiness_concerns_sets(int nfds, const fd_set *in, const fd_set *out, const fd_set *except);
/* pselect(2) by way of ppoll. */
int readiness_select(int nfds, fd_set *in, fd_set *out, fd_set *except,
		     const struct timespec *timeout, const sigset_t *mask);

#endif
