/* SPDX-License-Identifier: MIT */
#include "variables.h"

#include <limits.h>
#include <sys/un.h>

#include "events/events.h"
#include "fault.h"
#include "policy/policy.h"
#include "policy_source.h"

#define SHOWN_MAX 80 /* how much of a wrong value is shown */

/* The values' memory: no allocation in other people's processes; untouched pages cost nothing. */
static char kept[POLICY_MAX + 32 * 1024];
static size_t kept_used;

static const char *const modes[] = {"enforce", "observe", "off", NULL};
static const char *const formats[] = {"jsonl", "logfmt", "text", NULL};
static const char *const on_errors[] = {"warn", "abort", "ignore", NULL};
static const char *const debugs[] = {"error", "warn", "info", "debug", NULL};

#define FIELD(name) offsetof(struct settings, name), sizeof(((struct settings *)NULL)->name)
#define BYTES_MAX ((uint64_t)INT_MAX)

/* clang-format off */
const struct variable variables[VARIABLES] = {
	[VARIABLE_POLICY] = {"SCTPEEL_POLICY", "volume", KIND_POLICY, FIELD(policy_text), 0, 0, false, NULL,
		"rules, @FILE, none, all, volume or help",
		"rules, @FILE, or a preset: none, all, volume; help shows this"},
	[VARIABLE_MODE] = {"SCTPEEL_MODE", "enforce", KIND_CHOICE, FIELD(mode), 0, 0, false, modes, NULL,
		"enforce; observe: decide and log, never peel; off"},
	[VARIABLE_TRACE] = {"SCTPEEL_TRACE", NULL, KIND_TRACE, FIELD(trace), 0, 0, false, NULL,
		"stderr, fd:N, unix:PATH, or a path with %p %n %h %t %%",
		"where events go: stderr, fd:N, unix:PATH (datagram), or a path with %p pid, %n program, %h host, %t start time (seconds since 1970), %%"},
	[VARIABLE_TRACE_FORMAT] = {"SCTPEEL_TRACE_FORMAT", "jsonl", KIND_CHOICE, FIELD(trace_format), 0, 0, false, formats, NULL,
		"jsonl, logfmt, or text for people"},
	[VARIABLE_TRACE_EVENTS] = {"SCTPEEL_TRACE_EVENTS", "start,assoc,decision,peel,error,drop,stop", KIND_EVENTS, FIELD(trace_events),
		0, 0, false, event_names, NULL,
		"which events: a comma list; all; !name takes one away; msg and call are for simulate and debugging"},
	[VARIABLE_TRACE_LIMIT] = {"SCTPEEL_TRACE_LIMIT", "64M", KIND_SIZE, FIELD(trace_limit), 4096, UINT64_MAX - 1, true, NULL,
		"a size of at least 4K, such as 64M, or inf",
		"size at which the trace file is rotated once, to .1; inf"},
	[VARIABLE_STATS] = {"SCTPEEL_STATS", NULL, KIND_PROM, FIELD(stats), 0, 0, false, NULL,
		"a path that ends in .prom: node_exporter reads no other",
		"Prometheus text file (*.prom, with % as above) for node_exporter's textfile collector"},
	[VARIABLE_STATS_INTERVAL] = {"SCTPEEL_STATS_INTERVAL", "10s", KIND_TIME, FIELD(stats_interval_ns), 100000000, UINT64_C(86400000000000),
		false, NULL, "a time from 100ms to 24h, such as 10s", "how often it is written"},
	[VARIABLE_LIVE] = {"SCTPEEL_LIVE", NULL, KIND_STRING, FIELD(live), 0, 0, false, NULL,
		"a folder", "folder for the shared-memory files that sctpeel top reads"},
	[VARIABLE_MAX] = {"SCTPEEL_MAX", "inf", KIND_COUNT, FIELD(max), 0, UINT32_MAX - 1, true, NULL,
		"a count such as 1000, or inf", "most peeled descriptors at once in a process"},
	[VARIABLE_FD_RESERVE] = {"SCTPEEL_FD_RESERVE", "64", KIND_COUNT, FIELD(fd_reserve), 0, 1u << 20, false, NULL,
		"a count from 0 to 1048576, such as 64", "descriptors of RLIMIT_NOFILE always left to the program"},
	[VARIABLE_RCVBUF] = {"SCTPEEL_RCVBUF", NULL, KIND_SIZE, FIELD(rcvbuf), 1, BYTES_MAX, false, NULL,
		"a size up to 2147483647, such as 256K", "receive buffer of peeled sockets (unset: as the program set it)"},
	[VARIABLE_SNDBUF] = {"SCTPEEL_SNDBUF", NULL, KIND_SIZE, FIELD(sndbuf), 1, BYTES_MAX, false, NULL,
		"a size up to 2147483647, such as 256K", "send buffer of peeled sockets, likewise"},
	[VARIABLE_QUANTUM] = {"SCTPEEL_QUANTUM", "16", KIND_COUNT, FIELD(quantum), 1, 65536, false, NULL,
		"a count from 1 to 65536, such as 16", "messages taken from one source before the next gets its turn"},
	[VARIABLE_PROGRAM] = {"SCTPEEL_PROGRAM", "*", KIND_STRING, FIELD(program_glob), 0, 0, false, NULL,
		"a glob such as amf*", "glob on the program's name; others pass through untouched"},
	[VARIABLE_FOLLOW] = {"SCTPEEL_FOLLOW", "true", KIND_BOOL, FIELD(follow), 0, 0, false, NULL,
		"true or false", "keep the shim in programs that this one executes"},
	[VARIABLE_ON_ERROR] = {"SCTPEEL_ON_ERROR", "warn", KIND_CHOICE, FIELD(on_error), 0, 0, false, on_errors, NULL,
		"bad configuration: warn and stay passive, abort (status 78 before main), ignore"},
	[VARIABLE_DEBUG] = {"SCTPEEL_DEBUG", "warn", KIND_CHOICE, FIELD(debug), 0, 0, false, debugs, NULL,
		"own diagnostics on stderr: error, warn, info, debug"},
	[VARIABLE_INJECT] = {"SCTPEEL_INJECT", NULL, KIND_INJECT, FIELD(inject), 0, 0, false, NULL,
		"SITE:ERRNO or SITE:delay=TIME, then :every=N, :after=N, :times=N; comma-separated",
		"faults for tests: peel:EMFILE, peel:EBUSY:every=3, trace:ENOSPC, epoll:ENOMEM, peel:delay=5ms"},
};
/* clang-format on */

