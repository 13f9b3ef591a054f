/* SPDX-License-Identifier: MIT */
#include "binding.h"

#include <errno.h>

#include "peel.h"

static void bind_to(struct endpoint *endpoint, struct source *source, bool by_peek)
{
	endpoint->bound = source;
	endpoint->bound_by_peek = by_peek;
	endpoint->binding++;
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

bool binding_awaits(struct endpoint *endpoint, struct source *source, int fd, uint32_t chosen)
{
	bool rest = !endpoint->bound_by_peek && !endpoint->set->interleave;

	if (endpoint->bound != source || endpoint->binding != chosen)
		return false;
	/* nobody hears of an abort who has not asked for it: net/sctp/ulpqueue.c:sctp_ulpq_abort_pd
	 */
	if (rest && (endpoint->half_read == 0 || peel_alive(fd, endpoint->half_read)))
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

void binding_nap(struct endpoint *endpoint, int fd)
{
	int kept = errno;
	struct pollfd rest = {.fd = binding_rest(endpoint, fd), .events = POLLIN};

	if (rest.fd >= 0)
		libc.poll(&rest, 1, 1);
	errno = kept;
}
