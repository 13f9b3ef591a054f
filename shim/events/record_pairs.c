/* SPDX-License-Identifier: MIT */
/* JSON Lines and logfmt: the same names and values in the same order. */
#include "../policy/policy.h"
#include "record.h"

struct pairs {
	struct line *line;
	bool json;
	const char *outer[2]; /* logfmt: the objects that we are in, as "config.SCTPEEL_MODE." */
	int depth;
};

/* For the functions that take a name: its length is known when compiled. */
#define INLINED static inline __attribute__((always_inline))

INLINED void key(struct pairs *pairs, const char *name)
{
	struct line *line = pairs->line;

	if (pairs->json) {
		if (line->at[-1] != '{')
			line_char(line, ',');
		line_char(line, '"');
		line_string(line, name);
		line_put(line, "\":", 2);
		return;
	}
	if (line->at > line->start)
		line_char(line, ' ');
	for (int i = 0; i < pairs->depth; i++) {
		line_string(line, pairs->outer[i]);
		line_char(line, '.');
	}
	line_string(line, name);
	line_char(line, '=');
}

static void object(struct pairs *pairs, const char *name)
{
	if (pairs->json) {
		key(pairs, name);
		line_char(pairs->line, '{');
	}
	pairs->outer[pairs->depth++] = name;
}

static void object_end(struct pairs *pairs)
{
	if (pairs->json)
		line_char(pairs->line, '}');
	pairs->depth--;
}

INLINED void number(struct pairs *pairs, const char *name, uint64_t value)
{
	key(pairs, name);
	line_unsigned(pairs->line, value);
}

INLINED void signed_number(struct pairs *pairs, const char *name, int64_t value)
{
	key(pairs, name);
	line_signed(pairs->line, value);
}

INLINED void number_if_set(struct pairs *pairs, const char *name, int64_t value)
{
	if (value >= 0)
		number(pairs, name, (uint64_t)value);
}

/* May a logfmt value stand without quotes? */
static bool is_bare(const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return count > 0;
}

static void value_string(struct pairs *pairs, const char *bytes, size_t count, size_t budget)
{
	bool quoted = pairs->json || !is_bare(bytes, count);

	if (quoted)
		line_char(pairs->line, '"');
	line_quote(pairs->line, bytes, count, budget, LINE_JSON);
	if (quoted)
		line_char(pairs->line, '"');
}

static __attribute__((noinline)) void bounded_string(struct pairs *pairs, const char *value,
						     size_t budget)
{
	/* what is longer than its budget is cut anyway: no need to know how much longer */
	value_string(pairs, value, strnlen(value, budget + 1), budget);
}

INLINED void string(struct pairs *pairs, const char *name, const char *value, size_t budget)
{
	if (!value)
		return;
	key(pairs, name);
	bounded_string(pairs, value, budget);
}

/* For words of ours, which need no quoting. */
INLINED void word(struct pairs *pairs, const char *name, const char *value)
{
	key(pairs, name);
	if (pairs->json)
		line_char(pairs->line, '"');
	line_string(pairs->line, value);
	if (pairs->json)
		line_char(pairs->line, '"');
}

INLINED void address(struct pairs *pairs, const char *name, const char *port_name,
		     const struct sockaddr *sockaddr)
{
	struct line *line = pairs->line;
	char *before = line->at;
	uint16_t port;

	key(pairs, name);
	if (pairs->json)
		line_char(line, '"');
	if (!record_address(line, sockaddr, &port)) {
		line->at = before;
		return;
	}
	if (pairs->json)
		line_char(line, '"');
	number(pairs, port_name, port);
}

static void association(struct pairs *pairs, const struct event *event)
{
	number_if_set(pairs, "socket.fd", event->fd);
	number_if_set(pairs, "sctp.assoc.id", event->assoc_id);
	number_if_set(pairs, "sctp.stream.id", event->stream);
	number_if_set(pairs, "sctp.ppid", event->ppid);
	if (event->assoc_id < 0 && !event->peer && !event->local)
		return;
	word(pairs, "network.transport", "sctp");
	address(pairs, "network.local.address", "network.local.port", event->local);
	address(pairs, "network.peer.address", "network.peer.port", event->peer);
}

