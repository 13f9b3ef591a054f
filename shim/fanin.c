/* SPDX-License-Identifier: MIT */
#include "fanin.h"

#include <errno.h>
#include <string.h>

#include "attempt.h"
#include "binding.h"
#include "ending.h"
#include "events/events.h"
#include "newcomer.h"
#include "news.h"
#include "peel.h"
#include "sleep.h"
#include "source_queue.h"

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

	attempt_receive(endpoint, &attempt, msg, flags);
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
	ret = attempt->n >= 0 ? attempt_succeeded(endpoint, attempt, asked, purpose, now)
			      : attempt_failed(endpoint, attempt);
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
		attempt_receive(endpoint, &attempt, msg, flags);
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
