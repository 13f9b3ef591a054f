/* SPDX-License-Identifier: MIT */
/*
 * siblings: processes that share an endpoint after fork.
 *
 * A peel would take the association away from the others (KERNEL.md 7), so while an endpoint is
 * shared nothing is peeled from it. A page of shared memory names its holders; the dead leave by
 * being dead.
 */
#ifndef SCTPEEL_SIBLINGS_H
#define SCTPEEL_SIBLINGS_H

#include <stdbool.h>

struct endpoint;

/* This process opened the endpoint; it is its only holder. */
void siblings_opened(struct endpoint *endpoint);
/* This process closed its last number of it. */
void siblings_closed(struct endpoint *endpoint);
/* The record is emptied: unmaps what it had. */
void siblings_forget(struct endpoint *endpoint);
/* Does another living process hold it? Cheap when there never was a fork. */
bool siblings_share(struct endpoint *endpoint);
/* Installs the fork handlers. Once, from the constructor. */
void siblings_start(void);

#endif
