/* SPDX-License-Identifier: MIT */
/*
 * siblings: processes that share an endpoint after fork.
 *
 * What one of them peels off reaches the others by the mailbox; what they must agree on is in the
 * commons. Both are made before the first fork. Where they cannot be made, or one of the processes
 * executes a program that does not know of them, nothing is peeled off any more.
 */
#ifndef SCTPEEL_SIBLINGS_H
#define SCTPEEL_SIBLINGS_H

#include <stdbool.h>
#include <sys/types.h>

#include "endpoint.h"

/* Why nothing may be peeled off now, because of other processes; NULL: nothing stands against it.
 * The endpoint's lock is held. errno is kept. */
const char *siblings_hold(struct endpoint *endpoint);
/* How many associations the endpoint has, as far as any of them knows. */
uint32_t siblings_count(const struct endpoint *endpoint);
/* Is there no other process that has it? Costs looks into /proc. */
bool siblings_alone(const struct endpoint *endpoint);
/* This process is about to execute another program, and takes the socket along; or failed to. */
void siblings_executes(struct endpoint *endpoint, bool executes);
/* Is there such a process, and is it no zombie? Costs a look into /proc. */
bool siblings_alive(pid_t pid);
/* Installs the fork handlers. Once, from the constructor. */
void siblings_start(void);

#endif
