/* SPDX-License-Identifier: MIT */
/*
 * top_view: what sctpeel top shows: which processes, in which order, and each as a line of text.
 */
#ifndef SCTPEEL_TOP_VIEW_H
#define SCTPEEL_TOP_VIEW_H

#include "line.h"
#include "live_files.h"

struct top_row {
	const struct live_file *file;
	const struct live_slot *slot;
	uint64_t rate, msgrate; /* a second, between the last two looks */
	uint64_t age_ns, idle_ns;
};

enum top_order {
	ORDER_RATE,
	ORDER_MSGRATE,
	ORDER_BYTES,
	ORDER_MSGS,
	ORDER_AGE,
	ORDER_IDLE,
	ORDER_PEER,
	ORDER_STATE,
	ORDERS
};
/* "rate", "msgrate", …, NULL-terminated */
extern const char *const top_orders[ORDERS + 1];

struct top_view {
	struct live_folder folder;
	pid_t pid;	  /* 0: all processes */
	char program[96]; /* of that pid, once seen: it is followed when it comes again */
	enum top_order order;
	bool reversed;
	char filter[64]; /* only rows whose line contains it */

	/* of the last look */
	struct top_row *rows;
	size_t count, room;
	uint32_t processes, associations, peeled, unseen;
	uint64_t rate, msgrate;
	bool ended;			  /* what is shown belongs to a process that has gone */
	const struct live_header *header; /* of the one process, NULL: none or several */
};

/* Looks again, and filters and sorts. 0, or the errno that the folder cannot be read for. */
int top_view_look(struct top_view *view);
/* Filters and sorts anew what the last look found. */
void top_view_arrange(struct top_view *view);
void top_view_end(struct top_view *view);

/* Text of others in them is escaped and bounded: a line of TOP_ROW_SIZE holds each of them. */
enum { TOP_ROW_SIZE = 1024 };
void top_view_put_summary(const struct top_view *view, struct line *line);
void top_view_put_titles(struct line *line);
void top_view_put_row(const struct top_row *row, struct line *line);

#endif
