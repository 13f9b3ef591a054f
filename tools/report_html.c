/* SPDX-License-Identifier: MIT */
/* report, as one page: pictures first, every number in tables below. No script. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "report.h"

enum { TABLE_ROWS = 5000 };

static const char style[] =
	":root{--bg:#fff;--fg:#1c2430;--dim:#5c6675;--line:#d5dae1;--shared:#c2570c;--peeled:#"
	"1565c0;"
	"--held:#8a6d00;--bad:#b3261e}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#14181e;--fg:#e6e9ee;--dim:#9aa5b4;--line:"
	"#37404c;--shared:#ff9a4d;--peeled:#6db3ff;--held:#e0c050;--bad:#ff8a80}}\n"
	"body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;"
	"max-width:1100px;margin:2em auto;padding:0 1em}\n"
	"h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}p.dim,figcaption{color:var(--dim)}\n"
	"figure{margin:0}svg{width:100%;height:auto;display:block}svg "
	"text{fill:var(--fg);font:13px "
	"system-ui,sans-serif}svg .dim{fill:var(--dim)}\n"
	".tiles{display:flex;flex-wrap:wrap;gap:.8em}.tiles div{border:1px solid var(--line);"
	"border-radius:6px;padding:.5em .9em}.tiles b{display:block;font-size:1.35em}\n"
	".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;"
	"font-size:13.5px}th,td{padding:.25em .7em;border-bottom:1px solid var(--line);"
	"text-align:right;white-space:nowrap}th{text-align:right;color:var(--dim);font-weight:600}"
	"\n"
	"td.t,th.t{text-align:left}td.r{text-align:left;white-space:normal;min-width:16em;"
	"overflow-wrap:anywhere}\n"
	".peeled{color:var(--peeled);font-weight:600}.held{color:var(--held);font-weight:600}"
	".refused{color:var(--bad);font-weight:600}\n";

/* Markup becomes text; control characters, which HTML may not have, become a sign. */
void html_text(FILE *to, const char *text)
{
	for (; text != NULL && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			fputs("&amp;", to);
		else if (c == '<')
			fputs("&lt;", to);
		else if (c == '>')
			fputs("&gt;", to);
		else if (c == '"')
			fputs("&quot;", to);
		else if (c == '\'')
			fputs("&#39;", to);
		else if (c < ' ' || c == 0x7f)
			fputs("&#xfffd;", to);
		else
			fputc(c, to);
	}
}

static void tile(FILE *to, const char *figure, const char *what)
{
	fprintf(to, "<div><b>%s</b>%s</div>\n", figure, what);
}

static void write_tiles(const struct report *report, FILE *to)
{
	const struct history *history = report->history;
	char buf[FIGURE];

	fputs("<div class=tiles>\n", to);
	tile(to, figure_count(buf, report->count), "associations");
	tile(to, figure_count(buf, history->peels), "peeled off");
	tile(to, figure_count(buf, history->peeled_most), "descriptors at most at once");
	if (history->messages) {
		tile(to, figure_count(buf, history->messages), "messages");
		tile(to, figure_size(buf, history->bytes), "received");
	}
	tile(to, figure_time(buf, history->end_ns - history->begin_ns), "traced");
	fputs("</div>\n", to);
}

static void write_losses(const struct report *report, FILE *to)
{
	const struct history *history = report->history;

	if (report->counts->unreadable + history->dropped + history->missing == 0)
		return;
	fprintf(to,
		"<p>Not everything is in the trace: %" PRIu64 " lines could not be read, %" PRIu64
		" events were lost to a full sink, %" PRIu64 " are missing in the sequence.</p>\n",
		report->counts->unreadable, history->dropped, history->missing);
}

static void write_processes(const struct report *report, FILE *to)
{
	unsigned int shown = 0;

	fputs("<p class=dim>", to);
	for (const struct history_process *p = report->history->first; p != NULL && shown < 8;
	     p = p->next, shown++) {
		html_text(to, p->program);
		fprintf(to, "[%" PRId64 "]", p->pid);
		if (p->policy != NULL) {
			fputs(", policy ", to);
			html_text(to, p->policy->text ? p->policy->text : p->policy->hash);
		}
		if (p->mode != NULL) {
			fputs(", ", to);
			html_text(to, p->mode);
		}
		fputs(p->next ? "<br>\n" : "", to);
	}
	fputs("</p>\n", to);
}

static void cell_time(FILE *to, int64_t ns)
{
	char buf[FIGURE];

	fprintf(to, "<td>%s", figure_time(buf, ns));
}

static void write_waits(const struct report *report, FILE *to)
{
	char buf[FIGURE];

	fputs("<h2>How long messages waited in the socket</h2>\n", to);
	if (!report->history->has_waits) {
		fputs("<p>The trace does not say: it takes SCTPEEL_TRACE_EVENTS=all.</p>\n", to);
		return;
	}
	report_svg_waits(report, to);
	fputs("<div class=scroll><table><tr><th class=t>messages read<th>count<th>median<th>90 "
	      "%<th>99 %</tr>\n",
	      to);
	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		const struct spread *waits = &report->waits[kind];
		uint64_t count = spread_count(waits);

		fprintf(to, "<tr><td class=t>%s<td>%s", report_waits[kind],
			figure_count(buf, count));
		cell_time(to, count ? (int64_t)spread_quantile(waits, 0.5) : -1);
		cell_time(to, count ? (int64_t)spread_quantile(waits, 0.9) : -1);
		cell_time(to, count ? (int64_t)spread_quantile(waits, 0.99) : -1);
		fputs("</tr>\n", to);
	}
	fputs("</table></div>\n", to);
}

