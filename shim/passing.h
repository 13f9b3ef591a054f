/* SPDX-License-Identifier: MIT */
/*
 * passing: endpoints that go to other processes, and come from them (SCM_RIGHTS).
 *
 * Who else has such a socket open cannot be followed, and a peel would take the association from
 * them all: nothing is peeled from it any more (D06).
 */
#ifndef SCTPEEL_PASSING_H
#define SCTPEEL_PASSING_H

#include <sys/socket.h>

/* After a successful call that carried control messages. errno is kept, no lock held. */
void passing_sent(const struct msghdr *msg);
void passing_received(const struct msghdr *msg);

#endif
