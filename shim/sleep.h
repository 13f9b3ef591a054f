/* SPDX-License-Identifier: MIT */
/*
 * sleep: how a blocking receive waits for its sources, as the program's own socket would: until
 * SO_RCVTIMEO, interrupted or restarted by signals (signal(7)). No lock is held over a sleep.
 */
#ifndef SCTPEEL_SLEEP_H
#define SCTPEEL_SLEEP_H

#include "endpoint.h"

/* Where nothing is ever peeled off the kernel may do the waiting, in its own way. */
bool sleep_in_kernel(const struct endpoint *endpoint);
/*
 * A receive that may sleep on the hub does so before it looks: a system call less for each message
 * of a peer that waits for its answer. 0, also when it did not sleep; -1 with EINTR.
 */
int sleep_first(struct endpoint *endpoint);
/* Nobody could wake it: ENOTCONN then. A getsockopt where the socket does not listen. */
bool sleep_has_no_end(struct endpoint *endpoint, int fd);
/*
 * Until something may be there, *deadline (0 at first) at most. 0, or -1 with errno as the
 * program's receive ends: EAGAIN, EINTR.
 */
int sleep_for_source(struct endpoint *endpoint, int fd, uint64_t *deadline);

#endif
