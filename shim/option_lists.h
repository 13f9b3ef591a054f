/* SPDX-License-Identifier: MIT */
/*
 * option_lists: the socket options that count, list or connect associations.
 */
#ifndef SCTPEEL_OPTION_LISTS_H
#define SCTPEEL_OPTION_LISTS_H

#include "endpoint.h"

/* SCTP_GET_ASSOC_NUMBER and SCTP_GET_ASSOC_ID_LIST: those that were peeled off count too. */
int option_assoc_number(struct endpoint *endpoint, int fd, void *value, socklen_t *len);
int option_assoc_id_list(struct endpoint *endpoint, int fd, void *value, socklen_t *len);
/* sctp_connectx, by setsockopt and by getsockopt (SCTP_SOCKOPT_CONNECTX3): EISCONN if peeled off.
 */
int option_connectx(struct endpoint *endpoint, int fd, int name, const void *value, socklen_t len);
int option_connectx_old(struct endpoint *endpoint, int fd, void *value, socklen_t *len);

#endif
