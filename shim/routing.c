/* SPDX-License-Identifier: MIT */
#include "routing.h"

#include <errno.h>
#include <signal.h>

#include "ancillary.h"
#include "ending.h"
#include "exclusion.h"
#include "fanin.h"
#include "peel.h"
#include "peeled.h"
#include "stalls.h"
#include "telling.h"

#ifndef SCTP_SENDALL
#define SCTP_SENDALL (1 << 6)
#endif

struct user {
	struct endpoint *endpoint;
	struct association *association;
};

static void unuse(struct user *user)
{
	if (user->association)
		peel_unuse(user->endpoint, user->association);
}

/* The kernel sends SIGPIPE with EPIPE; we always ask it not to, and do it when it is due. */
static void raise_pipe(int flags)
{
	if (errno != EPIPE || (flags & MSG_NOSIGNAL))
		return;
	raise(SIGPIPE);
	errno = EPIPE;
}

static ssize_t send_on(const struct endpoint *endpoint, int fd, const struct msghdr *msg, int flags)
{
	/* O_NONBLOCK is the program's on its own socket; ours stay blocking and follow it so */
	flags |= MSG_NOSIGNAL | (as_set(endpoint)->nonblock ? MSG_DONTWAIT : 0);
	return flags & MSG_DONTWAIT ? libc.sendmsg(fd, msg, flags)
				    : CANCELLABLE(libc.sendmsg(fd, msg, flags));
}

/* The address decides when both are given (KERNEL.md 3); a name that is no address goes nowhere. */
static struct association *find(struct endpoint *endpoint, const struct msghdr *msg,
				const struct destination *to)
{
	if (to->peer.family && !(endpoint->family == AF_INET && to->in6))
		return peeled_by_address(endpoint, &to->peer);
	if (msg->msg_name && msg->msg_namelen > 0)
		return NULL;
	return to->has_id ? peeled_by_id(endpoint, to->id) : NULL;
}

static bool is_end_error(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ECONNABORTED ||
	       error == ETIMEDOUT || error == ENOTCONN;
}

enum routed { SENT_OR_FAILED, ENDED };

static enum routed send_to_peeled(struct endpoint *endpoint, int fd,
				  struct association *association, const struct msghdr *msg,
				  int flags, bool aborts, ssize_t *ret)
{
	tell_call(fd, association->id, "sendmsg");
	*ret = send_on(endpoint, association->source.fd, msg, flags);
	if (*ret >= 0) {
		stalls_sent(endpoint, association);
		if (unlikely(GLANCE(endpoint->asks_room)))
			stalls_ask(endpoint, association);
		if (aborts)
			ending_met(endpoint, association);
		return SENT_OR_FAILED;
	}
	if (errno == EAGAIN) {
		association->sndblocked++;
		stalls_begin(endpoint, association);
		return SENT_OR_FAILED;
	}
	if (!is_end_error(errno))
		return SENT_OR_FAILED;
	if (peel_alive(association->source.fd, association->id)) {
		/*
		 * EPIPE: it was blocked, and is shutting down (sctp_wait_for_sndbuf): its end is
		 * yet to be told. Else an error was left pending: the next send says how things
		 * stand
		 */
		if (errno != EPIPE)
			*ret = send_on(endpoint, association->source.fd, msg, flags);
		return SENT_OR_FAILED;
	}
	ending_met(endpoint, association);
	return ENDED;
}

/* On the original, with peels kept off if it may set an association up. */
static ssize_t send_on_original(struct endpoint *endpoint, int fd, const struct msghdr *msg,
				int flags, const struct destination *to)
{
	if (to->peer.family && !peeled_knows_address(endpoint, &to->peer)) {
		EXCLUDE_PEELS(endpoint);

		return send_on(endpoint, fd, msg, flags);
	}
	return send_on(endpoint, fd, msg, flags);
}

/* SCTP_SENDALL passes over the others in silence (net/sctp/socket.c:sctp_sendmsg_check_sflags). */
static bool is_established(const struct association *association)
{
	struct sctp_status status = {.sstat_assoc_id = association->id};
	socklen_t len = sizeof(status);

	return libc.getsockopt(association->source.fd, SOL_SCTP, SCTP_STATUS, &status, &len) < 0 ||
	       status.sstat_state == SCTP_ESTABLISHED;
}

/* Each association on its own; the first failure ends it, as in sctp_sendmsg (net/sctp/socket.c).
 */
