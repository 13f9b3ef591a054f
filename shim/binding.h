/* SPDX-License-Identifier: MIT */
/*
 * binding: where the next receive must read, whoever's turn it is.
 *
 * To the source whose message a look has shown (MSG_PEEK, FIONREAD), and, which goes before that,
 * to the one whose message is half read: its rest comes before all else (RFC 6458 section 8.1.20;
 * with SCTP_FRAGMENT_INTERLEAVE 1 only if it is there). All functions want the endpoint's lock held
 * unless they say otherwise.
 */
#ifndef SCTPEEL_BINDING_H
#define SCTPEEL_BINDING_H

#include "endpoint.h"

/* A look has shown the program what `source` gives next. */
void binding_show(struct endpoint *endpoint, struct source *source);
/* The program took a message of association `id` from it, or a part that is not its `end`. */
void binding_take(struct endpoint *endpoint, struct source *source, sctp_assoc_t id, bool end);
/* To none, if it was to this source. */
void binding_leave(struct endpoint *endpoint, const struct source *source);

/* Another thread has bound the next receive elsewhere since `source` was chosen. */
bool binding_elsewhere(const struct endpoint *endpoint, const struct source *source);
/*
 * `source` had nothing (fd: its descriptor). Is it the one to wait for, and no other? A binding
 * that is older than the try (`chosen`: endpoint->binding of then) ends if not.
 */
bool binding_awaits(struct endpoint *endpoint, struct source *source, int fd, uint32_t chosen);

/*
 * The descriptor that the rest of a half-read message must come from, `fd` if that is the original;
 * -1: none is half read. Takes the lock.
 */
int binding_rest(struct endpoint *endpoint, int fd);
/*
 * For a wait that the kernel would end at once, because others could be heard: where a message is
 * half read, sleeps until its rest is there, but not beyond `deadline` (0: none), and no longer
 * than a few milliseconds, for the wait may be for other descriptors too. 0, or -1 when a handler
 * ran (EINTR). No lock held; errno is kept otherwise.
 */
int binding_nap(struct endpoint *endpoint, int fd, uint64_t deadline);

#endif
