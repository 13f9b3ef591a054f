/* SPDX-License-Identifier: MIT */
#include "attempt.h"

#include <errno.h>

#include "binding.h"
#include "commons.h"
#include "ending.h"
#include "events/events.h"
#include "peel.h"
#include "source_queue.h"
#include "telling.h"

static bool reads_nothing(const struct msghdr *msg)
{
	for (size_t i = 0; i < msg->msg_iovlen; i++)
		if (msg->msg_iov[i].iov_len > 0)
			return false;
	return true;
}

void attempt_receive(struct endpoint *endpoint, struct attempt *attempt, struct msghdr *outer,
		     int flags)
{
	char control[ANCILLARY_SIZE] __attribute__((aligned(8)));
	socklen_t room = outer->msg_name ? outer->msg_namelen
					 : (socklen_t)sizeof(struct sockaddr_in6),
		  said;
	struct sockaddr_in6 name;
	struct msghdr inner = {
		.msg_name = outer->msg_name ? outer->msg_name : &name,
		.msg_namelen = room,
		.msg_iov = outer->msg_iov,
		.msg_iovlen = outer->msg_iovlen,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	attempt->n = flags & MSG_DONTWAIT ? libc.recvmsg(attempt->fd, &inner, flags)
					  : CANCELLABLE(libc.recvmsg(attempt->fd, &inner, flags));
	attempt->error = attempt->n < 0 ? errno : 0;
	if (attempt->n < 0)
		return;
	/* the kernel says how long the name is, not how much of it had room */
	said = inner.msg_namelen;
	inner.msg_namelen = said < room ? said : room;
	ancillary_read(&inner, (size_t)attempt->n, &attempt->got);
	inner.msg_namelen = said;
	ancillary_deliver(&inner, outer, as_set(endpoint)->hides_rcvinfo,
			  as_set(endpoint)->hides_arrival);
}

static void account(struct endpoint *endpoint, struct association *association,
		    struct attempt *attempt, uint64_t now)
{
	const struct policy *policy = settings_get()->policy;
	struct received *got = &attempt->got;
	uint64_t size;

	if (got->peer.family && !association->peer.family) {
		association->peer = got->peer;
		association_add_address(&endpoint->associations, association, &got->peer);
	}
	if (got->notification)
		return;
	association->unfinished += (uint64_t)attempt->n;
	if (!got->end)
		return;
	size = association->unfinished;
	association->unfinished = 0;
	association->bytes += size;
	association->msgs++;
	events_count_message(size);
	policy_account(policy, association->state, endpoint->policy_state, now, size);
	if (unlikely(events_want_messages()))
		tell_message(endpoint, association, got, size, now);
}

static bool says_end(const struct received *got)
{
	return got->notification == SCTP_ASSOC_CHANGE &&
	       (got->change == SCTP_COMM_LOST || got->change == SCTP_SHUTDOWN_COMP ||
		got->change == SCTP_CANT_STR_ASSOC);
}

static void see_first(struct endpoint *endpoint, int fd, struct association *association,
		      const struct received *got, uint64_t now)
{
	struct sockaddr_in6 local;
	socklen_t len = sizeof(local);

	if (!endpoint->local.family && getsockname(fd, (struct sockaddr *)&local, &len) == 0)
		(void)peer_address_from(&endpoint->local, (struct sockaddr *)&local, len);
	if (got->peer.family) {
		association->peer = got->peer;
		association_add_address(&endpoint->associations, association, &got->peer);
	}
	tell_up(endpoint, association, got);
	peel_review(endpoint, fd, now);
}

/* Something of a shared association came: the record is made, kept, or dropped at its end. */
static void settle_original(struct endpoint *endpoint, struct attempt *attempt, uint64_t now)
{
	struct associations *all = &endpoint->associations;
	struct received *got = &attempt->got;
	struct association *association = got->id ? association_find(all, got->id) : NULL;
	struct counted *counted = NULL;

	if (got->id == 0 || (association && association_peeled(association)))
		return;
	if (says_end(got)) {
		peel_forget_shared(endpoint, got->id, "down");
		return;
	}
	if (!association) {
		association = association_add(all, got->id, now);
		if (!association)
			return;
		see_first(endpoint, attempt->fd, association, got, now);
	}
	if (unlikely(endpoint->commons != NULL))
		counted = commons_take(endpoint, association);
	account(endpoint, association, attempt, now);
	if (got->notification ? got->change == SCTP_COMM_UP : got->end)
		judge(endpoint, attempt->fd, association, got, now, &attempt->judgement);
	association->last_seen_ns = now;
	if (counted)
		commons_put(endpoint, association, counted);
}

/* What was delivered in part before has no rest. */
static void settle_restart(struct endpoint *endpoint, struct association *association)
{
	tell_state(endpoint, association, "restart");
	binding_leave(endpoint, &association->source);
}

/* True: the program must not see it. */
static bool settle_peeled(struct endpoint *endpoint, struct attempt *attempt, uint64_t now)
{
	struct association *association = attempt->association;
	struct received *got = &attempt->got;

	if (got->notification == SCTP_ASSOC_CHANGE) {
		if (got->change == -1)
			association->ended |= !peel_alive(attempt->fd, association->id);
		else if (says_end(got))
			association->ended = true;
		else if (got->change == SCTP_RESTART)
			settle_restart(endpoint, association);
	}
	if (ending_hides(association, got, true))
		return true;
	account(endpoint, association, attempt, now);
	association->last_seen_ns = now;
	return false;
}

/* Whatever its bytes look like. */
static struct received rest_of_notification(const struct endpoint *endpoint, bool end)
{
	return (struct received){
		.id = endpoint->half_read,
		.notification = SCTP_SN_TYPE_BASE,
		.change = -1,
		.end = end,
	};
}

enum outcome attempt_succeeded(struct endpoint *endpoint, struct attempt *attempt,
			       const struct msghdr *msg, enum purpose purpose, uint64_t now)
{
	struct source *source = attempt->source;
	bool peek = purpose != TAKE, hidden = false;

	if (attempt->association && attempt->association->retired)
		return DELIVER;
	if (attempt->goes_on && attempt->got.notification)
		attempt->got = rest_of_notification(endpoint, attempt->got.end);
	if (peek && binding_elsewhere(endpoint, source)) {
		queue_keep(endpoint, source);
		return TRY_ON;
	}
	if (attempt->n == 0 && !reads_nothing(msg)) {
		/* shutdown(SHUT_RD): a source that says so for ever must not hide the others */
		if (!attempt->association) {
			queue_remove(endpoint, source);
			return queue_has_others(endpoint) ? TRY_ON : DELIVER;
		}
		fanin_leave(endpoint, source);
		return TRY_ON;
	}
	/* read with room for nothing: what it is only a look shows */
	if (attempt->association && attempt->n == 0 && attempt->got.notification &&
	    !attempt->goes_on && !ending_shows(endpoint, attempt->association))
		return TRY_ON;
	if (attempt->association && peek) {
		if (ending_hides(attempt->association, &attempt->got, false)) {
			attempt->association->ended |=
				!peel_alive(attempt->fd, attempt->association->id);
			ending_look(endpoint, attempt->association);
			return TRY_ON;
		}
	} else if (attempt->association) {
		hidden = settle_peeled(endpoint, attempt, now);
	} else if (!peek) {
		settle_original(endpoint, attempt, now);
	}
	if (hidden) {
		if (!attempt->got.end)
			ending_drain(attempt->fd);
		queue_keep(endpoint, source);
		return TRY_ON;
	}
	if (purpose == LOOK) {
		queue_keep(endpoint, source);
		return DELIVER;
	}
	if (peek)
		binding_show(endpoint, source);
	else
		binding_take(endpoint, source, attempt->got.id, attempt->got.end);
	if (!peek)
		endpoint->half_notification = attempt->got.notification && !attempt->got.end;
	queue_served(endpoint, source);
	if (attempt->association && attempt->association->ended && attempt->got.end && !peek)
		ending_look(endpoint, attempt->association);
	return DELIVER;
}

/* Errors that a peeled descriptor shows and one-to-many never does (KERNEL.md 4). */
static bool is_end_error(int error)
{
	return error == ECONNRESET || error == ECONNABORTED || error == ETIMEDOUT ||
	       error == EPIPE || error == ENOTCONN || error == EHOSTUNREACH ||
	       error == ENETUNREACH || error == ECONNREFUSED;
}

enum outcome attempt_failed(struct endpoint *endpoint, struct attempt *attempt)
{
	struct source *source = attempt->source;
	struct association *association = attempt->association;

	if (association && association->retired)
		return TRY_ON;
	if (!association && attempt->error != EAGAIN) {
		binding_leave(endpoint, source);
		return DELIVER;
	}
	if (association && is_end_error(attempt->error)) {
		association->ended |= !peel_alive(attempt->fd, association->id);
		queue_keep(endpoint, source);
		return TRY_ON;
	}
	if (attempt->error != EAGAIN)
		return DELIVER;
	queue_remove(endpoint, source);
	if (association && (association->ended || (endpoint->bound == source &&
						   !peel_alive(attempt->fd, association->id)))) {
		association->ended = true;
		/* another thread may have found the end since we looked: its news is still there */
		ending_look(endpoint, association);
		return TRY_ON;
	}
	/* the rest of a message in partial delivery has not come yet: others wait, as natively */
	if (binding_awaits(endpoint, source, attempt->fd, attempt->binding))
		return DELIVER;
	return endpoint->associations.peeled > 0 ? TRY_ON : DELIVER;
}
