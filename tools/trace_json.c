/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "trace_fields.h"
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

static void get_fields(struct reading *reading, const json_t *object, const struct fields *fields,
		       struct trace_event *ret)
{
	for (const struct field *field = fields->first; field < fields->end; field++) {
		if (field->type == FIELD_NUMBER)
			get_number(reading, object, field->name, field_number(field, ret));
		else if (field->type == FIELD_UNSIGNED)
			get_unsigned(reading, object, field->name, field_unsigned(field, ret));
		else if (field->type == FIELD_TEXT)
			get_text(reading, object, field->name, field_text(field, ret));
	}
}

static void get_policy(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	const json_t *config = json_object_get(object, "config");
	const json_t *policy = json_object_get(config, "SCTPEEL_POLICY");

	if (json_is_string(json_object_get(policy, "value")))
		get_text(reading, policy, "value", &ret->policy);
}

static void get_all(struct reading *reading, const json_t *object, struct trace_event *ret)
{
	const json_t *input = json_object_get(object, "input");
	const json_t *effect = json_object_get(object, "effect");

	ret->has_input = json_is_object(input);
	ret->has_effect = json_is_object(effect);
	get_fields(reading, object, &event_fields, ret);
	get_fields(reading, input, &input_fields, ret);
	get_fields(reading, effect, &effect_fields, ret);
	get_policy(reading, object, ret);
}

static bool find_kind(const json_t *object, struct reading *reading, enum event_kind *ret)
{
	const json_t *name = json_object_get(object, "event");

	if (json_is_string(name))
		return field_kind(json_string_value(name), json_string_length(name), ret);
	fault(reading, "event: a string was expected: this is no event of sctpeel");
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
	if (event->pid < 0) {
		snprintf(why, size, "pid: is missing");
		return false;
	}
	for (const struct field *field = event_fields.first; field < event_fields.end; field++) {
		int64_t value;

		if (field->type != FIELD_NUMBER)
			continue;
		value = *field_number(field, (struct trace_event *)event);
		if (value > field->most) {
			snprintf(why, size, "%s: %" PRId64 " is too large", field->name, value);
			return false;
		}
	}
	return true;
}
