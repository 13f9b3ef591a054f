/* SPDX-License-Identifier: MIT */
/*
 * The drawings of the page. What was read while the association shared its socket is orange and
 * hatched, what was read after its peel is blue and solid: the two differ without colour, too.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "report.h"

enum {
	LANES = 20,
	LEFT = 190,
	RIGHT = 880,
	LANE = 26,
	BAR = 20,
	PLOT_TOP = 30,
	PLOT_BOTTOM = 250,
};

static const char hatch[] =
	"<defs><pattern id=\"%s\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
	"patternTransform=\"rotate(45)\"><rect width=\"5\" height=\"5\" fill=\"var(--shared)\" "
	"fill-opacity=\".35\"/><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\" stroke=\"var(--shared)\" "
	"stroke-width=\"4\"/></pattern></defs>\n";

static void text(FILE *to, double x, double y, const char *anchor, const char *class,
		 const char *what)
{
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
		class);
	html_text(to, what);
	fputs("</text>\n", to);
}

struct lanes {
	const struct report *report;
	FILE *to;
	double span;   /* ns over the whole width */
	uint64_t most; /* bytes in a bin */
	size_t count;
};

static double place(const struct lanes *lanes, int64_t ns)
{
	double part = (double)(ns - lanes->report->history->begin_ns) / lanes->span;

	return LEFT + (RIGHT - LEFT) * (part < 0 ? 0 : part > 1 ? 1 : part);
}

static void rect(FILE *to, double x, double y, double width, double height, bool peeled)
{
	fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x,
		y, width < 0.5 ? 0.5 : width, height, peeled ? "var(--peeled)" : "url(#shared)");
}

/* A bin in which the peel lies is parted there. */
static void draw_bin(const struct lanes *lanes, const struct history_association *a, int bin,
		     double base)
{
	int64_t length = INT64_C(1) << lanes->report->history->bin_shift;
	int64_t from = lanes->report->history->begin_ns + bin * length, to = from + length;
	double height = BAR * sqrt((double)a->bins[bin] / (double)lanes->most);
	int64_t parted = !a->peeled || a->peeled_ns >= to ? to
			 : a->peeled_ns > from		  ? a->peeled_ns
							  : from;

	if (a->bins[bin] == 0)
		return;
	if (height < 1)
		height = 1;
	if (parted > from)
		rect(lanes->to, place(lanes, from), base - height,
		     place(lanes, parted) - place(lanes, from) - 0.6, height, false);
	if (parted < to)
		rect(lanes->to, place(lanes, parted), base - height,
		     place(lanes, to) - place(lanes, parted) - 0.6, height, true);
}

/* Without messages in the trace: only when it was there, and where. */
static void draw_life(const struct lanes *lanes, const struct history_association *a, double base)
{
	int64_t parted = a->peeled ? a->peeled_ns : a->last_ns;

	rect(lanes->to, place(lanes, a->first_ns), base - 8,
	     place(lanes, parted) - place(lanes, a->first_ns), 8, false);
	if (a->peeled)
		rect(lanes->to, place(lanes, parted), base - 8,
		     place(lanes, a->last_ns) - place(lanes, parted), 8, true);
}

static void draw_lane(const struct lanes *lanes, const struct history_association *a, size_t row)
{
	double base = PLOT_TOP + (double)(row + 1) * LANE;
	char name[64], cut[64], size[FIGURE];

	snprintf(cut, sizeof(cut), "%.26s", report_name(a, name));
	fputs("<g><title>", lanes->to);
	html_text(lanes->to, report_name(a, name));
	fputs(": ", lanes->to);
	html_text(lanes->to, a->reason ? a->reason : report_fate(a));
	fputs("</title>\n", lanes->to);
	text(lanes->to, LEFT - 8, base - 5, "end", "", cut);
	fprintf(lanes->to,
		"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"var(--line)\"/>\n",
		LEFT, base, RIGHT, base);
	for (int bin = 0; lanes->most && bin < HISTORY_BINS; bin++)
		draw_bin(lanes, a, bin, base);
	if (lanes->most == 0)
		draw_life(lanes, a, base);
	if (a->peeled)
		fprintf(lanes->to,
			"<path d=\"M%.1f %.1fv%dl-4 -6h8z\" stroke=\"var(--peeled)\" "
			"fill=\"var(--peeled)\"/>\n",
			place(lanes, a->peeled_ns), base - BAR - 2, 6);
	snprintf(name, sizeof(name), "%s, %s", figure_size(size, a->bytes), report_fate(a));
	text(lanes->to, RIGHT + 8, base - 5, "start", "dim", name);
	fputs("</g>\n", lanes->to);
}

static void draw_axis(const struct lanes *lanes, double y)
{
	char buf[FIGURE];

	for (int i = 0; i <= 4; i++) {
		double x = LEFT + (RIGHT - LEFT) * i / 4.0;

		fprintf(lanes->to,
			"<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\" "
			"stroke=\"var(--line)\" stroke-dasharray=\"2 3\"/>\n",
			x, PLOT_TOP, x, y);
		text(lanes->to, x, y + 16, "middle", "dim",
		     figure_time(buf, (int64_t)(lanes->span * i / 4)));
	}
}

static void draw_legend(FILE *to)
{
	rect(to, LEFT, 6, 14, 12, false);
	text(to, LEFT + 20, 17, "start", "", "read while sharing the socket");
	rect(to, LEFT + 230, 6, 14, 12, true);
	text(to, LEFT + 250, 17, "start", "", "read after the peel");
	fprintf(to,
		"<path d=\"M%d 15v0l-4 -6h8z\" stroke=\"var(--peeled)\" fill=\"var(--peeled)\"/>\n",
		LEFT + 400);
	text(to, LEFT + 410, 17, "start", "", "peeled off");
}

