/* SPDX-License-Identifier: MIT */
/*
 * fanin: one receive call, many sources.
 *
 * Which source is next is source_queue.c's affair. Nothing is taken out of the kernel before the
 * program asks for it.
 */
#ifndef SCTPEEL_FANIN_H
#define SCTPEEL_FANIN_H

#include "ancillary.h"
#include "endpoint.h"

/*
 * recvmsg(2) on the endpoint; blocks as the program's socket would. `fd` is the number that the
 * program used.
 */
ssize_t fanin_receive(struct endpoint *endpoint, int fd, struct msghdr *msg, int flags);

/*
 * The descriptor that the next receive will read from, and which it then binds to; fd itself when
 * nothing is readable. For FIONREAD and splice. With *ret_association to be given to peel_unuse.
 */
int fanin_next(struct endpoint *endpoint, int fd, struct association **ret_association);

/* What it bound to was taken by splice. Takes the lock; errno is kept. */
void fanin_spliced(struct endpoint *endpoint);

/*
 * Would a receive find something? Hidden notifications that stand in front are taken away. For
 * those that the hub woke: it takes a millisecond where what is readable must wait for the rest of
 * a half-read message, as the hub would wake them again at once.
 */
bool fanin_readable(struct endpoint *endpoint, int fd);
/*
 * For programs that send and hardly ever receive: notices what ended meanwhile. Costs a look at the
 * clock, and a thousand times a second at most a look at the sources.
 */
void fanin_tidy(struct endpoint *endpoint, int fd);

#endif
