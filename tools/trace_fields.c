/* SPDX-License-Identifier: MIT */
#include "trace_fields.h"

#include <string.h>

#define FIELD(name, type, member, most)                                                            \
	{                                                                                          \
		(name), sizeof(name) - 1, FIELD_##type, offsetof(struct trace_event, member), most \
	}
#define NUMBER(name, member, most) FIELD(name, NUMBER, member, most)
#define UNSIGNED(name, member) FIELD(name, UNSIGNED, member, 0)
#define TEXT(name, member) FIELD(name, TEXT, member, 0)
#define OTHER(name, type) FIELD(name, type, kind, 0)

static const struct field of_event[] = {
	OTHER("v", VERSION),
	TEXT("ts", ts),
	UNSIGNED("mono_ns", mono_ns),
	UNSIGNED("seq", seq),
	OTHER("event", EVENT),
	NUMBER("pid", pid, INT32_MAX),
	OTHER("tid", PASSED),
	TEXT("program", program),
	NUMBER("socket.fd", fd, INT32_MAX),
	NUMBER("sctp.assoc.id", assoc_id, INT32_MAX),
	NUMBER("sctp.stream.id", stream, UINT16_MAX),
	NUMBER("sctp.ppid", ppid, UINT32_MAX),
	OTHER("network.transport", PASSED),
	TEXT("network.local.address", local),
	NUMBER("network.local.port", local_port, UINT16_MAX),
	TEXT("network.peer.address", peer),
	NUMBER("network.peer.port", peer_port, UINT16_MAX),
	NUMBER("bytes", bytes, INT64_MAX),
	NUMBER("wait_ns", wait_ns, INT64_MAX),
	NUMBER("flags", flags, INT64_MAX),
	TEXT("policy.hash", policy_hash),
	TEXT("rule", rule),
	NUMBER("rule.index", rule_index, INT32_MAX),
	TEXT("mode", mode),
	TEXT("verdict", verdict),
	TEXT("reason", reason),
	TEXT("call", call),
	TEXT("state", state),
	TEXT("by", by),
	TEXT("detail", detail),
	OTHER("input", INPUT),
	OTHER("effect", EFFECT),
	TEXT("version", version),
	UNSIGNED("dropped", dropped),
};

static const struct field of_input[] = {
	UNSIGNED("bytes", input.bytes),	    UNSIGNED("msgs", input.msgs),
	UNSIGNED("age_ns", input.age_ns),   UNSIGNED("assocs", input.assocs),
	UNSIGNED("peeled", input.peeled),   UNSIGNED("now_ns", input.now_ns),
	UNSIGNED("idle_ns", input.idle_ns), UNSIGNED("sndblocked", input.sndblocked),
};

static const struct field of_effect[] = {
	NUMBER("fd", effect.fd, INT64_MAX),
	NUMBER("errno", effect.error, INT64_MAX),
	NUMBER("latency_ns", effect.latency_ns, INT64_MAX),
	NUMBER("queued", effect.queued, INT64_MAX),
};

#define FIELDS(array)                                                 \
	{                                                             \
		(array), (array) + sizeof(array) / sizeof((array)[0]) \
	}
const struct fields event_fields = FIELDS(of_event), input_fields = FIELDS(of_input),
		    effect_fields = FIELDS(of_effect);

static bool is_field(const struct field *field, const char *name, size_t length)
{
	return field->length == length && memcmp(field->name, name, length) == 0;
}

const struct field *field_find(const struct fields *fields, const struct field *from,
			       const char *name, size_t length)
{
	for (const struct field *field = from; field < fields->end; field++)
		if (is_field(field, name, length))
			return field;
	for (const struct field *field = fields->first; field < from; field++)
		if (is_field(field, name, length))
			return field;
	return NULL;
}

bool field_kind(const char *name, size_t length, enum event_kind *ret)
{
	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		if (strlen(event_names[kind]) == length &&
		    memcmp(event_names[kind], name, length) == 0) {
			*ret = (enum event_kind)kind;
			return true;
		}
	}
	return false;
}
