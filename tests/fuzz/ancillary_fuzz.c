/* SPDX-License-Identifier: MIT */
/*
 * Any control messages, names and notifications: as a program gives them to a send, at any address
 * and with lengths that lie, and as the kernel gives them to a receive, into any room. Nothing
 * outside of the buffers is looked at, and nothing is left out or cut but what put_cmsg would cut.
 *
 * An input: where the control buffer stands to a word, the length of the name, the room that the
 * program has for control messages, the notification's first part; then the bytes.
 *
 *   make fuzz FUZZ=ancillary
 */
#include <stdlib.h>
#include <string.h>

#include "ancillary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4 };

#define check(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* In memory of its own that ends with it, so that a look behind it is one too far. */
static void *copy(const uint8_t *bytes, size_t size, size_t before)
{
	char *ret = malloc(before + size + (before + size == 0));

	if (!ret)
		abort();
	memset(ret, 0, before);
	if (size > 0)
		memcpy(ret + before, bytes, size);
	return ret;
}

/* ------------------------------------------------------------------ a send */

static void walk(const struct msghdr *msg)
{
	struct control control;
	const char *begin = msg->msg_control, *last = NULL;

	for (size_t at = 0; ancillary_next(msg, &at, &control); last = control.data) {
		check(control.data > last && control.data >= begin + sizeof(struct cmsghdr));
		check(control.data + control.size <= begin + msg->msg_controllen);
	}
}

static void try_send(const uint8_t *bytes, size_t size, size_t before, size_t name_length)
{
	struct destination to;
	char *name, *control;

	if (name_length > size)
		name_length = size;
	name = copy(bytes, name_length, 0);
	control = copy(bytes + name_length, size - name_length, before);

	const struct msghdr msg = {
		.msg_name = name,
		.msg_namelen = (socklen_t)name_length,
		.msg_control = control + before,
		.msg_controllen = size - name_length,
	};

	walk(&msg);
	ancillary_destination(&msg, &to);
	check(to.has_id || (to.id == 0 && to.flags == 0));
	check(to.peer.family == 0 || to.peer.family == AF_INET || to.peer.family == AF_INET6);
	free(name);
	free(control);
}

/* ------------------------------------------------------------------ a receive */

static void try_notification(const uint8_t *bytes, size_t size, size_t first)
{
	struct received got;
	char *parts[2];

	if (first > size)
		first = size;
	parts[0] = copy(bytes, first, 0);
	parts[1] = copy(bytes + first, size - first, 0);

	struct iovec iov[] = {{parts[0], first}, {NULL, 0}, {parts[1], size - first}};
	const struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = 3, .msg_flags = MSG_NOTIFICATION | MSG_EOR};

	ancillary_read(&msg, size, &got);
	check(got.end && (got.change == -1 || got.notification == SCTP_ASSOC_CHANGE));
	free(parts[0]);
	free(parts[1]);
}

/* Whole ones, as the kernel writes them, out of any bytes. */
static size_t write_as_kernel(char *control, const uint8_t *bytes, size_t size)
{
	static const int types[] = {SCTP_RCVINFO, SCTP_NXTINFO, SCTP_SNDRCV, SCM_TIMESTAMPNS};
	static const size_t sizes[] = {sizeof(struct sctp_rcvinfo), sizeof(struct sctp_nxtinfo),
				       sizeof(struct sctp_sndrcvinfo), sizeof(struct timespec)};
	size_t used = 0;

	while (size > 0) {
		unsigned int kind = *bytes & 3u;
		struct cmsghdr head = {
			.cmsg_level = kind == 3 ? SOL_SOCKET : IPPROTO_SCTP,
			.cmsg_type = types[kind],
			.cmsg_len = CMSG_LEN(sizes[kind]),
		};

		if (size < 1 + sizes[kind] || used + CMSG_SPACE(sizes[kind]) > ANCILLARY_SIZE)
			break;
		memset(control + used, 0, CMSG_SPACE(sizes[kind]));
		memcpy(control + used, &head, sizeof(head));
		memcpy(control + used + sizeof(head), bytes + 1, sizes[kind]);
		used += CMSG_SPACE(sizes[kind]);
		bytes += 1 + sizes[kind];
		size -= 1 + sizes[kind];
	}
	return used;
}

/* What is not hidden comes first to last, and only what has no room is cut, which is said. */
static void check_delivered(const struct msghdr *inner, const struct msghdr *outer, size_t room,
			    bool hide_rcvinfo, bool hide_arrival)
{
	struct control sent, came = {.data = NULL};
	size_t at = 0, left = room;
	bool cut = false;

	check(outer->msg_controllen <= room);
	for (size_t from = 0; ancillary_next(inner, &from, &sent);) {
		bool ours = sent.level == IPPROTO_SCTP
				    ? hide_rcvinfo && sent.type == SCTP_RCVINFO
				    : hide_arrival && sent.type == SCM_TIMESTAMPNS;
		size_t size = CMSG_LEN(sent.size), fits = size < left ? size : left;

		if (ours)
			continue;
		cut |= fits < size;
		if (fits < sizeof(struct cmsghdr))
			continue;
		check(ancillary_next(outer, &at, &came) && CMSG_LEN(came.size) == fits);
		check(came.type == sent.type && memcmp(came.data, sent.data, came.size) == 0);
		left -= CMSG_ALIGN(fits) < left ? CMSG_ALIGN(fits) : left;
	}
	check(!ancillary_next(outer, &at, &came));
	check(cut == ((outer->msg_flags & MSG_CTRUNC) != 0));
}

static void try_receive(const uint8_t *bytes, size_t size, size_t room, unsigned int hides)
{
	_Alignas(struct cmsghdr) char control[ANCILLARY_SIZE];
	char *given = copy(NULL, 0, room);
	struct msghdr inner = {.msg_control = control}, outer = {.msg_control = given};
	struct received got;

	inner.msg_controllen = write_as_kernel(control, bytes, size);
	ancillary_read(&inner, 0, &got);
	outer.msg_controllen = room;
	ancillary_deliver(&inner, &outer, hides & 1, hides & 2);
	check_delivered(&inner, &outer, room, hides & 1, hides & 2);
	free(given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	try_send(data + HEAD, size - HEAD, data[0] % sizeof(size_t), data[1]);
	try_notification(data + HEAD, size - HEAD, data[3]);
	try_receive(data + HEAD, size - HEAD, data[2], data[3]);
	return 0;
}

#include "once.h"
