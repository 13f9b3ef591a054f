/* SPDX-License-Identifier: MIT */
/*
 * suggest: who delayed others, and what tells them from the rest.
 *
 * A message that waited for w and was read at t waited while those read between t - w and t were
 * handled. These are blamed for that time; those with clearly more of it than the mean are to be
 * isolated. A figure parts them from the rest when the least of theirs is above the most of the
 * others'.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "replay.h"

enum { READS = 1024 };
static const uint64_t second = 1000000000, delay = 1000000;

/* The last reads of a socket. */
struct blame {
	uint32_t next;
	struct {
		uint64_t at;
		struct replay_association *association;
	} reads[READS];
};

static void put_blame(struct blame *blame, const struct replay_association *waiting, uint64_t now,
		      uint64_t since)
{
	uint64_t until = now;

	for (uint32_t back = 1; back <= READS && back <= blame->next; back++) {
		uint32_t at = (blame->next - back) % READS;
		uint64_t from = blame->reads[at].at;

		if (until <= since)
			return;
		if (blame->reads[at].association != waiting && until > from)
			blame->reads[at].association->blamed_ns +=
				until - (from > since ? from : since);
		until = from;
	}
}

static void most(uint64_t *at, uint64_t value)
{
	if (value > *at)
		*at = value;
}

static void add_figures(struct replay_association *association, uint64_t now, uint64_t bytes)
{
	struct replay_socket *socket = association->socket;
	uint64_t part, whole;

	window_add(&association->rate, second, now, bytes);
	window_add(&association->msgrate, second, now, 1);
	window_add(&socket->window, second, now, bytes);
	part = window_sum(&association->rate, second, now);
	whole = window_sum(&socket->window, second, now);
	most(&association->most_rate, part);
	most(&association->most_msgrate, window_sum(&association->msgrate, second, now));
	/* the first messages of a socket are all of it */
	if (whole > 0 && now - association->first_ns > second)
		most(&association->most_share, multiply_divide(part, 100, whole));
}

void suggest_add(struct replay *replay, struct replay_association *association, uint64_t now,
		 const struct trace_event *event)
{
	struct replay_socket *socket = association->socket;
	struct blame *blame;

	if (socket->blame == NULL)
		socket->blame = calloc(1, sizeof(*socket->blame));
	blame = socket->blame;
	add_figures(association, now, event->bytes > 0 ? (uint64_t)event->bytes : 0);
	if (blame == NULL)
		return;
	if (event->wait_ns >= 0)
		replay->has_waits = true;
	if (event->wait_ns >= (int64_t)delay) {
		uint64_t wait = (uint64_t)event->wait_ns;

		replay->delayed++;
		replay->waited_ns += wait;
		put_blame(blame, association, now, now > wait ? now - wait : 0);
	}
	blame->reads[blame->next % READS].at = now;
	blame->reads[blame->next % READS].association = association;
	blame->next++;
}

struct parties {
	struct replay_association **all; /* those to be isolated first */
	size_t count, blamed;
	uint64_t blame, whole_blame;
};

static int compare(const void *left, const void *right)
{
	const struct replay_association *a = *(struct replay_association *const *)left;
	const struct replay_association *b = *(struct replay_association *const *)right;

	if (a->blamed_ns != b->blamed_ns)
		return a->blamed_ns < b->blamed_ns ? 1 : -1;
	return a->key.number < b->key.number ? -1 : a->key.number > b->key.number;
}

/* For half more than the mean, at least. */
static bool is_to_blame(const struct replay_association *association, const struct parties *parties)
{
	uint64_t mean = parties->whole_blame / parties->count;

	return association->blamed_ns > mean + mean / 2;
}

/* Chance puts some of the others among them: the last step of a fifth or more parts these off. */
static size_t last_step(const struct parties *parties)
{
	for (size_t i = parties->blamed; i > 0 && i < parties->count; i--) {
		uint64_t next = parties->all[i]->blamed_ns;

		if (parties->all[i - 1]->blamed_ns > next + next / 5)
			return i;
	}
	return parties->blamed;
}

static bool find_parties(const struct replay *replay, struct parties *ret)
{
	size_t n = 0;

	*ret = (struct parties){.count = HASH_COUNT(replay->associations)};
	ret->all = calloc(ret->count + 1, sizeof(struct replay_association *));
	if (ret->all == NULL)
		return false;
	for (struct replay_association *a = replay->associations; a != NULL; a = a->hh.next) {
		ret->all[n++] = a;
		ret->whole_blame += a->blamed_ns;
	}
	qsort(ret->all, n, sizeof(struct replay_association *), compare);
	while (ret->blamed < n && is_to_blame(ret->all[ret->blamed], ret))
		ret->blamed++;
	ret->blamed = last_step(ret);
	for (size_t i = 0; i < ret->blamed; i++)
		ret->blame += ret->all[i]->blamed_ns;
	return true;
}

