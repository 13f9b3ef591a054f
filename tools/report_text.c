/* SPDX-License-Identifier: MIT */
/* report, for the terminal. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "figures.h"
#include "line.h"
#include "report.h"

enum { ROWS = 20 };

struct page {
	FILE *to;
	const struct report *report;
	int width;
	bool colour;
};

/* Of a terminal; else as wide as it takes. */
static int width_of(FILE *to)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long ret = columns ? strtol(columns, NULL, 10) : 0;

	if (ret <= 0 && ioctl(fileno(to), TIOCGWINSZ, &size) == 0)
		ret = size.ws_col;
	else if (ret <= 0)
		ret = 160;
	return ret < 40 ? 40 : ret > 1000 ? 1000 : (int)ret;
}

/* Nothing that a peer or a policy wrote reaches the terminal as it is. */
static const char *tame(const char *text, char *buf, size_t size)
{
	struct line line;

	line_open(&line, buf, size);
	if (text != NULL)
		line_quote(&line, text, strlen(text), size - 1, LINE_SHOWN);
	else
		line_char(&line, '-');
	return line_done(&line);
}

static void head(const struct page *page, const char *title)
{
	fprintf(page->to, page->colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", title);
}

/* Peeled green, what stood against it yellow or red. */
static const char *colour_of(const struct page *page, const char *fate)
{
	if (!page->colour)
		return "";
	if (strcmp(fate, "peeled") == 0)
		return "\033[32m";
	if (strcmp(fate, "refused") == 0)
		return "\033[31m";
	return strcmp(fate, "held") == 0 ? "\033[33m" : "";
}

static void print_process(const struct page *page, const struct history_process *process)
{
	char program[100];

	fprintf(page->to, "  %s[%" PRId64 "]", tame(process->program, program, sizeof(program)),
		process->pid);
	if (process->policy != NULL)
		fprintf(page->to, ", policy %.16s", process->policy->hash);
	if (process->mode != NULL)
		fprintf(page->to, ", %s", tame(process->mode, program, sizeof(program)));
	if (process->policy != NULL && process->policy->text != NULL) {
		char text[200];

		fprintf(page->to, ": %s", tame(process->policy->text, text, sizeof(text)));
	}
	fprintf(page->to, "%s\n", process->stopped ? "" : " (its end is not in the trace)");
}

static void print_processes(const struct page *page)
{
	const struct history *history = page->report->history;
	unsigned int shown = 0, count = 0;

	for (const struct history_process *p = history->first; p != NULL; p = p->next, count++)
		if (shown < 8 && ++shown)
			print_process(page, p);
	if (count > shown)
		fprintf(page->to, "  and %u more processes\n", count - shown);
}

static void print_losses(const struct page *page)
{
	const struct history *history = page->report->history;
	const struct trace_counts *counts = page->report->counts;
	char buf[FIGURE];

	if (counts->unreadable)
		fprintf(page->to, "  %s lines could not be read\n",
			figure_count(buf, counts->unreadable));
	if (counts->unknown)
		fprintf(page->to, "  %s events of kinds that this version does not know\n",
			figure_count(buf, counts->unknown));
	if (history->dropped)
		fprintf(page->to, "  %s events were lost to a full sink\n",
			figure_count(buf, history->dropped));
	if (history->missing)
		fprintf(page->to, "  %s events are missing in the sequence\n",
			figure_count(buf, history->missing));
}

static void print_summary(const struct page *page)
{
	const struct history *history = page->report->history;
	char date[FIGURE], time[FIGURE], events[FIGURE], count[FIGURE], bytes[FIGURE],
		peels[FIGURE];

	fprintf(page->to, "%s events in %s from %s UTC\n",
		figure_count(events, page->report->counts->events),
		figure_time(time, history->end_ns - history->begin_ns),
		figure_date(date, history->begin_ns));
	print_processes(page);
	print_losses(page);
	fprintf(page->to, "%s associations, ", figure_count(count, page->report->count));
	fprintf(page->to, "%s peeled off, at most %s at once (descriptors)",
		figure_count(peels, history->peels), figure_count(events, history->peeled_most));
	if (history->program_peels)
		fprintf(page->to, ", %s by the program itself",
			figure_count(count, history->program_peels));
	if (history->messages)
		fprintf(page->to, "; %s messages, %s", figure_count(count, history->messages),
			figure_size(bytes, history->bytes));
	fputc('\n', page->to);
}

static void print_waits(const struct page *page)
{
	head(page, "How long messages waited in the socket");
	if (!page->report->history->has_waits) {
		fputs("  not in this trace: it takes SCTPEEL_TRACE_EVENTS=all\n", page->to);
		return;
	}
	fprintf(page->to, "  %-29s %12s %9s %9s %9s\n", "", "messages", "median", "90 %", "99 %");
	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		const struct spread *waits = &page->report->waits[kind];
		uint64_t count = spread_count(waits);
		char a[FIGURE], b[FIGURE], c[FIGURE], d[FIGURE];

		fprintf(page->to, "  %-29s %12s %9s %9s %9s\n", report_waits[kind],
			figure_count(a, count),
			figure_time(b, count ? (int64_t)spread_quantile(waits, 0.5) : -1),
			figure_time(c, count ? (int64_t)spread_quantile(waits, 0.9) : -1),
			figure_time(d, count ? (int64_t)spread_quantile(waits, 0.99) : -1));
	}
}

