/* SPDX-License-Identifier: MIT */
/*
 * options: getsockopt and setsockopt on an endpoint.
 *
 * An option that names an association (by id, or by an address of its peer) goes where that lives;
 * one that holds for the whole socket goes to all descriptors; what the shim changed for itself
 * reads as the program set it. Options that are not in options.def go to the original.
 */
#ifndef SCTPEEL_OPTIONS_H
#define SCTPEEL_OPTIONS_H

#include "endpoint.h"

/* getsockopt(2) and setsockopt(2), errno as on one socket. */
int options_get(struct endpoint *endpoint, int fd, int level, int name, void *value,
		socklen_t *len);
/* listen(2), which peeled sockets on the same port must not stand in the way of. */
int options_listen(struct endpoint *endpoint, int fd, int backlog);
int options_set(struct endpoint *endpoint, int fd, int level, int name, const void *value,
		socklen_t len);

#endif
