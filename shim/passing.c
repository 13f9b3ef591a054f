/* SPDX-License-Identifier: MIT */
#include "passing.h"

#include <errno.h>
#include <string.h>

#include "ancillary.h"
#include "endpoint.h"
#include "peel.h"
#include "telling.h"

/* Each descriptor in the control messages. */
static void for_each_passed(const struct msghdr *msg, void (*each)(int fd))
{
	struct control control;
	int kept = errno;

	for (size_t at = 0; ancillary_next(msg, &at, &control);) {
		if (control.level != SOL_SOCKET || control.type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < control.size / sizeof(int); i++) {
			int fd;

			memcpy(&fd, control.data + i * sizeof(fd), sizeof(fd));
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
