/* SPDX-License-Identifier: MIT */
/* history_parts: what the files of history share. Private to them. */
#ifndef SCTPEEL_HISTORY_PARTS_H
#define SCTPEEL_HISTORY_PARTS_H

#include "history.h"

/* Keeps a copy of what is told; what is not told changes nothing. */
void history_set(char **at, struct trace_text text);
/* One more of it; NULL for want of memory. */
struct history_count *history_count(struct history_count **counts, struct trace_text what);
void history_widen(struct history_association *association, unsigned int shift);
/* The association is over, or the trace is: what it did for others is put together. */
void history_end_waits(struct history_association *association);

void history_add_start(struct history *history, struct history_process *process,
		       const struct trace_event *event);
void history_add_decision(struct history *history, struct history_process *process,
			  struct history_association *association, const struct trace_event *event,
			  int64_t time);
void history_add_peel(struct history *history, struct history_association *association,
		      const struct trace_event *event, int64_t time);

#endif
