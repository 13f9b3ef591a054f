/* SPDX-License-Identifier: MIT */
/*
 * Events come by the million, and nearly all of them need no full parser: an object of known names
 * in any order, of whole numbers and of strings without escapes, with objects of the same inside.
 * What has more than that is left to the JSON reader, and so is every mistake.
 */
#include <string.h>

#include "trace_fields.h"
#include "trace_line.h"

struct cursor {
	const char *at, *end;
};

#define INLINED static inline __attribute__((always_inline))

/* JSON's blanks; a line has no others. */
INLINED void skip(struct cursor *cursor)
{
	while (cursor->at < cursor->end &&
	       (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\r'))
		cursor->at++;
}

/* This character, with blanks around it. */
INLINED bool mark(struct cursor *cursor, char expected)
{
	skip(cursor);
	if (cursor->at == cursor->end || *cursor->at != expected)
		return false;
	cursor->at++;
	skip(cursor);
	return true;
}

/* Of 18 digits at most: more may not fit. */
INLINED bool number(struct cursor *cursor, uint64_t *ret)
{
	const char *at = cursor->at;
	uint64_t value = 0;

	while (at < cursor->end && (unsigned char)(*at - '0') <= 9)
		value = value * 10 + (uint64_t)(*at++ - '0');
	if (at == cursor->at || at - cursor->at > 18 || (*cursor->at == '0' && at > cursor->at + 1))
		return false;
	cursor->at = at;
	*ret = value;
	return true;
}

/* A string of plain ASCII without escapes. */
INLINED bool plain(struct cursor *cursor, struct trace_text *ret)
{
	const char *start = cursor->at + 1, *at = start;

	if (cursor->at == cursor->end || *cursor->at != '"')
		return false;
	while (at < cursor->end && *at >= ' ' && *at <= '~' && *at != '"' && *at != '\\')
		at++;
	if (at == cursor->end || *at != '"')
		return false;
	*ret = (struct trace_text){start, (size_t)(at - start)};
	cursor->at = at + 1;
	return true;
}

/* A name and its colon; most often it is the one that the shim writes next. */
INLINED const struct field *name(struct cursor *cursor, const struct fields *fields,
				 const struct field *next)
{
	const struct field *ret = next;
	struct trace_text text;

	if (next < fields->end && (size_t)(cursor->end - cursor->at) > next->length + 1 &&
	    *cursor->at == '"' && memcmp(cursor->at + 1, next->name, next->length) == 0 &&
	    cursor->at[next->length + 1] == '"') {
		cursor->at += next->length + 2;
	} else {
		if (!plain(cursor, &text))
			return NULL;
		ret = field_find(fields, next, text.at, text.length);
	}
	return ret != NULL && mark(cursor, ':') ? ret : NULL;
}

static bool read_object(struct cursor *cursor, const struct fields *fields,
			struct trace_event *ret);

/* The last one of a name counts; of two objects no member of the first does. */
static bool read_member(struct cursor *cursor, const struct field *field, struct trace_event *ret)
{
	struct trace_text text;
	uint64_t value;

	switch (field->type) {
	case FIELD_NUMBER:
		if (!number(cursor, &value))
			return false;
		*field_number(field, ret) = (int64_t)value;
		return true;
	case FIELD_UNSIGNED:
		return number(cursor, field_unsigned(field, ret));
	case FIELD_TEXT:
		return plain(cursor, field_text(field, ret));
	case FIELD_VERSION:
		return number(cursor, &value) && value == 1;
	case FIELD_EVENT:
		return plain(cursor, &text) && field_kind(text.at, text.length, &ret->kind);
	case FIELD_INPUT:
		if (ret->has_input)
			return false;
		ret->has_input = true;
		return read_object(cursor, &input_fields, ret);
	case FIELD_EFFECT:
		if (ret->has_effect)
			return false;
		ret->has_effect = true;
		return read_object(cursor, &effect_fields, ret);
	case FIELD_PASSED:
		return number(cursor, &value) || plain(cursor, &text);
	}
	return false;
}

/* Not an empty one, which is no event and no input. */
static bool read_object(struct cursor *cursor, const struct fields *fields, struct trace_event *ret)
{
	const struct field *field, *next = fields->first;

	if (!mark(cursor, '{'))
		return false;
	do {
		field = name(cursor, fields, next);
		if (field == NULL || !read_member(cursor, field, ret))
			return false;
		next = field + 1;
	} while (mark(cursor, ','));
	return mark(cursor, '}');
}

bool trace_line_quick(const char *at, size_t length, struct trace_event *ret)
{
	struct cursor cursor = {at, at + length};

	trace_line_clear(ret);
	ret->kind = EVENT_KINDS;
	return read_object(&cursor, &event_fields, ret) && ret->kind != EVENT_KINDS &&
	       cursor.at == cursor.end;
}
