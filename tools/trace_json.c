/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "trace_line.h"

void trace_line_clear(struct trace_event *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->pid = ret->fd = ret->assoc_id = ret->stream = ret->ppid = -1;
	ret->peer_port = ret->local_port = ret->rule_index = -1;
	ret->bytes = ret->wait_ns = ret->flags = -1;
	ret->effect.fd = ret->effect.error = ret->effect.latency_ns = ret->effect.queued = -1;
}

/* What is being read, and the first thing that is wrong with it. */
struct reading {
	char *why;
	size_t size;
	bool broken;
};

__attribute__((format(printf, 2, 3))) static void fault(struct reading *reading, const char *format,
							...)
{
	va_list args;

	if (reading->broken)
		return;
	reading->broken = true;
	va_start(args, format);
	vsnprintf(reading->why, reading->size, format, args);
	va_end(args);
}

/* A double that is a whole number of 64 bits; the largest one rounds up to 2^64. */
static bool whole(double real, uint64_t *ret)
{
	if (!(real >= 0) || real > 18446744073709551616.0 || real != floor(real))
		return false;
	*ret = real >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)real;
	return true;
}

static bool get_unsigned(struct reading *reading, const json_t *object, const char *key,
			 uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL)
		return false;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		*ret = (uint64_t)json_integer_value(value);
	else if (!json_is_real(value) || !whole(json_real_value(value), ret))
		fault(reading, "%s: a whole number that is not negative was expected", key);
	return !reading->broken;
}

/* -1 stays where there is none; numbers beyond 63 bits are no numbers of these. */
static void get_number(struct reading *reading, const json_t *object, const char *key, int64_t *ret)
{
	uint64_t value = 0;

	if (!get_unsigned(reading, object, key, &value))
		return;
	if (value > INT64_MAX)
		fault(reading, "%s: %" PRIu64 " is too large", key, value);
	else
		*ret = (int64_t)value;
}

static void get_text(struct reading *reading, const json_t *object, const char *key,
		     struct trace_text *ret)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL)
		return;
	if (!json_is_string(value))
		fault(reading, "%s: a string was expected", key);
	else
		*ret = (struct trace_text){json_string_value(value), json_string_length(value)};
}

static void get_input(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	ret->has_input = json_is_object(object);
	get_unsigned(reading, object, "bytes", &ret->input.bytes);
	get_unsigned(reading, object, "msgs", &ret->input.msgs);
	get_unsigned(reading, object, "age_ns", &ret->input.age_ns);
	get_unsigned(reading, object, "assocs", &ret->input.assocs);
	get_unsigned(reading, object, "peeled", &ret->input.peeled);
	get_unsigned(reading, object, "now_ns", &ret->input.now_ns);
	get_unsigned(reading, object, "idle_ns", &ret->input.idle_ns);
	get_unsigned(reading, object, "sndblocked", &ret->input.sndblocked);
}

static void get_effect(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	ret->has_effect = json_is_object(object);
	get_number(reading, object, "fd", &ret->effect.fd);
	get_number(reading, object, "errno", &ret->effect.error);
	get_number(reading, object, "latency_ns", &ret->effect.latency_ns);
	get_number(reading, object, "queued", &ret->effect.queued);
}

static void get_start(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	const json_t *config = json_object_get(object, "config");
	const json_t *policy = json_object_get(config, "SCTPEEL_POLICY");

	get_text(reading, object, "version", &ret->version);
	if (json_is_string(json_object_get(policy, "value")))
		get_text(reading, policy, "value", &ret->policy);
}

static void get_association(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	get_number(reading, object, "socket.fd", &ret->fd);
	get_number(reading, object, "sctp.assoc.id", &ret->assoc_id);
	get_number(reading, object, "sctp.stream.id", &ret->stream);
	get_number(reading, object, "sctp.ppid", &ret->ppid);
	get_text(reading, object, "network.local.address", &ret->local);
	get_number(reading, object, "network.local.port", &ret->local_port);
	get_text(reading, object, "network.peer.address", &ret->peer);
	get_number(reading, object, "network.peer.port", &ret->peer_port);
}

