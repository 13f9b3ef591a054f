/* SPDX-License-Identifier: MIT */
#include "telling.h"

#include <string.h>
#include <sys/ioctl.h>

#include "events/events.h"
#include "events/live_page.h"
#include "events/statistics.h"
#include "probes.h"

static const char *const verdicts[] = {
	[VERDICT_KEEP] = "keep",
	[VERDICT_PEEL] = "peel",
	[VERDICT_HOLD] = "hold",
};

static const enum statistics_verdict counted[] = {
	[VERDICT_KEEP] = COUNTED_KEEP,
	[VERDICT_PEEL] = COUNTED_PEEL,
	[VERDICT_HOLD] = COUNTED_HOLD,
};

/* Addresses of one event, as the event record wants them. */
struct addresses {
	struct sockaddr_in6 peer, local;
};

static void set_addresses(struct event *event, struct addresses *addresses,
			  const struct endpoint *endpoint, const struct peer_address *peer)
{
	if (peer->family) {
		peer_address_to(peer, &addresses->peer);
		event->peer = (const struct sockaddr *)&addresses->peer;
	}
	if (endpoint->local.family) {
		peer_address_to(&endpoint->local, &addresses->local);
		event->local = (const struct sockaddr *)&addresses->local;
	}
}

static void set_live_address(struct live_address *to, const struct peer_address *from)
{
	to->family = from->family;
	to->port = from->port;
	memcpy(to->bytes, from->bytes, sizeof(to->bytes));
}

/* As strncpy: a string that fills its field has no end. */
static void set_text(char *to, size_t size, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length > 0)
		memcpy(to, text, length < size ? length : size);
}

/* Lock held. Not in the way of a message but for the first one. */
static void show(const struct endpoint *endpoint, struct association *association)
{
	struct live_slot shown = {
		.state = association_peeled(association) ? LIVE_PEELED : LIVE_SHARED,
		.fd = endpoint->number,
		.assoc_id = association->id,
		.first_seen_ns = association->first_seen_ns,
		.last_seen_ns = association->last_seen_ns,
		.bytes = association->bytes,
		.msgs = association->msgs,
		.sndblocked = association->sndblocked,
		.rule_index = association->rule,
	};

	set_live_address(&shown.peer, &association->peer);
	set_live_address(&shown.local, &endpoint->local);
	set_text(shown.verdict, sizeof(shown.verdict), verdicts[association->verdict]);
	if (association->rule >= 0)
		set_text(shown.rule, sizeof(shown.rule),
			 policy_rule_name(settings_get()->policy, association->rule));
	set_text(shown.held, sizeof(shown.held), association->held);
	live_show(&association->live, &shown);
}

static void show_again(struct endpoint *endpoint, sctp_assoc_t id)
{
	struct association *association;

	if (!events_watched_live() || !lock_take(&endpoint->lock))
		return;
	association = association_find(&endpoint->associations, id);
	if (association)
		show(endpoint, association);
	lock_release(&endpoint->lock);
}

static void tell_change(struct endpoint *endpoint, struct association *association,
			const char *state, const char *by)
{
	struct event event = EVENT_INIT(EVENT_ASSOC);
	struct addresses addresses;

	if (strcmp(state, "down") == 0)
		DTRACE_PROBE5(sctpeel, assoc_down, endpoint->number, association->id,
			      association->bytes, association->msgs,
			      association_peeled(association));
	if (events_watched_live())
		show(endpoint, association);
	if (!events_want(EVENT_ASSOC))
		return;
	event.fd = endpoint->number;
	event.assoc_id = association->id;
	event.state = state;
	event.by = by;
	event.has_input = true;
	event.input.bytes = association->bytes;
	event.input.msgs = association->msgs;
	event.input.age_ns = association->last_seen_ns - association->first_seen_ns;
	event.input.assocs = endpoint->associations.count;
	event.input.peeled = endpoint->associations.peeled;
	event.input.now_ns = by ? association->last_seen_ns : 0;
	set_addresses(&event, &addresses, endpoint, &association->peer);
	events_emit(&event);
}

void tell_state(struct endpoint *endpoint, struct association *association, const char *state)
{
	tell_change(endpoint, association, state, NULL);
}

/* What judges it first: nothing but a message or COMM_UP does. */
void tell_up(struct endpoint *endpoint, struct association *association,
	     const struct received *received)
{
	const char *by = received->notification == 0	    ? "message"
			 : received->change == SCTP_COMM_UP ? "COMM_UP"
							    : "notification";

	tell_change(endpoint, association, "up", by);
}

/* Clocks are set back at times. */
static int64_t waited(uint64_t arrived_ns)
{
	struct timespec now;
	int64_t ret;

	clock_gettime(CLOCK_REALTIME, &now);
	ret = now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)arrived_ns;
	return ret > 0 ? ret : 0;
}

