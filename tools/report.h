/* SPDX-License-Identifier: MIT */
/* report: one history, written in several ways. */
#ifndef SCTPEEL_REPORT_H
#define SCTPEEL_REPORT_H

#include <stdio.h>

#include "history.h"

struct report {
	const struct history *history;
	const struct trace_counts *counts;
	struct history_association **all; /* the heaviest first */
	size_t count;
	struct spread waits[WAIT_KINDS];
};

/* What each kind of wait is called. */
extern const char *const report_waits[WAIT_KINDS];
/* "peeled", "held", "kept", "refused", "program", "-": static. */
const char *report_fate(const struct history_association *association);
/* Its peer, or else its id; buf has 64 bytes. */
const char *report_name(const struct history_association *association, char *buf);

void report_text(const struct report *report, FILE *to);
void report_html(const struct report *report, FILE *to);
void report_csv(const struct report *report, FILE *to);
void report_json(const struct report *report, FILE *to);
void report_chrome(const struct report *report, FILE *to);

/* The drawings of the HTML page. */
void report_svg_lanes(const struct report *report, FILE *to);
void report_svg_waits(const struct report *report, FILE *to);

/* Text of others inside HTML and SVG. */
void html_text(FILE *to, const char *text);

#endif