/* 99 % of the others' waits, before and after it was peeled. */
static const char *others_of(const struct history_association *association, char *buf)
{
	char before[FIGURE], after[FIGURE];
	const struct spread *b = association->others_before, *a = association->others_after;

	if (b == NULL || a == NULL)
		return "";
	snprintf(buf, 2 * FIGURE + 8, "%s > %s",
		 figure_time(before, spread_count(b) ? (int64_t)spread_quantile(b, 0.99) : -1),
		 figure_time(after, spread_count(a) ? (int64_t)spread_quantile(a, 0.99) : -1));
	return buf;
}

static void print_association(const struct page *page, const struct history_association *a)
{
	const struct history *history = page->report->history;
	char peer[64], name[64], size[FIGURE], count[FIGURE], when[FIGURE], delay[FIGURE];
	char before[FIGURE], others[2 * FIGURE + 8], reason[256];
	const char *fate = report_fate(a);
	int room = page->width - 114;

	fprintf(page->to, "  %-23s %9s %11s %s%-8s%s ",
		tame(report_name(a, name), peer, sizeof(peer)), figure_size(size, a->bytes),
		figure_count(count, a->msgs), colour_of(page, fate), fate,
		page->colour ? "\033[0m" : "");
	if (page->width < 80) {
		fputc('\n', page->to);
		return;
	}
	fprintf(page->to, "%9s %9s ",
		figure_time(when, a->peeled ? a->peeled_ns - history->begin_ns : -1),
		figure_time(delay, a->delay_ns));
	if (page->width >= 114)
		fprintf(page->to, "%11s %20s ",
			a->peeled ? figure_count(before, a->msgs_before) : "-",
			others_of(a, others));
	if (room > 8)
		fprintf(page->to, "%.*s", room, tame(a->reason, reason, sizeof(reason)));
	fputc('\n', page->to);
}

static void print_associations(const struct page *page)
{
	char left[FIGURE];

	head(page, "The heaviest associations");
	fprintf(page->to, "  %-23s %9s %11s %-8s ", "peer", "received", "messages", "");
	if (page->width >= 80)
		fprintf(page->to, "%9s %9s ", "peeled at", "delay");
	if (page->width >= 114)
		fprintf(page->to, "%11s %20s reason", "msgs before", "others' 99 %");
	fputc('\n', page->to);
	for (size_t i = 0; i < page->report->count && i < ROWS; i++)
		print_association(page, page->report->all[i]);
	if (page->report->count > ROWS)
		fprintf(page->to, "  and %s more (--csv, --html and --json have them)\n",
			figure_count(left, page->report->count - ROWS));
}

static void print_counts(const struct page *page, const char *title,
			 const struct history_count *counts)
{
	char what[512], events[FIGURE], associations[FIGURE];

	if (counts == NULL)
		return;
	head(page, title);
	for (; counts != NULL; counts = counts->hh.next) {
		fprintf(page->to, "  %9s times", figure_count(events, counts->events));
		if (counts->associations)
			fprintf(page->to, ", %s associations",
				figure_count(associations, counts->associations));
		fprintf(page->to, ": %s\n", tame(counts->what, what, sizeof(what)));
	}
}

static void print_unmatched(void *context, const struct history_policy *policy,
			    const struct history_rule *rule)
{
	const struct page *page = context;
	char name[100];

	fprintf(page->to, "  %s never matched (policy %.16s)\n",
		tame(rule->name, name, sizeof(name)), policy->hash);
}

static void print_rules(struct page *page)
{
	head(page, "Rules: first matches, and which never did");
	for (const struct history_policy *policy = page->report->history->policies; policy != NULL;
	     policy = policy->hh.next) {
		for (size_t i = 0; i < policy->count; i++) {
			const struct history_rule *rule = &policy->rules[i];
			char name[100];

			if (rule->peels + rule->keeps + rule->holds)
				fprintf(page->to,
					"  %s: %" PRIu64 " peel, %" PRIu64 " hold, %" PRIu64
					" keep\n",
					tame(rule->name, name, sizeof(name)), rule->peels,
					rule->holds, rule->keeps);
		}
		if (!policy->known)
			fprintf(page->to,
				"  the trace does not have the whole text of policy %.16s: rules "
				"that never matched are not known\n",
				policy->hash);
	}
	history_unmatched(page->report->history, print_unmatched, page);
}

void report_text(const struct report *report, FILE *to)
{
	const char *plain = getenv("NO_COLOR");
	struct page page = {
		.to = to,
		.report = report,
		.width = width_of(to),
		.colour = isatty(fileno(to)) && (plain == NULL || *plain == '\0'),
	};

	print_summary(&page);
	print_waits(&page);
	print_associations(&page);
	print_counts(&page, "Held back", report->history->held);
	print_counts(&page, "Refused by the kernel", report->history->refused);
	print_counts(&page, "Errors of the shim", report->history->errors);
	print_rules(&page);
}
