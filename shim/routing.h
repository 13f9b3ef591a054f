/* SPDX-License-Identifier: MIT */
/*
 * routing: which descriptor a send or a connect goes to.
 */
#ifndef SCTPEEL_ROUTING_H
#define SCTPEEL_ROUTING_H

#include "endpoint.h"

/* sendmsg(2) on the endpoint, SIGPIPE and errno as on one socket (KERNEL.md 3, 4). */
ssize_t routing_send(struct endpoint *endpoint, int fd, const struct msghdr *msg, int flags);
/* connect(2): EISCONN for a peer whose association was peeled off. */
int routing_connect(struct endpoint *endpoint, int fd, const struct sockaddr *addr, socklen_t len);
/*
 * After a connect or connectx failed with EADDRNOTAVAIL: was it because the peer's association is
 * peeled off? Then one socket would have said EISCONN.
 */
bool routing_is_connected(struct endpoint *endpoint, const struct peer_address *address);
/* shutdown(2) on all sockets of the endpoint. */
int routing_shutdown(struct endpoint *endpoint, int fd, int how);

#endif
