/* SPDX-License-Identifier: MIT */
#include "top_view.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "settings.h"

const char *const top_orders[ORDERS + 1] = {"rate", "msgrate", "bytes", "msgs", "age",
					    "idle", "peer",    "state", NULL};

static uint64_t per_second(uint64_t now, uint64_t before, uint64_t elapsed_ns)
{
	__extension__ unsigned __int128 much;

	if (now <= before || elapsed_ns == 0)
		return 0;
	much = (unsigned __int128)(now - before) * 1000000000u / elapsed_ns; /* NOLINT */
	return much > UINT64_MAX ? UINT64_MAX : (uint64_t)much;
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static bool add_row(struct top_view *view, const struct live_file *file, uint32_t place)
{
	const struct live_slot *slot = &file->now.slots[place],
			       *before = live_slot_before(file, place);
	uint64_t now = file->now.now_ns, elapsed = since(now, file->before.now_ns);
	struct top_row *row;

	if (view->count == view->room) {
		size_t room = view->room ? 2 * view->room : 256;
		struct top_row *grown = realloc(view->rows, room * sizeof(*grown));

		if (!grown)
			return false;
		view->rows = grown;
		view->room = room;
	}
	row = &view->rows[view->count++];
	*row = (struct top_row){.file = file,
				.slot = slot,
				.age_ns = since(now, slot->first_seen_ns),
				.idle_ns = since(now, slot->last_seen_ns)};
	if (before && file->alive) {
		row->rate = per_second(slot->bytes, before->bytes, elapsed);
		row->msgrate = per_second(slot->msgs, before->msgs, elapsed);
	}
	return true;
}

static bool matches(const struct top_row *row, const char *filter)
{
	char buf[TOP_ROW_SIZE];
	struct line line;

	if (*filter == '\0')
		return true;
	line_open(&line, buf, sizeof(buf));
	top_view_put_row(row, &line);
	return strcasestr(line_done(&line), filter) != NULL;
}

static void add_file(struct top_view *view, const struct live_file *file)
{
	view->processes++;
	view->unseen += file->header.unseen;
	for (uint32_t i = 0; i < file->now.used; i++) {
		const struct live_slot *slot = &file->now.slots[i];
		const struct top_row *row;

		if (slot->state != LIVE_SHARED && slot->state != LIVE_PEELED)
			continue;
		if (!add_row(view, file, i))
			return;
		row = &view->rows[view->count - 1];
		view->associations++;
		view->peeled += slot->state == LIVE_PEELED;
		view->rate += row->rate;
		view->msgrate += row->msgrate;
		if (!matches(row, view->filter))
			view->count--;
	}
}

/* The process that was asked for; once that has gone, the youngest one of the same program. */
static const struct live_file *chosen(struct top_view *view)
{
	const struct live_file *ret = NULL, *exact = NULL;

	for (size_t i = 0; i < view->folder.count; i++) {
		const struct live_file *file = view->folder.files[i];

		if (file->pid == view->pid)
			exact = file;
		if (file->alive && view->program[0] != '\0' &&
		    strcmp(file->header.program, view->program) == 0 &&
		    (!ret || file->header.started_ns > ret->header.started_ns))
			ret = file;
	}
	if (exact && (exact->alive || !ret))
		ret = exact;
	if (ret) {
		view->pid = ret->pid;
		memcpy(view->program, ret->header.program, sizeof(view->program));
	}
	return ret;
}

/* In qsort's comparison there is no other way to the order. */
static enum top_order sort_order;
static bool sort_reversed;

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int compare_peers(const struct live_slot *a, const struct live_slot *b)
{
	int ret = (int)a->peer.family - (int)b->peer.family;

	if (ret == 0)
		ret = memcmp(a->peer.bytes, b->peer.bytes, sizeof(a->peer.bytes));
	return ret ? ret : memcmp(&a->peer.port, &b->peer.port, sizeof(a->peer.port));
}

static int compare_by_order(const struct top_row *a, const struct top_row *b)
{
	switch (sort_order) {
	case ORDER_RATE:
		return compare_numbers(a->rate, b->rate);
	case ORDER_MSGRATE:
		return compare_numbers(a->msgrate, b->msgrate);
	case ORDER_BYTES:
		return compare_numbers(a->slot->bytes, b->slot->bytes);
	case ORDER_MSGS:
		return compare_numbers(a->slot->msgs, b->slot->msgs);
	case ORDER_AGE:
		return compare_numbers(a->age_ns, b->age_ns);
	case ORDER_IDLE:
		return compare_numbers(a->idle_ns, b->idle_ns);
	case ORDER_PEER:
		return compare_peers(a->slot, b->slot);
	case ORDER_STATE:
	case ORDERS:
		break;
	}
	return compare_numbers(a->slot->state, b->slot->state);
}

/* Equal ones keep their places, so that the eye can rest on them. */
static int compare(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	int ret = compare_by_order(a, b);

	if (ret == 0)
		ret = compare_numbers(b->slot->first_seen_ns, a->slot->first_seen_ns);
	if (ret == 0)
		ret = compare_numbers((uint64_t)b->slot->assoc_id, (uint64_t)a->slot->assoc_id);
	return sort_reversed ? -ret : ret;
}

void top_view_arrange(struct top_view *view)
{
	const struct live_file *one = view->pid ? chosen(view) : NULL;

	view->count = 0;
	view->processes = view->associations = view->peeled = view->unseen = 0;
	view->rate = view->msgrate = 0;
	view->header = NULL;
	if (one)
		add_file(view, one);
	for (size_t i = 0; !view->pid && i < view->folder.count; i++)
		if (view->folder.files[i]->alive) {
			one = view->folder.files[i];
			add_file(view, one);
		}
	if (one && view->processes == 1)
		view->header = &one->header;
	view->ended = view->pid && !(one && one->alive);
	sort_order = view->order;
	sort_reversed = view->reversed;
	if (view->count > 0)
		qsort(view->rows, view->count, sizeof(*view->rows), compare);
}

int top_view_look(struct top_view *view)
{
	int error = live_folder_look(&view->folder);

	top_view_arrange(view);
	return error;
}

void top_view_end(struct top_view *view)
{
	live_folder_end(&view->folder);
	free(view->rows);
	view->rows = NULL;
	view->count = view->room = 0;
}
