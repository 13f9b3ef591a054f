/* SPDX-License-Identifier: MIT */
#include "fanin.h"

#include <errno.h>
#include <string.h>

#include "events/events.h"
#include "news.h"
#include "peel.h"
#include "sleep.h"
#include "source_queue.h"
#include "telling.h"

/* One try to receive from one source. */
struct attempt {
	struct source *source;
	struct association *association; /* NULL: the original */
	int fd;
	ssize_t n;
	int error;
	struct received got;
	struct judgement judgement;
};

enum outcome { DELIVER, TRY_ON };

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
	struct sockaddr_in6 name;
	struct msghdr inner = {
		.msg_name = outer->msg_name ? outer->msg_name : &name,
		.msg_namelen = outer->msg_name ? outer->msg_namelen : (socklen_t)sizeof(name),
		.msg_iov = outer->msg_iov,
		.msg_iovlen = outer->msg_iovlen,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	attempt->n = libc.recvmsg(attempt->fd, &inner, flags);
	attempt->error = attempt->n < 0 ? errno : 0;
	if (attempt->n < 0)
		return;
	ancillary_read(&inner, (size_t)attempt->n, &attempt->got);
	ancillary_deliver(&inner, outer, endpoint->set->hides_rcvinfo,
			  endpoint->set->hides_arrival);
}

/* Reads the rest of a notification that the program must not see and had too small a buffer for. */
static void drain(int fd)
{
	char rest[256];
	struct iovec iov = {rest, sizeof(rest)};
	struct msghdr msg;

	do
		msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	while (libc.recvmsg(fd, &msg, MSG_DONTWAIT) > 0 && !(msg.msg_flags & MSG_EOR));
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

/* Notifications that came because of us alone. `take`: it is read now, not only looked at. */
static bool hides(struct association *association, const struct received *got, bool take)
{
	if (got->notification == SCTP_ASSOC_CHANGE)
		return association->hides_changes;
	if (got->notification != SCTP_SENDER_DRY_EVENT || association->hides_dry == 0)
		return false;
	association->hides_dry -= take;
	return true;
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
			tell_state(endpoint, association, "restart");
	}
	if (hides(association, got, true))
		return true;
	account(endpoint, association, attempt, now);
	association->last_seen_ns = now;
	return false;
}

/* True when something that the program may see stands first; lock held. */
static bool has_visible(struct association *association)
{
	char bytes[sizeof(struct sctp_assoc_change)];
	struct iovec iov = {bytes, sizeof(bytes)};

	for (;;) {
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = libc.recvmsg(association->source.fd, &msg, MSG_PEEK | MSG_DONTWAIT);
		struct received got;

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return false;
		/* an error that the end left behind is told once (KERNEL.md 4) */
		if (n < 0)
			continue;
		ancillary_read(&msg, (size_t)n, &got);
		if (!hides(association, &got, true))
			return n > 0;
		drain(association->source.fd);
	}
}

static void reap(struct endpoint *endpoint, struct association *association)
{
	if (association->retired || has_visible(association))
		return;
	if (endpoint->commons)
		(void)mailbox_post(endpoint, LETTER_ENDED, association);
	peel_retire(endpoint, association);
}

void fanin_over(struct endpoint *endpoint, struct association *association)
{
	association->ended = true;
	if (!association->retired && !has_visible(association))
		peel_retire(endpoint, association);
}

void fanin_reap(struct endpoint *endpoint, struct association *association)
{
	int kept = errno;

	if (lock_take(&endpoint->lock)) {
		association->ended = true;
		reap(endpoint, association);
		lock_release(&endpoint->lock);
	}
	errno = kept;
}

