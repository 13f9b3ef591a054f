/* SPDX-License-Identifier: MIT */
/*
 * record: one event as one line of at most RECORD_MAX bytes, complete whatever the inputs: long
 * strings are cut, each has its budget. Pure, async-signal-safe. Private to events.
 */
#ifndef SCTPEEL_RECORD_H
#define SCTPEEL_RECORD_H

#include <stddef.h>
#include <time.h>

#include "../line.h"
#include "events.h"

/* PIPE_BUF: a pipe takes such a line whole or not at all */
#define RECORD_MAX 4096

struct totals {
	uint64_t messages, bytes, peels, refused, decisions, dropped;
};

struct record {
	const struct settings *settings;
	const struct event *event;
	struct timespec when;
	uint64_t mono_ns, seq;
	int pid, tid;
	const char *argv; /* start: as in /proc/self/cmdline */
	size_t argv_length;
	bool argv_cut;		     /* there is more */
	const struct totals *totals; /* stop */
	uint64_t lost;		     /* drop: how many, and the first reason */
	int lost_error;
};

/* How much output each kind of string may take; together they fit a line with all fields. */
enum {
	BUDGET_NAME = 64, /* states, calls, verdicts */
	BUDGET_PROGRAM = 96,
	BUDGET_RULE = 160,
	BUDGET_PROSE = 640, /* reason, detail */
	BUDGET_ARGV = 900,
	BUDGET_ARGUMENT = 200,
	BUDGET_POLICY = 400,
	BUDGET_SETTING = 120
};

/* Builds the line with its newline in buf (RECORD_MAX bytes). Returns its length. */
size_t record_format(const struct record *record, char *buf);

/* The formats: without the newline. */
void record_pairs(const struct record *record, struct line *line, bool json);
void record_prose(const struct record *record, struct line *line);

/* What they share. */
void record_time(struct line *line, const struct timespec *when, int fraction_digits);
/* "192.0.2.7" or "2001:db8::1"; false when it is neither. */
bool record_address(struct line *line, const struct sockaddr *address, uint16_t *ret_port);
/* Takes the next argument off the zero-separated list; false at its end. */
bool record_argument(const char **argv, size_t *length, const char **ret, size_t *ret_length);

#endif
