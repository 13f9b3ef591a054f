/* SPDX-License-Identifier: MIT */
/*
 * ancillary: control messages and notifications.
 *
 * The shim receives into a control buffer of its own, which is always large enough, learns from it
 * whose message it is, and then gives the program what the program switched on.
 */
#ifndef SCTPEEL_ANCILLARY_H
#define SCTPEEL_ANCILLARY_H

#include <stdbool.h>

#include "association.h"
#include "libc.h"

/* NXTINFO 16, RCVINFO 28, SNDRCV 32, timestamping 48, drops 4 bytes, each with a head of 16. */
enum { ANCILLARY_SIZE = 512 };

/* What one receive brought. */
struct received {
	sctp_assoc_t id; /* 0: not known */
	uint16_t stream;
	uint32_t ppid; /* host byte order */
	uint16_t flags;
	uint64_t arrived_ns;	  /* CLOCK_REALTIME; 0: not known */
	int notification;	  /* SCTP_ASSOC_CHANGE...; SCTP_SN_TYPE_BASE: any; 0: data */
	int change;		  /* of SCTP_ASSOC_CHANGE: SCTP_COMM_UP...; -1 otherwise */
	bool end;		  /* MSG_EOR */
	struct peer_address peer; /* family 0: not known */
};

/* Reads `inner`, as recvmsg filled it with n bytes. */
void ancillary_read(const struct msghdr *inner, size_t n, struct received *ret);
/*
 * Gives the program's message header what `inner` holds: name, flags and control messages, cut with
 * MSG_CTRUNC as the kernel does (net/core/scm.c:put_cmsg), without SCTP_RCVINFO when hide_rcvinfo
 * and without the time of arrival when hide_arrival.
 */
void ancillary_deliver(const struct msghdr *inner, struct msghdr *outer, bool hide_rcvinfo,
		       bool hide_arrival);

/* A control message in a program's buffer, which may be damaged and stand at any address. */
struct control {
	int level, type;
	size_t size; /* of the data, without head and padding */
	const char *data;
};

/*
 * The control message at *at, which is 0 at first and the place of the next one then. False at the
 * end, and at one that the buffer has not as a whole: the kernel refuses all of them for it
 * (include/linux/socket.h:CMSG_OK), where CMSG_NXTHDR(3) may leave the buffer or never end.
 */
bool ancillary_next(const struct msghdr *msg, size_t *at, struct control *ret);

/* Where a send is to go. */
struct destination {
	struct peer_address peer; /* family 0: no address given */
	bool has_id;
	bool in6; /* the address was given as IPv6, mapped or not */
	sctp_assoc_t id;
	uint16_t flags; /* SCTP_EOF, SCTP_ABORT, SCTP_SENDALL... */
};

/* Reads what the program's send says (RFC 6458 5.3). */
void ancillary_destination(const struct msghdr *msg, struct destination *ret);

#endif