void report_svg_lanes(const struct report *report, FILE *to)
{
	struct lanes lanes = {.report = report, .to = to};
	const struct history *history = report->history;
	char left[FIGURE];
	double bottom;

	lanes.count = report->count < LANES ? report->count : LANES;
	lanes.span = (double)(history->end_ns - history->begin_ns);
	if (lanes.span < 1)
		lanes.span = 1;
	for (size_t i = 0; i < lanes.count; i++)
		for (int bin = 0; bin < HISTORY_BINS; bin++)
			if (report->all[i]->bins[bin] > lanes.most)
				lanes.most = report->all[i]->bins[bin];
	bottom = PLOT_TOP + (double)lanes.count * LANE;
	fprintf(to,
		"<figure><svg id=\"lanes\" viewBox=\"0 0 1060 %.0f\" role=\"img\" aria-label=\"The "
		"heaviest associations over time\">\n",
		bottom + 26);
	fprintf(to, hatch, "shared");
	draw_legend(to);
	draw_axis(&lanes, bottom);
	for (size_t i = 0; i < lanes.count; i++)
		draw_lane(&lanes, report->all[i], i);
	fputs("</svg>\n<figcaption>", to);
	if (lanes.most)
		fputs("Height: square root of the bytes received in the time. ", to);
	else
		fputs("The trace has no messages: only when they were there is drawn. ", to);
	if (report->count > lanes.count)
		fprintf(to, "%s more associations are in the table below.",
			figure_count(left, report->count - lanes.count));
	fputs("</figcaption></figure>\n", to);
}

struct plot {
	FILE *to;
	double first, last; /* log2 of ns */
};

static double plot_x(const struct plot *plot, double ns)
{
	double part = (log2(ns < 512 ? 512 : ns) - plot->first) / (plot->last - plot->first);

	return LEFT - 100 + (RIGHT - LEFT + 100) * (part < 0 ? 0 : part > 1 ? 1 : part);
}

/* The part of messages that waited for longer. */
static void draw_curve(const struct plot *plot, const struct spread *waits, const char *look)
{
	double all = (double)spread_count(waits), passed = 0;

	if (all == 0)
		return;
	fprintf(plot->to, "<path fill=\"none\" %s d=\"M%.1f %d", look, plot_x(plot, 0), PLOT_TOP);
	for (int i = 0; i + 1 < SPREAD_SLOTS; i++) {
		passed += waits->counts[i];
		fprintf(plot->to, "L%.1f %.1f", plot_x(plot, (double)spread_edge(i + 1)),
			PLOT_TOP + (PLOT_BOTTOM - PLOT_TOP) * passed / all);
		if (passed == all)
			break;
	}
	fputs("\"/>\n", plot->to);
}

static void draw_grid(const struct plot *plot)
{
	static const int64_t marks[] = {1000,	   10000,      100000,	    1000000,	 10000000,
					100000000, 1000000000, 10000000000, 100000000000};
	char buf[FIGURE];

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		double x = plot_x(plot, (double)marks[i]);

		if (log2((double)marks[i]) < plot->first || log2((double)marks[i]) > plot->last)
			continue;
		fprintf(plot->to,
			"<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"var(--line)\" "
			"stroke-dasharray=\"2 3\"/>\n",
			x, PLOT_TOP, x, PLOT_BOTTOM);
		text(plot->to, x, PLOT_BOTTOM + 18, "middle", "dim", figure_time(buf, marks[i]));
	}
	for (int percent = 0; percent <= 100; percent += 25) {
		double y = PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * percent / 100.0;

		snprintf(buf, sizeof(buf), "%d %%", percent);
		text(plot->to, LEFT - 110, y + 4, "end", "dim", buf);
		fprintf(plot->to,
			"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" "
			"stroke=\"var(--line)\"/>\n",
			LEFT - 100, y, RIGHT, y);
	}
}

void report_svg_waits(const struct report *report, FILE *to)
{
	static const char *const looks[WAIT_KINDS] = {
		"stroke=\"var(--shared)\" stroke-width=\"2.5\" stroke-dasharray=\"7 4\"",
		"stroke=\"var(--fg)\" stroke-width=\"2\"",
		"stroke=\"var(--peeled)\" stroke-width=\"2.5\" stroke-dasharray=\"2 3\"",
	};
	struct plot plot = {to, SPREAD_FIRST - 1, SPREAD_FIRST + 10};

	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		double longest = log2((double)spread_quantile(&report->waits[kind], 1) + 1) + 0.5;

		if (longest > plot.last)
			plot.last = longest;
	}
	fputs("<figure><svg id=\"waits\" viewBox=\"0 0 1060 278\" role=\"img\" aria-label=\"How "
	      "long messages waited\">\n",
	      to);
	draw_grid(&plot);
	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		int x = LEFT - 100 + kind * 250;

		draw_curve(&plot, &report->waits[kind], looks[kind]);
		fprintf(to, "<path d=\"M%d 12h34\" %s/>\n", x, looks[kind]);
		text(to, x + 42, 16, "start", "", report_waits[kind]);
	}
	fputs("</svg>\n<figcaption>The part of the messages that waited for longer than the time "
	      "below.</figcaption></figure>\n",
	      to);
}
