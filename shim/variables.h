/* SPDX-License-Identifier: MIT */
/*
 * variables: the table of the SCTPEEL_* variables, and how the value of each is understood.
 * Private to settings.
 */
#ifndef SCTPEEL_VARIABLES_H
#define SCTPEEL_VARIABLES_H

#include "line.h"
#include "settings.h"
#include "values.h"

enum variable_name {
	VARIABLE_POLICY,
	VARIABLE_MODE,
	VARIABLE_TRACE,
	VARIABLE_TRACE_FORMAT,
	VARIABLE_TRACE_EVENTS,
	VARIABLE_TRACE_LIMIT,
	VARIABLE_STATS,
	VARIABLE_STATS_INTERVAL,
	VARIABLE_LIVE,
	VARIABLE_MAX,
	VARIABLE_FD_RESERVE,
	VARIABLE_RCVBUF,
	VARIABLE_SNDBUF,
	VARIABLE_QUANTUM,
	VARIABLE_PROGRAM,
	VARIABLE_FOLLOW,
	VARIABLE_ON_ERROR,
	VARIABLE_DEBUG,
	VARIABLE_INJECT,
	VARIABLES
};

enum variable_kind {
	KIND_POLICY,
	KIND_CHOICE, /* an enum, by its place in `choices` */
	KIND_TRACE,
	KIND_EVENTS,
	KIND_SIZE, /* numbers: uint32_t or uint64_t by `width` */
	KIND_COUNT,
	KIND_TIME,
	KIND_BOOL,
	KIND_STRING,
	KIND_PROM, /* a path that ends in .prom */
	KIND_INJECT
};

struct variable {
	const char *name;
	const char *fallback; /* understood like a given value; NULL: unset */
	enum variable_kind kind;
	size_t offset, width; /* of the field in struct settings */
	uint64_t least, most;
	bool endless; /* "inf" is allowed and stands for all bits set */
	const char *const *choices;
	const char *allowed; /* completes "allowed: "; NULL: the choices */
	const char *meaning;
};

extern const struct variable variables[VARIABLES];

/*
 * Understands `value` and stores it in *settings. False when it is wrong: then the mistake is
 * added to *report, two lines with what is allowed, and the field is as before.
 */
bool variable_take(const struct variable *variable, const char *value, struct settings *settings,
		   struct line *report);

/* A copy that lasts: programs overwrite their environment and arguments. NULL: no room. */
const char *variable_keep(const char *string, size_t length);

#endif
