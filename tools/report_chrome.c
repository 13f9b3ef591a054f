/* SPDX-License-Identifier: MIT */
/* report, as trace events (Chrome's JSON form): a track for each association. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

struct tracks {
	FILE *to;
	const struct history *history;
	bool any;
};

/* Takes the object. */
static void put(struct tracks *tracks, json_t *object)
{
	if (object == NULL)
		return;
	fputs(tracks->any ? ",\n" : "\n", tracks->to);
	tracks->any = true;
	json_dumpf(object, tracks->to, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(object);
}

static double microseconds(const struct tracks *tracks, int64_t ns)
{
	return (double)(ns - tracks->history->begin_ns) / 1e3;
}

static void put_name(struct tracks *tracks, const char *what, int64_t pid, int64_t tid,
		     const char *name)
{
	put(tracks, json_pack("{s:s,s:s,s:I,s:I,s:{s:s}}", "ph", "M", "name", what, "pid", pid,
			      "tid", tid, "args", "name", name));
}

/*
 * A begin and an end, not one event with its duration: a slice that ends when the next one begins
 * must not overlap it by a rounding error, or a reader drops one of them.
 */
static void put_slice(struct tracks *tracks, const struct history_association *a, const char *name,
		      int64_t from, int64_t to)
{
	if (to < from)
		return;
	put(tracks,
	    json_pack("{s:s,s:s,s:s,s:f,s:I,s:I,s:{s:s?,s:s?}}", "ph", "B", "cat", "association",
		      "name", name, "ts", microseconds(tracks, from), "pid", a->key.process->pid,
		      "tid", a->key.number, "args", "rule", a->rule, "reason", a->reason));
	put(tracks, json_pack("{s:s,s:f,s:I,s:I}", "ph", "E", "ts", microseconds(tracks, to), "pid",
			      a->key.process->pid, "tid", a->key.number));
}

static void put_instant(struct tracks *tracks, const struct history_association *a,
			const char *name, int64_t at)
{
	put(tracks, json_pack("{s:s,s:s,s:s,s:s,s:f,s:I,s:I}", "ph", "i", "s", "t", "cat",
			      "association", "name", name, "ts", microseconds(tracks, at), "pid",
			      a->key.process->pid, "tid", a->key.number));
}

static void put_association(struct tracks *tracks, const struct history_association *a)
{
	char name[64];

	put_name(tracks, "thread_name", a->key.process->pid, a->key.number, report_name(a, name));
	put_slice(tracks, a, "shared", a->first_ns, a->peeled ? a->peeled_ns : a->last_ns);
	if (a->peeled) {
		put_slice(tracks, a, "peeled", a->peeled_ns, a->last_ns);
		put_instant(tracks, a, "peel", a->peeled_ns);
	}
	if (a->delay_ns >= 0 && a->condition_ns >= a->first_ns)
		put_instant(tracks, a, "condition true", a->condition_ns);
}

/* What came in a second, for the heaviest: the rest would hide them. */
static void put_rates(struct tracks *tracks, const struct history_association *a)
{
	double length = (double)(UINT64_C(1) << tracks->history->bin_shift);
	char name[64], title[160];

	snprintf(title, sizeof(title), "bytes/s %.100s", report_name(a, name));
	for (int i = 0; i < HISTORY_BINS; i++) {
		double at = (double)i * length;

		if (at > (double)(tracks->history->end_ns - tracks->history->begin_ns))
			break;
		put(tracks, json_pack("{s:s,s:s,s:f,s:I,s:{s:f}}", "ph", "C", "name", title, "ts",
				      at / 1e3, "pid", a->key.process->pid, "args", "bytes/s",
				      (double)a->bins[i] * 1e9 / length));
	}
}

void report_chrome(const struct report *report, FILE *to)
{
	struct tracks tracks = {.to = to, .history = report->history};
	const size_t drawn = 20;

	fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", to);
	for (const struct history_process *p = report->history->first; p != NULL; p = p->next)
		put_name(&tracks, "process_name", p->pid, 0, p->program ? p->program : "?");
	for (size_t i = 0; i < report->count; i++)
		put_association(&tracks, report->all[i]);
	for (size_t i = 0; i < report->count && i < drawn && report->history->messages; i++)
		put_rates(&tracks, report->all[i]);
	fputs("\n]}\n", to);
}