static void verdict(struct pairs *pairs, const struct record *record)
{
	static const char *const modes[] = {"enforce", "observe", "off"};
	const struct event *event = record->event;

	if (event->kind == EVENT_DECISION || event->kind == EVENT_PEEL) {
		if (record->settings->policy)
			word(pairs, "policy.hash", policy_hash(record->settings->policy));
	}
	string(pairs, "rule", event->rule, BUDGET_RULE);
	if (event->rule_index >= 0)
		number(pairs, "rule.index", (uint64_t)event->rule_index + 1);
	if (event->kind == EVENT_DECISION || event->kind == EVENT_PEEL)
		word(pairs, "mode", modes[record->settings->mode]);
	string(pairs, "verdict", event->verdict, BUDGET_NAME);
	string(pairs, "reason", event->reason, BUDGET_PROSE);
	if (event->kind == EVENT_CALL)
		string(pairs, "call", event->state, BUDGET_NAME);
	else
		string(pairs, "state", event->state, BUDGET_NAME);
	string(pairs, "by", event->by, BUDGET_NAME);
	string(pairs, "detail", event->detail, BUDGET_PROSE);
}

static void figures(struct pairs *pairs, const struct event *event)
{
	number_if_set(pairs, "bytes", event->bytes);
	number_if_set(pairs, "wait_ns", event->wait_ns);
	if (event->has_flags)
		number(pairs, "flags", event->flags);
	if (!event->has_input)
		return;
	object(pairs, "input");
	number(pairs, "bytes", event->input.bytes);
	number(pairs, "msgs", event->input.msgs);
	number(pairs, "age_ns", event->input.age_ns);
	number(pairs, "assocs", event->input.assocs);
	number(pairs, "peeled", event->input.peeled);
	if (event->input.now_ns) {
		number(pairs, "now_ns", event->input.now_ns);
		number(pairs, "idle_ns", event->input.idle_ns);
	}
	if (event->input.sndblocked)
		number(pairs, "sndblocked", event->input.sndblocked);
	object_end(pairs);
}

static void effect(struct pairs *pairs, const struct event *event)
{
	const char *words[2];
	int count = 0;

	if (!event->has_effect)
		return;
	if (event->effect.cloexec)
		words[count++] = "CLOEXEC";
	if (event->effect.nonblock)
		words[count++] = "NONBLOCK";
	object(pairs, "effect");
	number_if_set(pairs, "fd", event->effect.fd);
	key(pairs, "flags");
	line_string(pairs->line, pairs->json ? "[" : (count ? "" : "\"\""));
	for (int i = 0; i < count; i++) {
		if (i)
			line_char(pairs->line, ',');
		value_string(pairs, words[i], strlen(words[i]), BUDGET_NAME);
	}
	if (pairs->json)
		line_char(pairs->line, ']');
	signed_number(pairs, "errno", event->effect.error);
	number(pairs, "latency_ns", event->effect.latency_ns);
	number_if_set(pairs, "queued", event->effect.queued);
	object_end(pairs);
}

/* Returns how much of the budget is left. */
static size_t argument(struct pairs *pairs, const char *bytes, size_t count, size_t left)
{
	const char *before = pairs->line->at;
	size_t used;

	value_string(pairs, bytes, count, left < BUDGET_ARGUMENT ? left : BUDGET_ARGUMENT);
	used = (size_t)(pairs->line->at - before) + 1;
	return used < left ? left - used : 0;
}

