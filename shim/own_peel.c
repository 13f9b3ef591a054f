/* SPDX-License-Identifier: MIT */
/* The program's own peel: what it gets is its alone. */
#include "peel.h"

#include <errno.h>
#include <fcntl.h>

#include "exclusion.h"
#include "inheritance.h"
#include "mailbox.h"
#include "telling.h"

static int peel_option(int fd, sctp_assoc_t id, int option, unsigned int flags)
{
	sctp_peeloff_flags_arg_t arg = {{id, 0}, flags};
	socklen_t len = option == SCTP_SOCKOPT_PEELOFF ? sizeof(arg.p_arg) : sizeof(arg);

	return libc.getsockopt(fd, SOL_SCTP, option, &arg, &len);
}

/* What we changed on the descriptor is put back: it is the program's from now on. */
static void restore(struct endpoint *endpoint, int fd, int peeled, sctp_assoc_t id,
		    bool unsubscribe)
{
	struct sctp_event event;
	int off = 0;

	if (as_set(endpoint)->hides_rcvinfo)
		libc.setsockopt(peeled, SOL_SCTP, SCTP_RECVRCVINFO, &off, sizeof(off));
	if (as_set(endpoint)->hides_arrival)
		libc.setsockopt(peeled, SOL_SOCKET, SO_TIMESTAMPNS, &off, sizeof(off));
	if (unsubscribe) {
		peel_change_event(&event, id, false);
		libc.setsockopt(peeled, SOL_SCTP, SCTP_EVENT, &event, sizeof(event));
	}
	if (settings_get()->rcvbuf || settings_get()->sndbuf)
		inheritance_copy_buffers(fd, peeled);
}

/* The shim had it already: the program gets our descriptor under the lowest free number. */
static int hand_over(struct endpoint *endpoint, int fd, struct association *association,
		     unsigned int flags)
{
	int ours = association->source.fd;
	int ret = libc.fcntl(ours, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);

	if (ret < 0)
		return -1;
	if (flags & SOCK_NONBLOCK)
		libc.fcntl(ret, F_SETFL, libc.fcntl(ret, F_GETFL) | O_NONBLOCK);
	restore(endpoint, fd, ret, association->id, association->hides_changes);
	if (endpoint->commons)
		(void)mailbox_post(endpoint, LETTER_MOVED, association);
	peel_retire_as(endpoint, association, "moved");
	fdtable_set(ret, FD_FOREIGN);
	return ret;
}

static int hand_over_if_peeled(struct endpoint *endpoint, int fd, sctp_assoc_t id,
			       unsigned int flags, bool *ret_peeled)
{
	struct association *association;
	int ret = -1;

	*ret_peeled = false;
	if (!lock_take(&endpoint->lock))
		return -1;
	association = association_find(&endpoint->associations, id);
	if (association && association_peeled(association)) {
		*ret_peeled = true;
		if (peel_alive(association->source.fd, id)) {
			ret = hand_over(endpoint, fd, association, flags);
		} else {
			errno = EINVAL;
		}
	}
	lock_release(&endpoint->lock);
	return ret;
}

int peel_for_program(struct endpoint *endpoint, int fd, sctp_assoc_t id, int option,
		     unsigned int flags)
{
	uint64_t began = now_ns();
	bool peeled = false;
	int ret, kept;

	for (;;) {
		uint32_t sequence = peel_sequence(endpoint);

		ret = hand_over_if_peeled(endpoint, fd, id, flags, &peeled);
		if (peeled)
			break;
		ret = peel_option(fd, id, option, flags);
		if (ret >= 0 || errno != EINVAL || !peel_settled(endpoint, sequence))
			break;
	}
	kept = errno;
	if (ret >= 0 && !peeled) {
		fdtable_set(ret, FD_FOREIGN);
		restore(endpoint, fd, ret, id, false);
		if (lock_take(&endpoint->lock)) {
			peel_forget_shared(endpoint, id, "moved");
			lock_release(&endpoint->lock);
		}
	}
	tell_program(fd, id, ret, ret < 0 ? kept : 0, flags, now_ns() - began);
	errno = kept;
	return ret;
}
