/* SPDX-License-Identifier: MIT */
/*
 * slow_peel: a kernel that is long about its answer to a peel, with SLOW=answer to the question for
 * an association's state; with SLOW=question it is long until it hears that. What else happens in
 * between shows.
 */
#include <dlfcn.h>
#include <netinet/sctp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SCTP_SOCKOPT_PEELOFF_FLAGS
#define SCTP_SOCKOPT_PEELOFF_FLAGS 122
#endif

enum { LONG_US = 400000 };

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	int (*next)(int, int, int, void *, socklen_t *), ret;
	const char *how = getenv("SLOW");
	bool slow = level == SOL_SCTP && name == (how ? SCTP_STATUS : SCTP_SOCKOPT_PEELOFF_FLAGS);
	bool first = how && strcmp(how, "question") == 0;

	*(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
	if (slow && first)
		usleep(LONG_US);
	ret = next(fd, level, name, value, length);
	if (slow && !first && ret >= 0)
		usleep(LONG_US);
	return ret;
}