static void get_verdict(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	get_text(reading, object, "policy.hash", &ret->policy_hash);
	get_text(reading, object, "rule", &ret->rule);
	get_number(reading, object, "rule.index", &ret->rule_index);
	get_text(reading, object, "mode", &ret->mode);
	get_text(reading, object, "verdict", &ret->verdict);
	get_text(reading, object, "reason", &ret->reason);
	get_text(reading, object, "state", &ret->state);
	get_text(reading, object, "by", &ret->by);
	get_text(reading, object, "detail", &ret->detail);
	get_text(reading, object, "call", &ret->call);
}

static void get_all(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	get_unsigned(reading, object, "mono_ns", &ret->mono_ns);
	get_unsigned(reading, object, "seq", &ret->seq);
	get_number(reading, object, "pid", &ret->pid);
	get_text(reading, object, "ts", &ret->ts);
	get_text(reading, object, "program", &ret->program);
	get_association(reading, object, ret);
	get_verdict(reading, object, ret);
	get_number(reading, object, "bytes", &ret->bytes);
	get_number(reading, object, "wait_ns", &ret->wait_ns);
	get_number(reading, object, "flags", &ret->flags);
	get_unsigned(reading, object, "dropped", &ret->dropped);
	get_input(reading, json_object_get(object, "input"), ret);
	get_effect(reading, json_object_get(object, "effect"), ret);
	if (ret->kind == EVENT_START)
		get_start(reading, object, ret);
}

static bool find_kind(const json_t *object, struct reading *reading, enum event_kind *ret)
{
	const char *name = json_string_value(json_object_get(object, "event"));

	if (name == NULL) {
		fault(reading, "event: a string was expected: this is no event of sctpeel");
		return false;
	}
	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		if (strcmp(name, event_names[kind]) == 0) {
			*ret = (enum event_kind)kind;
			return true;
		}
	}
	return false;
}

/* jansson refuses integers beyond 63 bits; as a double the very largest is still itself. */
static json_t *load(const char *at, size_t length, struct reading *reading)
{
	json_error_t error;
	json_t *root = json_loadb(at, length, 0, &error);

	if (root == NULL && json_error_code(&error) == json_error_numeric_overflow)
		root = json_loadb(at, length, JSON_DECODE_INT_AS_REAL, &error);
	if (root == NULL)
		fault(reading, "column %d: %s", error.column, error.text);
	else if (!json_is_object(root))
		fault(reading, "an object was expected");
	return root;
}

enum trace_line trace_line_json(const char *at, size_t length, struct trace_event *ret,
				json_t **root, char *why, size_t size)
{
	struct reading reading = {why, size, false};
	uint64_t version = 0;

	trace_line_clear(ret);
	*root = load(at, length, &reading);
	if (reading.broken)
		return LINE_BROKEN;
	if (get_unsigned(&reading, *root, "v", &version) && version != 1)
		fault(&reading, "v: version %" PRIu64 " of the format is not known", version);
	if (!find_kind(*root, &reading, &ret->kind))
		return reading.broken ? LINE_BROKEN : LINE_UNKNOWN;
	get_all(&reading, *root, ret);
	return reading.broken ? LINE_BROKEN : LINE_EVENT;
}

bool trace_line_sound(const struct trace_event *event, char *why, size_t size)
{
	const struct {
		const char *name;
		int64_t value, most;
	} limits[] = {
		{"pid", event->pid, INT32_MAX},
		{"socket.fd", event->fd, INT32_MAX},
		{"sctp.assoc.id", event->assoc_id, INT32_MAX},
		{"sctp.stream.id", event->stream, UINT16_MAX},
		{"sctp.ppid", event->ppid, UINT32_MAX},
		{"network.peer.port", event->peer_port, UINT16_MAX},
		{"network.local.port", event->local_port, UINT16_MAX},
		{"rule.index", event->rule_index, INT32_MAX},
	};

	if (event->pid < 0) {
		snprintf(why, size, "pid: is missing");
		return false;
	}
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].value > limits[i].most) {
			snprintf(why, size, "%s: %" PRId64 " is too large", limits[i].name,
				 limits[i].value);
			return false;
		}
	}
	return true;
}
