/* SPDX-License-Identifier: MIT */
/*
 * slow_peel: a kernel that is long about its answer to a peel, or with SLOW=status to the question
 * for an association's state. What else happens in between shows.
 */
#include <dlfcn.h>
#include <netinet/sctp.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef SCTP_SOCKOPT_PEELOFF_FLAGS
#define SCTP_SOCKOPT_PEELOFF_FLAGS 122
#endif

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	int (*next)(int, int, int, void *, socklen_t *), ret;
	int slow = getenv("SLOW") ? SCTP_STATUS : SCTP_SOCKOPT_PEELOFF_FLAGS;

	*(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
	ret = next(fd, level, name, value, length);
	if (level == SOL_SCTP && name == slow && ret >= 0)
		usleep(400000);
	return ret;
}