void tell_message(struct endpoint *endpoint, struct association *association,
		  const struct received *received, uint64_t size, uint64_t now)
{
	struct event event = EVENT_INIT(EVENT_MSG);
	struct addresses addresses;

	if (events_watched_live() &&
	    !live_count(association->live, association->bytes, association->msgs, now))
		show(endpoint, association);
	if (!events_want(EVENT_MSG))
		return;
	event.fd = endpoint->number;
	event.assoc_id = association->id;
	event.stream = received->stream;
	event.ppid = received->ppid;
	event.bytes = (int64_t)size;
	event.has_flags = true;
	event.flags = received->flags;
	if (received->arrived_ns)
		event.wait_ns = waited(received->arrived_ns);
	event.has_input = true;
	event.input.bytes = association->bytes;
	event.input.msgs = association->msgs;
	event.input.age_ns = now - association->first_seen_ns;
	event.input.assocs = endpoint->associations.count;
	event.input.peeled = endpoint->associations.peeled;
	event.input.now_ns = now;
	event.input.idle_ns = now - association->last_seen_ns;
	event.input.sndblocked = association->sndblocked;
	set_addresses(&event, &addresses, endpoint, &association->peer);
	events_emit(&event);
}

static void set_effect(struct event *event, int number, int error, uint64_t latency_ns)
{
	int queued = 0;

	event->has_effect = true;
	event->effect.fd = number;
	event->effect.cloexec = number >= 0;
	event->effect.error = error;
	event->effect.latency_ns = latency_ns;
	event->effect.queued = -1;
	if (number >= 0 && libc.ioctl(number, FIONREAD, &queued) == 0)
		event->effect.queued = queued;
}

static void set_judgement(struct event *event, struct addresses *addresses,
			  const struct endpoint *endpoint, int fd,
			  const struct judgement *judgement)
{
	event->fd = fd;
	event->assoc_id = judgement->id;
	if (judgement->received.notification == 0) {
		event->stream = judgement->received.stream;
		event->ppid = judgement->received.ppid;
	}
	event->rule_index = judgement->result.rule;
	if (judgement->result.rule >= 0)
		event->rule = policy_rule_name(settings_get()->policy, judgement->result.rule);
	set_addresses(event, addresses, endpoint, &judgement->peer);
}

void tell_decision(struct endpoint *endpoint, int fd, const struct judgement *judgement, int number,
		   int error, uint64_t latency_ns)
{
	struct event event = EVENT_INIT(EVENT_DECISION);
	struct addresses addresses;
	const char *reason = judgement->held ? judgement->held : judgement->result.reason;

	DTRACE_PROBE5(sctpeel, decision, fd, judgement->id, verdicts[judgement->verdict],
		      judgement->result.rule, reason);
	show_again(endpoint, judgement->id);
	statistics_count_decision(judgement->result.rule, counted[judgement->verdict]);
	if (!events_want(EVENT_DECISION))
		return;
	set_judgement(&event, &addresses, endpoint, fd, judgement);
	event.verdict = verdicts[judgement->verdict];
	event.reason = reason;
	event.has_input = true;
	event.input.bytes = judgement->bytes;
	event.input.msgs = judgement->msgs;
	event.input.age_ns = judgement->now - judgement->first_seen_ns;
	event.input.assocs = judgement->assocs;
	event.input.peeled = judgement->peeled;
	event.input.now_ns = judgement->now;
	event.input.idle_ns = judgement->idle_ns;
	if (judgement->act)
		set_effect(&event, number, error, latency_ns);
	events_emit(&event);
}

void tell_peel(struct endpoint *endpoint, int fd, const struct judgement *judgement, int number,
	       int error, uint64_t latency_ns)
{
	struct event event = EVENT_INIT(EVENT_PEEL);
	struct addresses addresses;

	DTRACE_PROBE5(sctpeel, peel, fd, judgement->id, number, error, latency_ns);
	if (!events_want(EVENT_PEEL))
		return;
	set_judgement(&event, &addresses, endpoint, fd, judgement);
	event.by = "policy";
	set_effect(&event, number, error, latency_ns);
	events_emit(&event);
}

void tell_program(int fd, sctp_assoc_t id, int number, int error, unsigned int flags,
		  uint64_t latency_ns)
{
	struct event event = EVENT_INIT(EVENT_PEEL);

	DTRACE_PROBE5(sctpeel, peel, fd, id, number, error, latency_ns);
	if (!events_want(EVENT_PEEL))
		return;
	event.fd = fd;
	event.assoc_id = id;
	event.by = "program";
	set_effect(&event, number, error, latency_ns);
	event.effect.cloexec = number >= 0 && (flags & SOCK_CLOEXEC);
	event.effect.nonblock = number >= 0 && (flags & SOCK_NONBLOCK);
	events_emit(&event);
}

void tell_error(sctp_assoc_t id, const char *what, int error)
{
	struct event event = EVENT_INIT(EVENT_ERROR);

	if (!events_want(EVENT_ERROR))
		return;
	event.assoc_id = id;
	event.detail = what;
	event.has_effect = true;
	event.effect.fd = -1;
	event.effect.error = error;
	event.effect.queued = -1;
	events_emit(&event);
}

void tell_call(int fd, sctp_assoc_t id, const char *call)
{
	struct event event = EVENT_INIT(EVENT_CALL);

	DTRACE_PROBE3(sctpeel, route, fd, id, call);
	if (!events_want(EVENT_CALL))
		return;
	event.fd = fd;
	event.assoc_id = id;
	event.state = call;
	events_emit(&event);
}
