/* SPDX-License-Identifier: MIT */
/*
 * The events that come by the million, read without a parser: record_pairs.c writes them in one
 * form. Whatever differs from it by a byte is left to the JSON reader.
 */
#include <string.h>

#include "trace_line.h"

struct cursor {
	const char *at, *end;
};

/* Inlined: the length of a constant is known when compiled. */
#define INLINED static inline __attribute__((always_inline))

INLINED bool word(struct cursor *cursor, const char *expected)
{
	size_t length = strlen(expected);

	if ((size_t)(cursor->end - cursor->at) < length ||
	    memcmp(cursor->at, expected, length) != 0)
		return false;
	cursor->at += length;
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

/* Up to its quote; plain ASCII without escapes. */
INLINED bool plain(struct cursor *cursor, struct trace_text *ret)
{
	const char *at = cursor->at;

	while (at < cursor->end && *at >= ' ' && *at <= '~' && *at != '"' && *at != '\\')
		at++;
	if (at == cursor->end || *at != '"')
		return false;
	*ret = (struct trace_text){cursor->at, (size_t)(at - cursor->at)};
	cursor->at = at + 1;
	return true;
}

/* The pair may be missing; false only when it is there and broken. */
INLINED bool maybe_number(struct cursor *cursor, const char *key, int64_t *ret)
{
	uint64_t value;

	if (!word(cursor, key))
		return true;
	if (!number(cursor, &value))
		return false;
	*ret = (int64_t)value;
	return true;
}

INLINED bool maybe_text(struct cursor *cursor, const char *key, struct trace_text *ret)
{
	return !word(cursor, key) || plain(cursor, ret);
}

INLINED bool pair(struct cursor *cursor, const char *key, uint64_t *ret)
{
	return word(cursor, key) && number(cursor, ret);
}

static bool read_head(struct cursor *cursor, struct trace_event *ret)
{
	uint64_t pid, tid;

	if (!word(cursor, "{\"v\":1,\"ts\":\"") || !plain(cursor, &ret->ts) ||
	    !pair(cursor, ",\"mono_ns\":", &ret->mono_ns) || !pair(cursor, ",\"seq\":", &ret->seq))
		return false;
	if (word(cursor, ",\"event\":\"msg\",\"pid\":"))
		ret->kind = EVENT_MSG;
	else if (word(cursor, ",\"event\":\"call\",\"pid\":"))
		ret->kind = EVENT_CALL;
	else
		return false;
	if (!number(cursor, &pid) || !pair(cursor, ",\"tid\":", &tid) ||
	    !word(cursor, ",\"program\":\"") || !plain(cursor, &ret->program))
		return false;
	ret->pid = (int64_t)pid;
	return true;
}

static bool read_association(struct cursor *cursor, struct trace_event *ret)
{
	if (!maybe_number(cursor, ",\"socket.fd\":", &ret->fd) ||
	    !maybe_number(cursor, ",\"sctp.assoc.id\":", &ret->assoc_id) ||
	    !maybe_number(cursor, ",\"sctp.stream.id\":", &ret->stream) ||
	    !maybe_number(cursor, ",\"sctp.ppid\":", &ret->ppid) ||
	    !word(cursor, ",\"network.transport\":\"sctp\"") ||
	    !maybe_text(cursor, ",\"network.local.address\":\"", &ret->local) ||
	    !maybe_number(cursor, ",\"network.local.port\":", &ret->local_port) ||
	    !maybe_text(cursor, ",\"network.peer.address\":\"", &ret->peer))
		return false;
	return maybe_number(cursor, ",\"network.peer.port\":", &ret->peer_port) &&
	       maybe_text(cursor, ",\"call\":\"", &ret->call);
}

static bool read_input(struct cursor *cursor, struct trace_event *ret)
{
	if (!word(cursor, ",\"input\":{\"bytes\":"))
		return true;
	ret->has_input = true;
	if (!number(cursor, &ret->input.bytes) || !pair(cursor, ",\"msgs\":", &ret->input.msgs) ||
	    !pair(cursor, ",\"age_ns\":", &ret->input.age_ns) ||
	    !pair(cursor, ",\"assocs\":", &ret->input.assocs) ||
	    !pair(cursor, ",\"peeled\":", &ret->input.peeled))
		return false;
	if (word(cursor, ",\"now_ns\":") && (!number(cursor, &ret->input.now_ns) ||
					     !pair(cursor, ",\"idle_ns\":", &ret->input.idle_ns)))
		return false;
	if (word(cursor, ",\"sndblocked\":") && !number(cursor, &ret->input.sndblocked))
		return false;
	return word(cursor, "}");
}

bool trace_line_quick(const char *at, size_t length, struct trace_event *ret)
{
	struct cursor cursor = {at, at + length};

	trace_line_clear(ret);
	return read_head(&cursor, ret) && read_association(&cursor, ret) &&
	       maybe_number(&cursor, ",\"bytes\":", &ret->bytes) &&
	       maybe_number(&cursor, ",\"wait_ns\":", &ret->wait_ns) &&
	       maybe_number(&cursor, ",\"flags\":", &ret->flags) && read_input(&cursor, ret) &&
	       word(&cursor, "}") && cursor.at == cursor.end;
}