const char *variable_keep(const char *string, size_t length)
{
	char *copy = kept + kept_used;

	if (length >= sizeof(kept) - kept_used)
		return NULL;
	memcpy(copy, string, length);
	copy[length] = '\0';
	kept_used += length + 1;
	return copy;
}

static void add_choices(struct line *report, const char *const *choices)
{
	for (int i = 0; choices[i]; i++)
		line_format(report, "%s%s", i == 0 ? "" : (choices[i + 1] ? ", " : " or "),
			    choices[i]);
}

/* Ends a mistake whose first line `report` has already: what would have been right. */
static bool mistaken(const struct variable *variable, struct line *report)
{
	line_string(report, "\n  allowed: ");
	if (variable->kind == KIND_EVENTS)
		line_string(report, "a comma list of all, ");
	if (variable->choices)
		add_choices(report, variable->choices);
	if (variable->kind == KIND_EVENTS)
		line_string(report, "; !name takes one away");
	if (variable->allowed)
		line_string(report, variable->allowed);
	line_char(report, '\n');
	return false;
}

static bool mistake(const struct variable *variable, struct word word, const char *what,
		    struct line *report)
{
	const char *nearest = NULL;

	line_format(report, "sctpeel: %s: '%.*s%s' %s", variable->name,
		    word.length > SHOWN_MAX ? SHOWN_MAX : (int)word.length, word.start,
		    word.length > SHOWN_MAX ? "..." : "", what);
	if (variable->choices && word.length < SHOWN_MAX) {
		char copy[SHOWN_MAX];

		memcpy(copy, word.start, word.length);
		copy[word.length] = '\0';
		nearest = policy_nearest(copy, variable->choices);
	}
	if (nearest)
		line_format(report, " (did you mean '%s'?)", nearest);
	return mistaken(variable, report);
}

static bool take_policy(const struct variable *variable, struct word word,
			struct settings *settings, struct line *report)
{
	const char *text =
		word.length <= POLICY_MAX ? variable_keep(word.start, word.length) : NULL;

	if (!text)
		return mistake(variable, word, "is too long: a policy has at most 64 KiB", report);
	return policy_source_take(variable->name, text, settings, report);
}

/* Percent signs must be understood, whatever the program's name and host may be. */
static bool pattern_is_good(const char *path)
{
	for (const char *c = path; *c; c++)
		if (*c == '%' && (*++c == '\0' || !strchr("pnht%", *c)))
			return false;
	return true;
}

static bool begins_with(struct word word, const char *prefix)
{
	return word.length > strlen(prefix) &&
	       word_is((struct word){word.start, strlen(prefix)}, prefix);
}

static bool take_trace(const struct variable *variable, struct word word, struct settings *settings,
		       struct line *report)
{
	const char *text =
		word.length < PATH_MAX - 256 ? variable_keep(word.start, word.length) : NULL;
	uint64_t number;