static ssize_t send_to_all(struct endpoint *endpoint, int fd, const struct msghdr *msg, int flags)
{
	EXCLUDE_PEELS(endpoint);
	ssize_t ret = send_on(endpoint, fd, msg, flags);

	if (ret < 0)
		return ret;
	FOR_EACH_PEELED (association, endpoint) {
		ssize_t n;

		if (!is_established(association) ||
		    send_to_peeled(endpoint, fd, association, msg, flags, false, &n) == ENDED)
			continue;
		/* it began to end meanwhile */
		if (n < 0 && errno == ESHUTDOWN)
			continue;
		if (n < 0) {
			peel_unuse(endpoint, association);
			return n;
		}
		ret = n > ret ? n : ret;
	}
	return ret;
}

static ssize_t send_to_one(struct endpoint *endpoint, int fd, const struct msghdr *msg, int flags,
			   const struct destination *to)
{
	for (;;) {
		uint32_t sequence = peel_sequence(endpoint);
		struct user user
			__attribute__((cleanup(unuse))) = {endpoint, find(endpoint, msg, to)};
		bool ended = false;
		ssize_t ret;

		if (user.association) {
			if (send_to_peeled(endpoint, fd, user.association, msg, flags,
					   (to->flags & SCTP_ABORT) != 0, &ret) == SENT_OR_FAILED)
				return ret;
			ended = true;
			errno = EPIPE;
			/* by address, one socket sets a new association up */
			if (!to->peer.family)
				return -1;
		}
		ret = send_on_original(endpoint, fd, msg, flags, to);
		if (ret >= 0 || ended)
			return ret;
		/*
		 * EPIPE (by id), EADDRNOTAVAIL or EINVAL (by address): what the original says of an
		 * association that was peeled off, also while we were blocked in the send (K2, K3)
		 */
		if (errno != EPIPE && errno != EADDRNOTAVAIL && errno != EINVAL)
			return ret;
		if (!peel_settled(endpoint, sequence) &&
		    !(to->peer.family && peeled_learn_addresses(endpoint, errno == EADDRNOTAVAIL)))
			return ret;
	}
}

/*
 * A peeled socket has no ear for it and takes the primary path (KERNEL.md 4): what is used so stays
 * where it is.
 */
static void note_chosen_path(struct endpoint *endpoint, const struct destination *to)
{
	struct association *association = peeled_by_address(endpoint, &to->peer);

	peel_hold(endpoint, "sends to addresses of its choice (SCTP_ADDR_OVER)");
	if (!association)
		return;
	tell_error(association->id,
		   "SCTP_ADDR_OVER: what is peeled off already takes the primary path", 0);
	peel_unuse(endpoint, association);
}

ssize_t routing_send(struct endpoint *endpoint, int fd, const struct msghdr *msg, int flags)
{
	struct destination to;
	ssize_t ret;

	cancellation_point();
	if (settings_never_peel())
		return CANCELLABLE(libc.sendmsg(fd, msg, flags));
	ancillary_destination(msg, &to);
	fanin_tidy(endpoint, fd);
	if (unlikely(to.flags & SCTP_ADDR_OVER) && to.peer.family)
		note_chosen_path(endpoint, &to);
	if (to.flags & SCTP_SENDALL)
		ret = send_to_all(endpoint, fd, msg, flags);
	else
		ret = send_to_one(endpoint, fd, msg, flags, &to);
	if (ret < 0)
		raise_pipe(flags);
	return ret;
}

bool routing_is_connected(struct endpoint *endpoint, const struct peer_address *address)
{
	struct association *association;
	int kept = errno;
	bool ret;

	(void)peeled_learn_addresses(endpoint, false);
	association = peeled_by_address(endpoint, address);
	ret = association && peel_alive(association->source.fd, association->id);
	if (association)
		peel_unuse(endpoint, association);
	errno = kept;
	return ret;
}

int routing_connect(struct endpoint *endpoint, int fd, const struct sockaddr *addr, socklen_t len)
{
	EXCLUDE_PEELS(endpoint);
	int ret = CANCELLABLE(libc.connect(fd, addr, len));
	struct peer_address address;

	if (ret < 0 && errno == EADDRNOTAVAIL && peer_address_from(&address, addr, len) &&
	    routing_is_connected(endpoint, &address))
		errno = EISCONN;
	return ret;
}

int routing_shutdown(struct endpoint *endpoint, int fd, int how)
{
	EXCLUDE_PEELS(endpoint);
	int ret = libc.shutdown(fd, how), kept = errno;

	/* a socket that listens is not touched by it; one that does not is, whatever it answers
	 * (K4) */
	if (!as_set(endpoint)->listening)
		FOR_EACH_PEELED (association, endpoint)
			libc.shutdown(association->source.fd, how);
	errno = kept;
	return ret;
}
