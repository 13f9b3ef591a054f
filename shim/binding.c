/* SPDX-License-Identifier: MIT */
#include "binding.h"

#include <errno.h>

#include "peel.h"
#include "siblings.h"

static void bind_to(struct endpoint *endpoint, struct source *source, bool by_peek)
{
	PUBLISH(endpoint->bound, source);
	endpoint->bound_by_peek = by_peek;
	endpoint->binding++;
	endpoint->naps = 0;
}

void binding_show(struct endpoint *endpoint, struct source *source)
{
	if (!endpoint->bound || endpoint->bound_by_peek)
		bind_to(endpoint, source, true);
}

void binding_take(struct endpoint *endpoint, struct source *source, sctp_assoc_t id, bool end)
{
	if (end) {
		binding_leave(endpoint, source);
		return;
	}
	bind_to(endpoint, source, false);
	endpoint->half_read = id;
	endpoint->half_read_ns = now_ns();
}

void binding_leave(struct endpoint *endpoint, const struct source *source)
{
	if (endpoint->bound == source)
		bind_to(endpoint, NULL, false);
}

bool binding_elsewhere(const struct endpoint *endpoint, const struct source *source)
{
	return endpoint->bound && endpoint->bound != source;
}

/*
 * Nobody is told, who has not asked for it, that the rest of a message was given up: by an abort
 * (net/sctp/ulpqueue.c:sctp_ulpq_abort_pd), by a restart, or since its lifetime was over
 * (SCTP_PR_SCTP_TTL), after which the association lives on. A rest that is on its way comes sooner
 * than this: RTO.max (RFC 9260 16).
 */
static const uint64_t GIVEN_UP_NS = UINT64_C(60000000000);

static bool is_given_up(const struct endpoint *endpoint, int fd)
{
	return (endpoint->half_read != 0 && !peel_alive(fd, endpoint->half_read)) ||
	       now_ns() - endpoint->half_read_ns > GIVEN_UP_NS;
}

/* The rest goes to whoever reads next, and that may have been another process: who knows? */
static bool may_be_taken(const struct endpoint *endpoint)
{
	return endpoint->commons && !siblings_alone(endpoint);
}

bool binding_awaits(struct endpoint *endpoint, struct source *source, int fd, uint32_t chosen)
{
	bool rest = !endpoint->bound_by_peek && !as_set(endpoint)->interleave;

	if (endpoint->bound != source || endpoint->binding != chosen)
		return false;
	if (rest && !is_given_up(endpoint, fd) && !may_be_taken(endpoint))
		return true;
	binding_leave(endpoint, source);
	return false;
}

int binding_rest(struct endpoint *endpoint, int fd)
{
	int ret = -1;

	if (!lock_take(&endpoint->lock))
		return -1;
	if (endpoint->bound && !endpoint->bound_by_peek)
		ret = endpoint->bound->fd >= 0 ? endpoint->bound->fd : fd;
	lock_release(&endpoint->lock);
	return ret;
}

/* Each twice as long as the one before. */
static uint64_t length_of_nap(struct endpoint *endpoint, uint64_t deadline)
{
	const uint64_t shortest = 1000000;
	const uint32_t doublings = 3;
	uint32_t naps = __atomic_fetch_add(&endpoint->naps, 1, __ATOMIC_RELAXED);
	uint64_t ret = shortest << (naps < doublings ? naps : doublings), now;

	if (deadline == 0)
		return ret;
	now = now_ns();
	if (now >= deadline)
		return 0;
	return deadline - now < ret ? deadline - now : ret;
}

int binding_nap(struct endpoint *endpoint, int fd, uint64_t deadline)
{
	struct pollfd rest = {.fd = binding_rest(endpoint, fd), .events = POLLIN};
	struct timespec length = {0, 0};
	int kept = errno;

	if (rest.fd < 0)
		return 0;
	length.tv_nsec = (long)length_of_nap(endpoint, deadline);
	if (libc.ppoll(&rest, 1, &length, NULL) < 0 && errno == EINTR)
		return -1;
	errno = kept;
	return 0;
}
