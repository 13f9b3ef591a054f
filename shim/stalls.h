/* SPDX-License-Identifier: MIT */
/*
 * stalls: peeled associations that a send found full (W04).
 *
 * While there are any, the program's descriptor counts as writable when one of them takes data
 * again, not at once because the original has room. A hidden epoll instance, made by the first
 * stall, tells: it is readable when the descriptor is writable.
 */
#ifndef SCTPEEL_STALLS_H
#define SCTPEEL_STALLS_H

#include "endpoint.h"

/* A send to the association answered EAGAIN. No lock held. errno is kept. */
void stalls_begin(struct endpoint *endpoint, struct association *association);
/*
 * A send to it was taken, and the program goes by POLLOUT: was that the last that it takes? As on
 * one socket, the program then hears so before it is refused. No lock held. errno is kept.
 */
void stalls_ask(struct endpoint *endpoint, struct association *association);
/* A send to it was taken. No lock held. errno is kept. */
void stalls_sent(struct endpoint *endpoint, struct association *association);
/* The original's number is about to be closed; it has another. No lock held. errno is kept. */
void stalls_number_goes(struct endpoint *endpoint, int fd);
void stalls_number_came(struct endpoint *endpoint);
/* It takes data again, or ends. The endpoint's lock is held. errno is kept. */
void stalls_end(struct endpoint *endpoint, struct association *association);
/*
 * Is the descriptor writable, as far as stalls go? Those that take data again are over with it: the
 * program is told now. No lock held. errno is kept.
 */
bool stalls_over(struct endpoint *endpoint);

#endif
