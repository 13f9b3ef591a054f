/* SPDX-License-Identifier: MIT */
#include "fanin.h"

#include <errno.h>
#include <string.h>

#include "binding.h"
#include "ending.h"
#include "events/events.h"
#include "newcomer.h"
#include "news.h"
#include "peel.h"
#include "sleep.h"
#include "source_queue.h"
#include "telling.h"

/* One try to receive from one source. */
struct attempt {
	struct source *source;
	struct association *association; /* NULL: the original */
	uint32_t binding;		 /* endpoint->binding when it was chosen */
	bool goes_on;			 /* with the rest of a notification */
	int fd;
	ssize_t n;
	int error;
	struct received got;
	struct judgement judgement;
};

enum outcome { DELIVER, TRY_ON };
/* The program takes a message; it is shown the one that it will take; the shim alone looks. */
enum purpose { TAKE, SHOW, LOOK };

static bool reads_nothing(const struct msghdr *msg)
{
	for (size_t i = 0; i < msg->msg_iovlen; i++)
		if (msg->msg_iov[i].iov_len > 0)
			return false;
	return true;
}

/* Receives into a control buffer of ours; `outer` gets its fields only if something came. */
static void receive_from(struct endpoint *endpoint, struct attempt *attempt, struct msghdr *outer,
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

static enum outcome settle_success(struct endpoint *endpoint, struct attempt *attempt,
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

static enum outcome settle_failure(struct endpoint *endpoint, struct attempt *attempt)
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

/* A peer that comes back: the end of its old association is told before the new one begins. */
static struct source *choose(struct endpoint *endpoint, int fd, uint64_t now, int *looks)
{
	struct source *source = queue_choose(endpoint, now, looks), *first;

	if (source != &endpoint->original || endpoint->bound || endpoint->hub < 0 ||
	    endpoint->hub_inherited || endpoint->associations.peeled == 0)
		return source;
	first = newcomer_waits_for(endpoint, fd, now);
	if (!first)
		return source;
	queue_keep(endpoint, source);
	return first;
}

/* Locks, so nested in a signal handler that interrupted us there is only the original. */
static ssize_t receive_nested(struct endpoint *endpoint, int fd, struct msghdr *msg, int flags)
{
	struct attempt attempt = {.fd = fd};

	receive_from(endpoint, &attempt, msg, flags);
	errno = attempt.error ? attempt.error : errno;
	return attempt.n;
}

/* A receive that is inside a peeled association: leaves it also when its thread is cancelled. */
struct visit {
	struct endpoint *endpoint;
	struct association *association;
};

static void visit_end(struct visit *visit)
{
	if (!visit->association)
		return;
	if (lock_take(&visit->endpoint->lock)) {
		visit->association->readers--;
		ending_left(visit->endpoint, visit->association);
		lock_release(&visit->endpoint->lock);
	}
	peel_unuse(visit->endpoint, visit->association);
}

/* Whose turn is it? Lock held; false: nobody has anything. */
static bool begin(struct endpoint *endpoint, struct attempt *attempt, struct visit *visit, int fd,
		  uint64_t now, int *looks)
{
	memset(attempt, 0, offsetof(struct attempt, judgement));
	attempt->judgement.tell = attempt->judgement.act = false;
	attempt->fd = fd;
	attempt->source = choose(endpoint, fd, now, looks);
	if (!attempt->source)
		return false;
	attempt->binding = endpoint->binding;
	attempt->goes_on = endpoint->bound == attempt->source && !endpoint->bound_by_peek &&
			   endpoint->half_notification;
	if (attempt->source == &endpoint->original)
		return true;
	attempt->association = (struct association *)(void *)attempt->source;
	attempt->fd = attempt->source->fd;
	peel_use(attempt->association);
	attempt->association->readers++;
	visit->association = attempt->association;
	return true;
}

/*
 * What came of it. Where something was taken away there may be more behind it than the kernel tells
 * at once, so that one more look is due: an edge-triggered set is told but once.
 */
static enum outcome settle(struct endpoint *endpoint, struct attempt *attempt, struct visit *visit,
			   const struct msghdr *asked, enum purpose purpose, uint64_t now,
			   int *looks)
{
	enum outcome ret;
	uint32_t departures;

	(void)lock_take(&endpoint->lock);
	departures = endpoint->departures;
	visit->association = NULL;
	if (attempt->association)
		attempt->association->readers--;
	ret = attempt->n >= 0 ? settle_success(endpoint, attempt, asked, purpose, now)
			      : settle_failure(endpoint, attempt);
	if (attempt->association)
		ending_left(endpoint, attempt->association);
	if (*looks > 1 &&
	    ((attempt->association && attempt->n >= 0) || endpoint->departures != departures))
		*looks = 1;
	lock_release(&endpoint->lock);
	if (attempt->association)
		peel_unuse(endpoint, attempt->association);
	return ret;
}

/*
 * Receives what there is now; -1 with EAGAIN when there is nothing. Without MSG_DONTWAIT in `flags`
 * the kernel does the waiting, on the original alone.
 */
static ssize_t receive_now(struct endpoint *endpoint, int fd, struct msghdr *msg, int flags,
			   enum purpose purpose)
{
	struct visit visit __attribute__((cleanup(visit_end))) = {endpoint, NULL};
	struct attempt attempt;
	const struct msghdr asked = *msg;
	enum outcome outcome;
	uint64_t now = now_ns();
	int looks = 0;
	bool found;

	news_hear(endpoint, fd);
	do {
		if (!lock_take(&endpoint->lock))
			return receive_nested(endpoint, fd, msg, flags);
		found = begin(endpoint, &attempt, &visit, fd, now, &looks);
		lock_release(&endpoint->lock);
		if (!found) {
			news_hear(endpoint, fd);
			errno = EAGAIN;
			return -1;
		}
		*msg = asked;
		receive_from(endpoint, &attempt, msg, flags);
		if (!(flags & MSG_DONTWAIT))
			now = now_ns();
		outcome = settle(endpoint, &attempt, &visit, &asked, purpose, now, &looks);
		if (attempt.judgement.tell || attempt.judgement.act)
			peel_act(endpoint, fd, &attempt.judgement);
	} while (outcome == TRY_ON);
	/* a look may have taken what would wake a wait for it */
	news_hear(endpoint, fd);
	events_tend(now);
	if (attempt.n < 0)
		errno = attempt.error;
	return attempt.n;
}

ssize_t fanin_receive(struct endpoint *endpoint, int fd, struct msghdr *msg, int flags)
{
	enum purpose purpose = flags & MSG_PEEK ? SHOW : TAKE;
	bool sleeps = !(flags & MSG_DONTWAIT) && !as_set(endpoint)->nonblock;
	bool asleep = false; /* one that sleeps already sleeps on when the last association ends */
	uint64_t deadline = 0;

	cancellation_point();
	if (flags & MSG_ERRQUEUE)
		return libc.recvmsg(fd, msg, flags);
	if (sleep_in_kernel(endpoint))
		return receive_now(endpoint, fd, msg, flags, purpose);
	for (;;) {
		ssize_t n;

		if (sleeps && sleep_first(endpoint) < 0)
			return -1;
		n = receive_now(endpoint, fd, msg, flags | MSG_DONTWAIT, purpose);
		if (n >= 0 || errno != EAGAIN)
			return n;
		if (!sleeps) {
			errno = EAGAIN;
			return -1;
		}
		if (!asleep && sleep_has_no_end(endpoint, fd)) {
			errno = ENOTCONN;
			return -1;
		}
		asleep = true;
		if (sleep_for_source(endpoint, fd, &deadline) < 0)
			return -1;
	}
}

void fanin_tidy(struct endpoint *endpoint, int fd)
{
	const uint64_t often_enough = 1000000;
	int kept = errno;

	news_hear(endpoint, fd);
	if (GLANCE(endpoint->associations.peeled) > 0 && !GLANCE(endpoint->bound) &&
	    now_ns() - GLANCE(endpoint->looked_ns) >= often_enough)
		(void)fanin_readable(endpoint, fd);
	errno = kept;
}

/* Is there anything? Shown, it is what the next receive returns. */
static bool finds(struct endpoint *endpoint, int fd, enum purpose purpose)
{
	char bytes[4];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return receive_now(endpoint, fd, &msg, MSG_PEEK | MSG_DONTWAIT, purpose) >= 0 ||
	       errno != EAGAIN;
}

int fanin_next(struct endpoint *endpoint, int fd, struct association **ret_association)
{
	struct source *source;
	int ret = fd;

	*ret_association = NULL;
	if (!finds(endpoint, fd, SHOW) || !lock_take(&endpoint->lock))
		return fd;
	source = endpoint->bound;
	if (source && source != &endpoint->original) {
		*ret_association = (struct association *)(void *)source;
		peel_use(*ret_association);
		ret = source->fd;
	}
	lock_release(&endpoint->lock);
	return ret;
}

void fanin_spliced(struct endpoint *endpoint)
{
	if (!lock_take(&endpoint->lock))
		return;
	if (endpoint->bound && endpoint->bound_by_peek)
		binding_leave(endpoint, endpoint->bound);
	lock_release(&endpoint->lock);
}

bool fanin_readable(struct endpoint *endpoint, int fd)
{
	return finds(endpoint, fd, LOOK);
}
