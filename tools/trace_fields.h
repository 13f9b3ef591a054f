/* SPDX-License-Identifier: MIT */
/* trace_fields: the names in a trace's lines, and where in struct trace_event their values go. */
#ifndef SCTPEEL_TRACE_FIELDS_H
#define SCTPEEL_TRACE_FIELDS_H

#include "trace.h"

enum field_type {
	FIELD_NUMBER,	/* int64_t, up to `most` */
	FIELD_UNSIGNED, /* uint64_t */
	FIELD_TEXT,	/* struct trace_text */
	FIELD_VERSION,	/* of the format */
	FIELD_EVENT,	/* the name of the event's kind */
	FIELD_INPUT,	/* objects, with the fields of these names */
	FIELD_EFFECT,
	FIELD_PASSED /* a number or a string that nobody here needs */
};

struct field {
	const char *name;
	size_t length;
	enum field_type type;
	size_t offset;
	int64_t most;
};

/* In the order in which the shim writes them. */
struct fields {
	const struct field *first, *end;
};

extern const struct fields event_fields, input_fields, effect_fields;

/* The field of this name, looked for from `from` on and then from the first; NULL: none. */
const struct field *field_find(const struct fields *fields, const struct field *from,
			       const char *name, size_t length);

static inline int64_t *field_number(const struct field *field, struct trace_event *event)
{
	return (int64_t *)(void *)((char *)event + field->offset);
}

static inline uint64_t *field_unsigned(const struct field *field, struct trace_event *event)
{
	return (uint64_t *)(void *)((char *)event + field->offset);
}

static inline struct trace_text *field_text(const struct field *field, struct trace_event *event)
{
	return (struct trace_text *)(void *)((char *)event + field->offset);
}

/* The kind of this name; false when this version knows none. */
bool field_kind(const char *name, size_t length, enum event_kind *ret);

#endif