static const struct measure {
	const char *format; /* of the policy */
	const char *what;
	size_t offset;
	uint64_t unit;
} measures[] = {
	{"peel if rate(1s) >= %" PRIu64 "K/s", "KiB/s in a second",
	 offsetof(struct replay_association, most_rate), 1024},
	{"peel if msgrate(1s) >= %" PRIu64 "/s", "messages/s in a second",
	 offsetof(struct replay_association, most_msgrate), 1},
	{"peel if share(1s) >= %" PRIu64 "%% and age >= 1s", "% of all bytes in a second",
	 offsetof(struct replay_association, most_share), 1},
	{"peel if msgs >= %" PRIu64, "messages in all", offsetof(struct replay_association, msgs),
	 1},
	{"peel if bytes >= %" PRIu64 "K", "KiB in all", offsetof(struct replay_association, bytes),
	 1024},
};

static uint64_t figure_of(const struct replay_association *association,
			  const struct measure *measure)
{
	uint64_t value;

	memcpy(&value, (const char *)association + measure->offset, sizeof(value));
	return value;
}

/* The least number of two digits and noughts that is above the one and not above the other. */
static uint64_t round_between(uint64_t above, uint64_t most_allowed)
{
	uint64_t unit = 1, value = above + 1;

	while (value / unit >= 100)
		unit *= 10;
	value = (value + unit - 1) / unit * unit;
	return value <= most_allowed ? value : most_allowed;
}

/* NULL when the figure does not part them. */
static char *try_measure(const struct parties *parties, const struct measure *measure, FILE *to)
{
	uint64_t least = UINT64_MAX, most_of_others = 0, threshold;
	char *text = NULL;

	for (size_t i = 0; i < parties->count; i++) {
		uint64_t value = figure_of(parties->all[i], measure);

		if (i < parties->blamed && value < least)
			least = value;
		if (i >= parties->blamed && value > most_of_others)
			most_of_others = value;
	}
	/* in whole units: theirs downwards, the others' upwards */
	least /= measure->unit;
	most_of_others = (most_of_others + measure->unit - 1) / measure->unit;
	if (least <= most_of_others)
		return NULL;
	threshold = round_between(most_of_others, least);
	/* the formats are those of the table above */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (asprintf(&text, measure->format, threshold) < 0)
		return NULL;
#pragma GCC diagnostic pop
	fprintf(to,
		"  %s\n    each of them reached at least %" PRIu64 " %s, of the others none more "
		"than %" PRIu64 "\n",
		text, least, measure->what, most_of_others);
	return text;
}

static void print_reason(const struct replay *replay, const struct parties *parties, FILE *to)
{
	char count[FIGURE], time[FIGURE];

	fprintf(to, "%s messages waited for 1 ms or longer, ",
		figure_count(count, replay->delayed));
	fprintf(to, "%s in all; %zu of %zu associations are behind %" PRIu64 " %% of that:\n",
		figure_time(time, (int64_t)replay->waited_ns), parties->blamed, parties->count,
		parties->whole_blame ? multiply_divide(parties->blame, 100, parties->whole_blame)
				     : 0);
	for (size_t i = 0; i < parties->blamed && i < 10; i++)
		fprintf(to, "  association %" PRId64 ": others waited for %s behind its messages\n",
			parties->all[i]->key.number,
			figure_time(time, (int64_t)parties->all[i]->blamed_ns));
	fputc('\n', to);
}

static size_t print_policies(const struct parties *parties, FILE *to, char **ret_policies,
			     size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]) && n < room; i++) {
		ret_policies[n] = try_measure(parties, &measures[i], to);
		n += ret_policies[n] != NULL;
	}
	if (n == 0)
		fputs("  no single figure parts them from the others: name their addresses "
		      "(peel if peer ...)\n",
		      to);
	return n;
}

size_t suggest_print(const struct replay *replay, FILE *to, char **ret_policies, size_t room)
{
	struct parties parties;
	size_t n = 0;

	if (!find_parties(replay, &parties))
		return 0;
	if (replay->delayed == 0 || parties.whole_blame == 0) {
		fputs("no message waited for 1 ms behind another association's: nothing to "
		      "isolate\n",
		      to);
	} else {
		print_reason(replay, &parties, to);
		if (parties.blamed == 0)
			fputs("  nobody more than the others: peel all (-p all)\n", to);
		else
			n = print_policies(&parties, to, ret_policies, room);
	}
	free(parties.all);
	return n;
}
