/* SPDX-License-Identifier: MIT */
#include "subscriptions.h"

#include <errno.h>
#include <string.h>

#include "ending.h"
#include "mailbox.h"
#include "peel.h"
#include "peeled.h"

/* What its end has queued already was queued under the wish of that time (KERNEL.md 1). */
static void set_hides_changes(struct endpoint *endpoint, struct association *association,
			      bool hides)
{
	if (association->hides_changes == hides ||
	    !peel_alive(association->source.fd, association->id))
		return;
	association->hides_changes = hides;
	if (endpoint->commons && lock_take(&endpoint->lock)) {
		(void)mailbox_post(endpoint, LETTER_WISHES, association);
		lock_release(&endpoint->lock);
	}
}

/* The subscription that we need stays; the program's wish decides what it sees. */
int subscription_set_event_of(struct endpoint *endpoint, struct association *association,
			      const void *value, socklen_t len)
{
	struct sctp_event event;

	memcpy(&event, value, sizeof(event));
	if (event.se_type != SCTP_ASSOC_CHANGE)
		return libc.setsockopt(association->source.fd, SOL_SCTP, SCTP_EVENT, value, len);
	set_hides_changes(endpoint, association, !event.se_on);
	event.se_on = 1;
	return libc.setsockopt(association->source.fd, SOL_SCTP, SCTP_EVENT, &event, sizeof(event));
}

/*
 * Subscribing to SCTP_SENDER_DRY_EVENT on a socket with one association answers at once when
 * nothing is to be sent; with many it does not (net/sctp/socket.c:sctp_setsockopt_events).
 */
static void expect_dry(struct association *association)
{
	struct sctp_status status = {.sstat_assoc_id = association->id};
	socklen_t len = sizeof(status);

	if (libc.getsockopt(association->source.fd, SOL_SCTP, SCTP_STATUS, &status, &len) == 0 &&
	    status.sstat_unackdata == 0)
		association->hides_dry++;
}

/*
 * The socket's own copy stays as the program sets it, the association's has our subscription; what
 * ended in between is noticed here.
 */
static void resubscribe(struct endpoint *endpoint, struct association *association)
{
	int fd = association->source.fd;
	bool hides = peel_subscribe(fd, association->id);

	if (peel_alive(fd, association->id))
		set_hides_changes(endpoint, association, hides);
	else
		ending_met(endpoint, association);
}

static void set_events_on(struct endpoint *endpoint, struct association *association,
			  const void *value, socklen_t len, bool dry)
{
	if (dry)
		expect_dry(association);
	libc.setsockopt(association->source.fd, SOL_SCTP, SCTP_EVENTS, value, len);
	resubscribe(endpoint, association);
}

/*
 * SCTP_DATA_IO_EVENT is looked up in the socket's own copy (K4), which only SCTP_EVENTS changes on
 * a peeled one.
 */
static void set_data_io_on(struct endpoint *endpoint, struct association *association, bool on)
{
	struct sctp_event_subscribe events;
	socklen_t len = sizeof(events);

	if (libc.getsockopt(association->source.fd, SOL_SCTP, SCTP_EVENTS, &events, &len) < 0)
		return;
	events.sctp_data_io_event = on;
	set_events_on(endpoint, association, &events, len, events.sctp_sender_dry_event);
}

int subscription_set_event(struct endpoint *endpoint, int fd, const void *value, socklen_t len)
{
	int ret = libc.setsockopt(fd, SOL_SCTP, SCTP_EVENT, value, len), kept = errno;
	struct sctp_event event;

	memcpy(&event, value, sizeof(event));
	if (ret == 0)
		FOR_EACH_PEELED (association, endpoint) {
			if (event.se_type == SCTP_DATA_IO_EVENT)
				set_data_io_on(endpoint, association, event.se_on);
			else if (event.se_assoc_id != SCTP_FUTURE_ASSOC)
				subscription_set_event_of(endpoint, association, value, len);
		}
	errno = kept;
	return ret;
}

int subscription_set_events(struct endpoint *endpoint, int fd, const void *value, socklen_t len)
{
	int ret = libc.setsockopt(fd, SOL_SCTP, SCTP_EVENTS, value, len), kept = errno;
	struct sctp_event_subscribe events;

	if (ret < 0)
		return ret;
	memset(&events, 0, sizeof(events));
	memcpy(&events, value, len < sizeof(events) ? len : sizeof(events));
	/* only as many as were given are changed (net/sctp/socket.c:sctp_setsockopt_events) */
	if (len > 0)
		FOR_EACH_PEELED (association, endpoint)
			set_events_on(endpoint, association, value, len,
				      events.sctp_sender_dry_event);
	errno = kept;
	return ret;
}