	if (!text)
		return mistake(variable, word, "is too long", report);
	settings->trace_path = text;
	if (word_is(word, "stderr")) {
		settings->trace_kind = TRACE_DESCRIPTOR;
		settings->trace_fd = 2;
	} else if (begins_with(word, "fd:")) {
		if (!value_count((struct word){text + 3, word.length - 3}, &number) ||
		    number > INT_MAX)
			return mistake(variable, word, "names no descriptor", report);
		settings->trace_kind = TRACE_DESCRIPTOR;
		settings->trace_fd = (int)number;
	} else if (begins_with(word, "unix:")) {
		if (word.length - 5 >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return mistake(variable, word, "is too long for a socket", report);
		settings->trace_kind = TRACE_UNIX;
		settings->trace_path = text + 5;
	} else if (word_is(word, "stdout") || word_is(word, "fd:") || word_is(word, "unix:")) {
		return mistake(variable, word, "is no place for events", report);
	} else if (!pattern_is_good(text)) {
		return mistake(variable, word, "has a '%' that means nothing", report);
	} else if (text[word.length - 1] == '/') {
		return mistake(variable, word, "is a folder", report);
	} else {
		settings->trace_kind = TRACE_FILE;
	}
	settings->trace = text;
	return true;
}

/* "decision,peel", "all,!msg"; a list that begins by taking away takes away from the default */
static bool take_events(const struct variable *variable, struct word word, uint32_t *events,
			struct line *report)
{
	uint32_t set = word.start[0] == '!' ? *events : 0;
	struct word item;

	while (word_next(&word, ',', &item)) {
		bool away;
		uint32_t bits = (1u << EVENT_KINDS) - 1;

		item = word_trim(item);
		if (item.length == 0)
			continue;
		away = item.start[0] == '!';
		if (away)
			item = word_trim((struct word){item.start + 1, item.length - 1});
		if (!word_is(item, "all")) {
			int kind = value_choice(item, event_names);

			if (kind < 0)
				return mistake(variable, item, "is not an event", report);
			bits = 1u << kind;
		}
		set = away ? set & ~bits : set | bits;
	}
	*events = set;
	return true;
}

static void store(const struct variable *variable, struct settings *settings, uint64_t number)
{
	char *field = (char *)settings + variable->offset;

	if (variable->width == sizeof(uint64_t)) {
		memcpy(field, &number, sizeof(number));
	} else {
		uint32_t small = (uint32_t)number;

		memcpy(field, &small, sizeof(small));
	}
}

static bool take_number(const struct variable *variable, struct word word,
			struct settings *settings, struct line *report)
{
	uint64_t number = UINT64_MAX;
	const char *noun = "a count";
	bool understood;

	if (variable->endless && word_is(word, "inf")) {
		store(variable, settings, UINT64_MAX);
		return true;
	}
	if (variable->kind == KIND_SIZE) {
		noun = "a size";
		understood = value_size(word, &number);
	} else if (variable->kind == KIND_TIME) {
		noun = "a time";
		understood = value_time_ns(word, &number);
	} else {
		understood = value_count(word, &number);
	}
	if (!understood) {
		char what[32];
		struct line line;

		line_open(&line, what, sizeof(what));
		line_format(&line, "is not %s", noun);
		return mistake(variable, word, line_done(&line), report);
	}
	if (number < variable->least || number > variable->most)
		return mistake(variable, word, "is out of range", report);
	store(variable, settings, number);
	return true;
}

static bool take_string(const struct variable *variable, struct word word,
			struct settings *settings, struct line *report)
{
	const char *text = word.length < PATH_MAX ? variable_keep(word.start, word.length) : NULL;

	if (!text)
		return mistake(variable, word, "is too long", report);
	if (variable->kind == KIND_PROM &&
	    (word.length < 6 || strcmp(text + word.length - 5, ".prom") != 0))
		return mistake(variable, word, "is not a .prom file", report);
	if (variable->kind == KIND_PROM && !pattern_is_good(text))
		return mistake(variable, word, "has a '%' that means nothing", report);
	memcpy((char *)settings + variable->offset, &text, sizeof(text));
	return true;
}

static bool take_inject(const struct variable *variable, struct word word,
			struct settings *settings, struct line *report)
{
	char why[160];
	struct line line;

	line_open(&line, why, sizeof(why));
	if (!fault_compile(word, &line)) {
		line_format(report, "sctpeel: %s: %s", variable->name, line_done(&line));
		return mistaken(variable, report);
	}
	return take_string(variable, word, settings, report);
}

bool variable_take(const struct variable *variable, const char *value, struct settings *settings,
		   struct line *report)
{
	struct word word = word_trim((struct word){value, strlen(value)});
	int place;

	switch (variable->kind) {
	case KIND_POLICY:
		return take_policy(variable, word, settings, report);
	case KIND_TRACE:
		return take_trace(variable, word, settings, report);
	case KIND_EVENTS:
		return take_events(variable, word, &settings->trace_events, report);
	case KIND_CHOICE:
		place = value_choice(word, variable->choices);
		if (place < 0)
			return mistake(variable, word, "is not known", report);
		store(variable, settings, (uint64_t)place);
		return true;
	case KIND_BOOL:
		return value_bool(word, (bool *)((char *)settings + variable->offset)) ||
		       mistake(variable, word, "is neither true nor false", report);
	case KIND_SIZE:
	case KIND_COUNT:
	case KIND_TIME:
		return take_number(variable, word, settings, report);
	case KIND_STRING:
	case KIND_PROM:
		return take_string(variable, word, settings, report);
	case KIND_INJECT:
		return take_inject(variable, word, settings, report);
	}
	return false;
}
