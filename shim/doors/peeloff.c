/* SPDX-License-Identifier: MIT */
/* Doors: sctp_peeloff_flags, which libsctp 1.0.18 to 1.0.21 declares and does not export (K2). */
#include <errno.h>
#include <fcntl.h>

#include "doors/doors.h"
#include "peel.h"

/* sctp_peeloff itself reaches us as getsockopt. */
int sctp_peeloff_flags(int fd, sctp_assoc_t id, unsigned int flags)
{
	sctp_peeloff_flags_arg_t arg = {{id, 0}, flags};
	socklen_t len = sizeof(arg);
	ENTER(endpoint, fd);

	if (endpoint)
		return peel_for_program(endpoint, fd, id, SCTP_SOCKOPT_PEELOFF_FLAGS, flags);
	return libc.getsockopt(fd, IPPROTO_SCTP, SCTP_SOCKOPT_PEELOFF_FLAGS, &arg, &len) < 0
		       ? -1
		       : arg.p_arg.sd;
}