/* A JSON array; in logfmt one value, its arguments separated by blanks. */
static void arguments(struct pairs *pairs, const struct record *record)
{
	const char *argv = record->argv, *one;
	size_t length = record->argv_length, one_length, left = BUDGET_ARGV;
	char joined[BUDGET_ARGV + 1];
	bool cut = false;

	if (!argv)
		return;
	key(pairs, "argv");
	if (!pairs->json) {
		size_t count = length < sizeof(joined) ? length : sizeof(joined);

		memcpy(joined, argv, count);
		for (size_t i = 0; i < count; i++)
			joined[i] = joined[i] ? joined[i] : ' ';
		if (count == length && count > 0)
			count--; /* the last one's terminator */
		value_string(pairs, joined, count, BUDGET_ARGV);
		return;
	}
	line_char(pairs->line, '[');
	while (record_argument(&argv, &length, &one, &one_length)) {
		cut = left < 16;
		if (cut)
			break;
		if (pairs->line->at[-1] != '[')
			line_char(pairs->line, ',');
		left = argument(pairs, one, one_length, left);
	}
	if (cut || record->argv_cut)
		line_string(pairs->line, ",\"\xe2\x80\xa6\"");
	line_char(pairs->line, ']');
}

static void setting_value(struct pairs *pairs, const struct setting *setting)
{
	static const char policy[] = "SCTPEEL_POLICY";

	switch (setting->type) {
	case SETTING_UNSET:
		key(pairs, "value");
		line_string(pairs->line, pairs->json ? "null" : "");
		break;
	case SETTING_STRING:
		string(pairs, "value", setting->string,
		       strcmp(setting->name, policy) == 0 ? BUDGET_POLICY : BUDGET_SETTING);
		break;
	case SETTING_NUMBER:
		number(pairs, "value", setting->number);
		break;
	case SETTING_BOOL:
		key(pairs, "value");
		line_string(pairs->line, setting->number ? "true" : "false");
		break;
	}
}

static void start(struct pairs *pairs, const struct record *record)
{
	struct setting setting;

	word(pairs, "version", SCTPEEL_VERSION);
	arguments(pairs, record);
	if (record->settings->policy)
		word(pairs, "policy.hash", policy_hash(record->settings->policy));
	object(pairs, "config");
	for (unsigned int i = 0; settings_item(record->settings, i, &setting); i++) {
		object(pairs, setting.name);
		setting_value(pairs, &setting);
		word(pairs, "from", setting.from_env ? "env" : "default");
		object_end(pairs);
	}
	object_end(pairs);
}

static void stop(struct pairs *pairs, const struct totals *totals)
{
	object(pairs, "totals");
	number(pairs, "messages", totals->messages);
	number(pairs, "bytes", totals->bytes);
	number(pairs, "peels", totals->peels);
	number(pairs, "refused", totals->refused);
	number(pairs, "decisions", totals->decisions);
	number(pairs, "dropped", totals->dropped);
	object_end(pairs);
}

static void head(struct pairs *pairs, const struct record *record)
{
	number(pairs, "v", 1);
	key(pairs, "ts");
	if (pairs->json)
		line_char(pairs->line, '"');
	record_time(pairs->line, &record->when, 9);
	if (pairs->json)
		line_char(pairs->line, '"');
	number(pairs, "mono_ns", record->mono_ns);
	number(pairs, "seq", record->seq);
	word(pairs, "event", event_names[record->event->kind]);
	signed_number(pairs, "pid", record->pid);
	signed_number(pairs, "tid", record->tid);
	string(pairs, "program", record->settings->program, BUDGET_PROGRAM);
}

void record_pairs(const struct record *record, struct line *line, bool json)
{
	struct pairs pairs = {.line = line, .json = json};

	if (json)
		line_char(line, '{');
	head(&pairs, record);
	association(&pairs, record->event);
	verdict(&pairs, record);
	figures(&pairs, record->event);
	effect(&pairs, record->event);
	if (record->event->kind == EVENT_START)
		start(&pairs, record);
	if (record->totals)
		stop(&pairs, record->totals);
	if (record->event->kind == EVENT_DROP) {
		number(&pairs, "dropped", record->lost);
		signed_number(&pairs, "errno", record->lost_error);
	}
	if (json)
		line_char(line, '}');
}
