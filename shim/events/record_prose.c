/* SPDX-License-Identifier: MIT */
/* One line for people, as strace writes calls: what(on what) = result, and why. */
#include "../policy/text.h"
#include "record.h"

static void quoted(struct line *line, const char *string, size_t budget)
{
	line_quote(line, string, strnlen(string, budget + 1), budget, LINE_SHOWN);
}

static void separator(struct line *line)
{
	if (line->at[-1] != '(')
		line_put(line, ", ", 2);
}

static void named(struct line *line, const char *name, int64_t value)
{
	if (value < 0)
		return;
	separator(line);
	line_format(line, "%s%lld", name, (long long)value);
}

static void endpoint(struct line *line, const char *name, const struct sockaddr *address)
{
	char buf[48];
	struct line shown;
	uint16_t port;
	bool v6;

	line_open(&shown, buf, sizeof(buf));
	if (!record_address(&shown, address, &port))
		return;
	separator(line);
	v6 = strchr(line_done(&shown), ':') != NULL;
	line_format(line, "%s%s%s%s:%u", name, v6 ? "[" : "", buf, v6 ? "]" : "", port);
}

static void elapsed(struct line *line, uint64_t ns)
{
	char buf[32];
	struct text text = {buf, sizeof(buf), 0};

	text_elapsed(&text, ns, 1);
	line_put(line, buf, text.length);
}

static void error(struct line *line, int number)
{
	const char *name = strerrorname_np(number), *meaning = strerrordesc_np(number);

	if (name && meaning)
		line_format(line, "%s (%s)", name, meaning);
	else
		line_format(line, "errno %d", number);
}

static void subject(struct line *line, const struct event *event)
{
	line_char(line, '(');
	named(line, "", event->fd);
	named(line, "assoc ", event->assoc_id);
	named(line, "stream ", event->stream);
	named(line, "ppid ", event->ppid);
	endpoint(line, "", event->peer);
	endpoint(line, "local ", event->local);
	line_char(line, ')');
}

static void verdict(struct line *line, const struct record *record)
{
	const struct event *event = record->event;

	if (event->verdict) {
		line_string(line, " = ");
		quoted(line, event->verdict, BUDGET_NAME);
		if (record->settings->mode == MODE_OBSERVE)
			line_string(line, " (observe)");
	}
	if (event->rule) {
		line_string(line, " by rule ");
		quoted(line, event->rule, BUDGET_RULE);
	}
	if (event->rule_index >= 0)
		line_format(line, " #%d", event->rule_index + 1);
	if (event->reason) {
		line_string(line, ": ");
		quoted(line, event->reason, BUDGET_PROSE);
	}
}

static void effect(struct line *line, const struct event *event)
{
	if (!event->has_effect)
		return;
	if (event->effect.fd >= 0)
		line_format(line, " = %d", event->effect.fd);
	else if (event->effect.error)
		line_string(line, " = -1");
	if (event->effect.error) {
		line_char(line, ' ');
		error(line, event->effect.error);
	}
	if (event->effect.cloexec)
		line_string(line, " CLOEXEC");
	if (event->effect.nonblock)
		line_string(line, " NONBLOCK");
	line_string(line, " <");
	elapsed(line, event->effect.latency_ns);
	line_char(line, '>');
	if (event->effect.queued >= 0)
		line_format(line, " %lld bytes waiting", (long long)event->effect.queued);
}

static void outcome(struct line *line, const struct event *event)
{
	if (event->kind != EVENT_CALL && event->state) {
		line_string(line, " = ");
		quoted(line, event->state, BUDGET_NAME);
	}
	if (event->bytes >= 0)
		line_format(line, " = %lld bytes", (long long)event->bytes);
	if (event->has_flags)
		line_format(line, " flags 0x%x", event->flags);
}

static void details(struct line *line, const struct event *event)
{
	if (event->by) {
		line_string(line, " by ");
		quoted(line, event->by, BUDGET_NAME);
	}
	if (event->detail) {
		line_string(line, ": ");
		quoted(line, event->detail, BUDGET_PROSE);
	}
	if (!event->has_input)
		return;
	line_format(line, " [bytes %llu, msgs %llu, age ", (unsigned long long)event->input.bytes,
		    (unsigned long long)event->input.msgs);
	elapsed(line, event->input.age_ns);
	line_format(line, ", assocs %llu, peeled %llu]", (unsigned long long)event->input.assocs,
		    (unsigned long long)event->input.peeled);
}

static void arguments(struct line *line, const struct record *record)
{
	const char *argv = record->argv, *one;
	size_t length = record->argv_length, one_length, left = BUDGET_ARGV;
	bool cut = false;

	line_string(line, " argv");
	while (argv && record_argument(&argv, &length, &one, &one_length)) {
		const char *before = line->at;
		size_t used;

		cut = left < 16;
		if (cut)
			break;
		line_string(line, " \"");
		line_quote(line, one, one_length, left < BUDGET_ARGUMENT ? left : BUDGET_ARGUMENT,
			   LINE_SHOWN);
		line_char(line, '"');
		used = (size_t)(line->at - before);
		left = used < left ? left - used : 0;
	}
	if (cut || record->argv_cut)
		line_string(line, " \xe2\x80\xa6");
}

/* The settings that somebody gave; the others are as the manual says. */
static void start(struct line *line, const struct record *record)
{
	struct setting setting;

	line_string(line, "(sctpeel " SCTPEEL_VERSION ")");
	arguments(line, record);
	for (unsigned int i = 0; settings_item(record->settings, i, &setting); i++) {
		if (!setting.from_env)
			continue;
		line_format(line, " %s=", setting.name);
		if (setting.type == SETTING_STRING)
			quoted(line, setting.string, i == 0 ? BUDGET_POLICY : BUDGET_SETTING);
		else if (setting.type == SETTING_BOOL)
			line_string(line, setting.number ? "true" : "false");
		else
			line_unsigned(line, setting.number);
	}
}

static void stop(struct line *line, const struct totals *totals)
{
	line_format(line,
		    "() = %llu messages, %llu bytes, %llu peels, %llu refused, %llu decisions, "
		    "%llu events lost",
		    (unsigned long long)totals->messages, (unsigned long long)totals->bytes,
		    (unsigned long long)totals->peels, (unsigned long long)totals->refused,
		    (unsigned long long)totals->decisions, (unsigned long long)totals->dropped);
}

void record_prose(const struct record *record, struct line *line)
{
	const struct event *event = record->event;

	record_time(line, &record->when, 6);
	line_char(line, ' ');
	quoted(line, record->settings->program, BUDGET_PROGRAM);
	line_format(line, "[%d", record->pid);
	if (record->tid != record->pid)
		line_format(line, "/%d", record->tid);
	line_string(line, "] ");
	if (event->kind == EVENT_CALL && event->state)
		quoted(line, event->state, BUDGET_NAME);
	else
		line_string(line, event_names[event->kind]);
	if (event->kind == EVENT_START) {
		start(line, record);
	} else if (record->totals) {
		stop(line, record->totals);
	} else if (event->kind == EVENT_DROP) {
		line_format(line, "() = %llu events lost: ", (unsigned long long)record->lost);
		error(line, record->lost_error);
	} else {
		subject(line, event);
		outcome(line, event);
		effect(line, event);
		verdict(line, record);
		details(line, event);
	}
}