static int64_t ninety_nine(const struct spread *spread)
{
	return spread && spread_count(spread) ? (int64_t)spread_quantile(spread, 0.99) : -1;
}

static void write_row(const struct report *report, const struct history_association *a, FILE *to)
{
	char name[64], buf[FIGURE], count[FIGURE], before[FIGURE];
	const char *fate = report_fate(a);

	fputs("<tr><td class=t>", to);
	html_text(to, report_name(a, name));
	fprintf(to, "<td>%s<td>%s<td class=\"t %s\">%s", figure_size(buf, a->bytes),
		figure_count(count, a->msgs), fate, fate);
	cell_time(to, a->peeled ? a->peeled_ns - report->history->begin_ns : -1);
	cell_time(to, a->delay_ns);
	fprintf(to, "<td>%s", a->peeled ? figure_count(before, a->msgs_before) : "-");
	cell_time(to, ninety_nine(a->others_before));
	cell_time(to, ninety_nine(a->others_after));
	fputs("<td class=t>", to);
	html_text(to, a->rule);
	fputs("<td class=r>", to);
	html_text(to, a->reason);
	fputs("</tr>\n", to);
}

static void write_associations(const struct report *report, FILE *to)
{
	char buf[FIGURE];

	fputs("<h2>All associations</h2>\n<div class=scroll><table><tr><th class=t>peer<th>received"
	      "<th>messages<th class=t>fate<th>peeled at<th>condition to peel<th>messages "
	      "before<th>others' wait before, 99 %<th>after<th class=t>rule<th "
	      "class=t>reason</tr>\n",
	      to);
	for (size_t i = 0; i < report->count && i < TABLE_ROWS; i++)
		write_row(report, report->all[i], to);
	if (report->count > TABLE_ROWS) {
		uint64_t bytes = 0;
		char count[FIGURE];

		for (size_t i = TABLE_ROWS; i < report->count; i++)
			bytes += report->all[i]->bytes;
		fprintf(to, "<tr><td class=t>%s more<td>%s<td colspan=9></tr>\n",
			figure_count(count, report->count - TABLE_ROWS), figure_size(buf, bytes));
	}
	fputs("</table></div>\n", to);
}

static void write_counts(const char *title, const struct history_count *counts, FILE *to)
{
	if (counts == NULL)
		return;
	fprintf(to,
		"<h2>%s</h2>\n<div class=scroll><table><tr><th>times<th>associations<th "
		"class=t></tr>\n",
		title);
	for (; counts != NULL; counts = counts->hh.next) {
		fprintf(to, "<tr><td>%" PRIu64 "<td>%" PRIu64 "<td class=t>", counts->events,
			counts->associations);
		html_text(to, counts->what);
		fputs("</tr>\n", to);
	}
	fputs("</table></div>\n", to);
}

static void write_rules(const struct report *report, FILE *to)
{
	fputs("<h2>Rules</h2>\n<div class=scroll><table><tr><th class=t>policy<th "
	      "class=t>rule<th>peel<th>hold<th>keep<th class=t></tr>\n",
	      to);
	for (const struct history_policy *policy = report->history->policies; policy != NULL;
	     policy = policy->hh.next) {
		for (size_t i = 0; i < policy->count; i++) {
			const struct history_rule *rule = &policy->rules[i];
			bool matched = rule->peels + rule->holds + rule->keeps > 0;

			fputs("<tr><td class=t>", to);
			html_text(to, policy->hash);
			fputs("<td class=t>", to);
			html_text(to, rule->name);
			fprintf(to, "<td>%" PRIu64 "<td>%" PRIu64 "<td>%" PRIu64 "<td class=t>%s",
				rule->peels, rule->holds, rule->keeps,
				matched ? "" : "never matched");
			fputs("</tr>\n", to);
		}
		if (!policy->known) {
			fputs("<tr><td class=t>", to);
			html_text(to, policy->hash);
			fputs("<td class=t colspan=5>its text is not in the trace: rules that "
			      "never "
			      "matched are not known</tr>\n",
			      to);
		}
	}
	fputs("</table></div>\n", to);
}

void report_html(const struct report *report, FILE *to)
{
	char date[FIGURE];

	fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n<meta name=viewport "
	      "content=\"width=device-width\">\n<title>sctpeel report</title>\n<style>\n",
	      to);
	fputs(style, to);
	fprintf(to,
		"</style></head><body>\n<h1>sctpeel report</h1>\n<p class=dim>from %s UTC</p>\n",
		figure_date(date, report->history->begin_ns));
	write_tiles(report, to);
	write_processes(report, to);
	write_losses(report, to);
	fputs("<h2>The heaviest associations over time</h2>\n", to);
	report_svg_lanes(report, to);
	write_waits(report, to);
	write_counts("Held back", report->history->held, to);
	write_counts("Refused by the kernel", report->history->refused, to);
	write_counts("Errors of the shim", report->history->errors, to);
	write_rules(report, to);
	write_associations(report, to);
	fputs("</body></html>\n", to);
}