static enum outcome settle_success(struct endpoint *endpoint, struct attempt *attempt,
				   const struct msghdr *msg, int flags, uint64_t now)
{
	struct source *source = attempt->source;
	bool peek = (flags & MSG_PEEK) != 0, hidden = false;

	if (attempt->association && attempt->association->retired)
		return DELIVER;
	if (attempt->n == 0 && !reads_nothing(msg)) {
		/* shutdown(SHUT_RD): a source that says so for ever must not hide the others */
		if (!attempt->association) {
			queue_remove(endpoint, source);
			return queue_has_others(endpoint) ? TRY_ON : DELIVER;
		}
		fanin_leave(endpoint, source);
		return TRY_ON;
	}
	if (attempt->association && peek) {
		if (hides(attempt->association, &attempt->got, true)) {
			drain(attempt->fd);
			attempt->association->ended |=
				!peel_alive(attempt->fd, attempt->association->id);
			queue_keep(endpoint, source);
			return TRY_ON;
		}
	} else if (attempt->association) {
		hidden = settle_peeled(endpoint, attempt, now);
	} else if (!peek) {
		settle_original(endpoint, attempt, now);
	}
	if (hidden) {
		if (!attempt->got.end)
			drain(attempt->fd);
		queue_keep(endpoint, source);
		return TRY_ON;
	}
	endpoint->bound = peek || !attempt->got.end ? source : NULL;
	endpoint->bound_by_peek = peek;
	queue_served(endpoint, source);
	if (attempt->association && attempt->association->ended && attempt->got.end && !peek)
		reap(endpoint, attempt->association);
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
	struct association *association = attempt->association;
	bool was_bound = endpoint->bound == attempt->source;

	if (association && association->retired)
		return TRY_ON;
	if (!association) {
		if (attempt->error == EAGAIN)
			queue_remove(endpoint, attempt->source);
		if (was_bound && (attempt->error != EAGAIN || endpoint->bound_by_peek ||
				  endpoint->set->interleave))
			endpoint->bound = NULL;
		return attempt->error == EAGAIN && endpoint->associations.peeled > 0 &&
				       endpoint->bound != attempt->source
			       ? TRY_ON
			       : DELIVER;
	}
	if (is_end_error(attempt->error)) {
		association->ended |= !peel_alive(attempt->fd, association->id);
		queue_keep(endpoint, attempt->source);
		return TRY_ON;
	}
	if (attempt->error != EAGAIN)
		return DELIVER;
	queue_remove(endpoint, attempt->source);
	if (association->ended || (was_bound && !peel_alive(attempt->fd, association->id))) {
		association->ended = true;
		/* another thread may have found the end since we looked: its news is still there */
		reap(endpoint, association);
		if (!association->retired)
			queue_keep(endpoint, attempt->source);
		return TRY_ON;
	}
	/* the rest of a message in partial delivery has not come yet: others wait, as natively */
	if (was_bound && !endpoint->bound_by_peek && !endpoint->set->interleave)
		return DELIVER;
	if (was_bound)
		endpoint->bound = NULL;
	return TRY_ON;
}

/* Does the original's next message come from an association that we do not know yet? */
static bool has_newcomer(const struct endpoint *endpoint, int fd)
{
	char control[ANCILLARY_SIZE] __attribute__((aligned(8)));
	char bytes[sizeof(struct sctp_assoc_change)];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct received got;
	ssize_t n = libc.recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return false;
	ancillary_read(&msg, (size_t)n, &got);
	return got.id != 0 && !association_find(&endpoint->associations, got.id);
}

/* A peer that comes back: the end of its old association is told before the new one begins. */
static struct source *choose(struct endpoint *endpoint, int fd, uint64_t now, int *looks)
{
	struct source *source = queue_choose(endpoint, now, looks), *ended;

	if (source != &endpoint->original || endpoint->bound || endpoint->hub < 0 ||
	    endpoint->associations.peeled == 0 || !has_newcomer(endpoint, fd))
		return source;
	ended = queue_take_ended(endpoint, now);
	if (!ended)
		return source;
	queue_keep(endpoint, source);
	return ended;
}

