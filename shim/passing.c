/* SPDX-License-Identifier: MIT */
#include "passing.h"

#include <errno.h>
#include <string.h>

#include "endpoint.h"
#include "peel.h"
#include "telling.h"

/* Each descriptor in the control messages. */
static void for_each_passed(const struct msghdr *msg, void (*each)(int fd))
{
	int kept = errno;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg;
	     cmsg = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= cmsg->cmsg_len;
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, (const char *)cmsg + at, sizeof(fd));
			each(fd);
		}
	}
	errno = kept;
}

static void sent(int fd)
{
	ENTER(endpoint, fd);

	if (!endpoint)
		return;
	peel_hold(endpoint, "sent to another process (SCM_RIGHTS)");
	if (GLANCE(endpoint->associations.peeled) > 0)
		tell_error(-1, "SCM_RIGHTS: what was peeled off already stays with the sender", 0);
}

void passing_sent(const struct msghdr *msg)
{
	for_each_passed(msg, sent);
}

static void received(int fd)
{
	/* a number that was closed behind our back may be known as another's still */
	if (fd_plain(fdtable_get(fd)) != FD_UNKNOWN)
		fdtable_set(fd, FD_UNKNOWN);

	ENTER(endpoint, fd);

	if (endpoint)
		peel_hold(endpoint, "came from another process (SCM_RIGHTS)");
}

void passing_received(const struct msghdr *msg)
{
	for_each_passed(msg, received);
}
