/* SPDX-License-Identifier: MIT */
/*
 * Makes a trace in the shim's own words, for report and simulate:
 *
 *   trace_maker ASSOCIATIONS MESSAGES   every hundredth association is heavy (a tenth of all
 *                                       messages is theirs in any case), delays the others, and
 *                                       is peeled off at its 100th message
 *   trace_maker damage SEED <TRACE      changes, cuts, doubles and joins lines, some of them
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events/record.h"
#include "policy/policy.h"

enum { EVERY = 100, PEEL_AT = 100 };

struct made {
	uint64_t bytes, msgs, first_ns, last_ns;
	bool peeled;
};

static struct settings settings = {.trace_format = FORMAT_JSONL, .program = "maker"};
static struct made *associations;
static uint64_t now = 1000000000, seq, state;
static unsigned int count, peeled;

static uint64_t chance(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

static void put(const struct event *event)
{
	char line[1 + RECORD_MAX];
	struct record record = {
		.settings = &settings,
		.event = event,
		.when = {1767225600 + (time_t)(now / 1000000000), (long)(now % 1000000000)},
		.mono_ns = now,
		.seq = seq++,
		.pid = 4242,
		.tid = 4243,
	};

	fwrite(line + 1, record_format(&record, line + 1), 1, stdout);
}

static void put_of(unsigned int which, struct event *event)
{
	const struct made *made = &associations[which];
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(2905)};
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(38412)};

	peer.sin_addr.s_addr = htonl(0x0a000000 + which + 1);
	local.sin_addr.s_addr = htonl(0xc0000201);
	event->fd = 7;
	event->assoc_id = which + 1;
	event->peer = (struct sockaddr *)&peer;
	event->local = (struct sockaddr *)&local;
	event->has_input = true;
	event->input.bytes = made->bytes;
	event->input.msgs = made->msgs;
	event->input.age_ns = now - made->first_ns;
	event->input.assocs = count;
	event->input.peeled = peeled;
	event->input.now_ns = now;
	event->input.idle_ns = now - made->last_ns;
	put(event);
}

static void put_state(unsigned int which, const char *what)
{
	struct event event = EVENT_INIT(EVENT_ASSOC);

	event.state = what;
	event.by = strcmp(what, "up") == 0 ? "message" : NULL;
	put_of(which, &event);
}

static void put_message(unsigned int which, uint64_t bytes)
{
	struct event event = EVENT_INIT(EVENT_MSG);

	event.stream = 1;
	event.ppid = 60;
	event.bytes = (int64_t)bytes;
	event.has_flags = true;
	/* as long as the heavy ones are in the way */
	event.wait_ns = peeled < count / EVERY ? 5000000 + (int64_t)chance() % 5000000
					       : 100000 + (int64_t)chance() % 100000;
	put_of(which, &event);
}

static void put_verdict(unsigned int which, enum event_kind kind, const char *verdict)
{
	struct event event = EVENT_INIT(kind);

	event.verdict = kind == EVENT_DECISION ? verdict : NULL;
	event.rule_index = 0;
	event.rule = "heavy";
	event.reason = kind == EVENT_DECISION ? "msgs=100 >= 100" : NULL;
	event.by = kind == EVENT_PEEL ? "policy" : NULL;
	event.has_effect = true;
	event.effect.fd = (int)(1000 + which);
	event.effect.latency_ns = 15000;
	event.effect.queued = -1;
	put_of(which, &event);
}

static void receive(unsigned int which)
{
	struct made *made = &associations[which];
	uint64_t bytes = which % EVERY == 0 ? 1400 : 64 + chance() % 64;

	now += 1000 + chance() % 1000;
	if (made->msgs == 0) {
		made->first_ns = made->last_ns = now;
		put_state(which, "up");
	}
	made->bytes += bytes;
	made->msgs++;
	put_message(which, bytes);
	made->last_ns = now;
	if (which % EVERY != 0 || made->msgs != PEEL_AT)
		return;
	put_verdict(which, EVENT_DECISION, "peel");
	now += 20000;
	put_verdict(which, EVENT_PEEL, NULL);
	made->peeled = true;
	peeled++;
}

static int make(unsigned int wanted, unsigned long messages)
{
	struct policy_error error;

	count = wanted;
	associations = calloc(count, sizeof(*associations));
	settings.policy = policy_parse("heavy: peel if msgs >= 100", &error);
	if (!associations || !settings.policy)
		return 1;
	for (unsigned long i = 0; i < messages; i++) {
		unsigned int which = (unsigned int)(chance() % count);

		receive(i % 10 == 0 ? which / EVERY * EVERY : which);
	}
	for (unsigned int i = 0; i < count; i++)
		if (associations[i].msgs > 0)
			put_state(i, "down");
	return fflush(stdout) == 0 ? 0 : 1;
}

/* A tenth of the lines, each in one way. */
static void damage_line(char *line, size_t length)
{
	static const char marks[] = "\"\\{}[],:0-9eE.xtn \001\200\377";
	size_t at = (size_t)(chance() % length);

	switch (chance() % 40) {
	case 0: /* changed */
		line[at] = marks[chance() % (sizeof(marks) - 1)];
		break;
	case 1: /* cut, the next one runs into it */
		length = at;
		break;
	case 2: /* joined */
		length--;
		break;
	case 3: /* doubled byte */
		fwrite(line, at, 1, stdout);
		line += at ? at - 1 : 0;
		length -= at ? at - 1 : 0;
		break;
	default:
		break;
	}
	fwrite(line, length, 1, stdout);
}

static int damage(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, stdin)) > 0)
		damage_line(line, (size_t)length);
	free(line);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	if (strcmp(argv[1], "damage") == 0) {
		state = strtoul(argv[2], NULL, 10);
		return damage();
	}
	return make((unsigned int)strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
}