/* Locks, so nested in a signal handler that interrupted us there is only the original. */
static ssize_t receive_nested(struct endpoint *endpoint, int fd, struct msghdr *msg, int flags)
{
	struct attempt attempt = {.fd = fd};

	receive_from(endpoint, &attempt, msg, flags);
	errno = attempt.error ? attempt.error : errno;
	return attempt.n;
}

/*
 * Receives what there is now; -1 with EAGAIN when there is nothing. Without MSG_DONTWAIT in `flags`
 * the kernel does the waiting, on the original alone.
 */
static ssize_t receive_now(struct endpoint *endpoint, int fd, struct msghdr *msg, int flags)
{
	struct attempt attempt;
	const struct msghdr asked = *msg;
	enum outcome outcome;
	uint64_t now = now_ns();
	int looks = 0;

	news_hear(endpoint, fd);
	do {
		memset(&attempt, 0, offsetof(struct attempt, judgement));
		attempt.judgement.tell = attempt.judgement.act = false;
		if (!lock_take(&endpoint->lock))
			return receive_nested(endpoint, fd, msg, flags);
		attempt.source = choose(endpoint, fd, now, &looks);
		if (!attempt.source) {
			lock_release(&endpoint->lock);
			news_hear(endpoint, fd);
			errno = EAGAIN;
			return -1;
		}
		attempt.fd = fd;
		if (attempt.source != &endpoint->original) {
			attempt.association = (struct association *)(void *)attempt.source;
			attempt.fd = attempt.source->fd;
			peel_use(attempt.association);
		}
		lock_release(&endpoint->lock);
		*msg = asked;
		receive_from(endpoint, &attempt, msg, flags);
		if (!(flags & MSG_DONTWAIT))
			now = now_ns();
		(void)lock_take(&endpoint->lock);
		outcome = attempt.n >= 0 ? settle_success(endpoint, &attempt, &asked, flags, now)
					 : settle_failure(endpoint, &attempt);
		lock_release(&endpoint->lock);
		if (attempt.association)
			peel_unuse(endpoint, attempt.association);
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
	bool sleeps = !(flags & MSG_DONTWAIT) && !endpoint->set->nonblock;
	bool asleep = false; /* one that sleeps already sleeps on when the last association ends */
	uint64_t deadline = 0;

	if (flags & MSG_ERRQUEUE)
		return libc.recvmsg(fd, msg, flags);
	if (sleep_in_kernel(endpoint))
		return receive_now(endpoint, fd, msg, flags);
	for (;;) {
		ssize_t n;

		if (sleeps && sleep_first(endpoint) < 0)
			return -1;
		n = receive_now(endpoint, fd, msg, flags | MSG_DONTWAIT);
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
	if (endpoint->associations.peeled == 0 || endpoint->bound ||
	    now_ns() - endpoint->looked_ns < often_enough)
		return;
	(void)fanin_readable(endpoint, fd);
	if (endpoint->bound_by_peek && lock_take(&endpoint->lock)) {
		if (endpoint->bound_by_peek && endpoint->bound)
			queue_keep(endpoint, endpoint->bound);
		if (endpoint->bound_by_peek)
			endpoint->bound = NULL;
		lock_release(&endpoint->lock);
	}
	errno = kept;
}

int fanin_next(struct endpoint *endpoint, int fd, struct association **ret_association)
{
	struct source *source;
	int looks = 0, ret = fd;

	*ret_association = NULL;
	if (!fanin_readable(endpoint, fd) || !lock_take(&endpoint->lock))
		return fd;
	source = queue_choose(endpoint, now_ns(), &looks);
	if (source && source != &endpoint->original) {
		*ret_association = (struct association *)(void *)source;
		peel_use(*ret_association);
		ret = source->fd;
	}
	if (source && !endpoint->bound) {
		endpoint->bound = source;
		endpoint->bound_by_peek = true;
	}
	lock_release(&endpoint->lock);
	return ret;
}

bool fanin_readable(struct endpoint *endpoint, int fd)
{
	char bytes[4];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return receive_now(endpoint, fd, &msg, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}
