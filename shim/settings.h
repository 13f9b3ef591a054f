/* SPDX-License-Identifier: MIT */
/*
 * settings: the environment (INTERFACE.md 1), read once into one immutable struct.
 */
#ifndef SCTPEEL_SETTINGS_H
#define SCTPEEL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#define SCTPEEL_VERSION "0.1.0"

struct line;
struct policy;

enum settings_mode { MODE_ENFORCE, MODE_OBSERVE, MODE_OFF };
enum settings_on_error { ON_ERROR_WARN, ON_ERROR_ABORT, ON_ERROR_IGNORE };
enum settings_debug { DEBUG_ERROR, DEBUG_WARN, DEBUG_INFO, DEBUG_DEBUG };
enum settings_format { FORMAT_JSONL, FORMAT_LOGFMT, FORMAT_TEXT };
enum settings_trace { TRACE_NONE, TRACE_DESCRIPTOR, TRACE_UNIX, TRACE_FILE };

struct settings {
	enum settings_mode mode;     /* MODE_OFF also after a mistake, and for other programs */
	const struct policy *policy; /* never NULL unless mode is MODE_OFF */
	const char *policy_text;     /* as given, presets and @FILE resolved */
	const char *trace;	     /* as given; NULL: no sink */
	enum settings_trace trace_kind;
	int trace_fd;		/* TRACE_DESCRIPTOR: the program's own number; stderr is 2 */
	const char *trace_path; /* TRACE_UNIX, TRACE_FILE (with its % escapes) */
	enum settings_format trace_format;
	uint32_t trace_events; /* bit set of 1u << enum event_kind */
	uint64_t trace_limit;  /* bytes, UINT64_MAX: none */
	const char *stats;     /* Prometheus text file, NULL: none */
	uint64_t stats_interval_ns;
	const char *live; /* folder of the live pages, NULL: none */
	uint32_t max;	  /* peeled descriptors at once, UINT32_MAX: no limit */
	uint32_t fd_reserve;
	int rcvbuf, sndbuf; /* bytes, 0: as the program set it */
	uint32_t quantum;
	const char *program_glob;
	const char *program; /* this program's name (program_invocation_short_name) */
	bool follow;
	enum settings_on_error on_error;
	enum settings_debug debug;
	const char *inject; /* faults for tests, NULL: none */
	/* where each value came from: bit i is set when variable i of the table was given */
	uint32_t from_env;
};

/*
 * Reads the environment with secure_getenv. Called once, from the constructor; may end the
 * program before main (help: status 0; SCTPEEL_ON_ERROR=abort: status 78, by _exit).
 */
const struct settings *settings_load(void);
/*
 * For tools: the environment as settings_load would understand it, with nothing done about it. What
 * is wrong goes to *mistakes, names that are no variable's to *unknown: each a line "sctpeel: …"
 * and indented ones after it.
 */
const struct settings *settings_review(struct line *mistakes, struct line *unknown);
/* The settings; before settings_load a constant with MODE_OFF. Async-signal-safe. */
const struct settings *settings_get(void);
/* Nothing is ever to be peeled off: by the mode, or the policy has no rule that could say so. */
bool settings_never_peel(void);
/* Something was, by the program before this one: before any call may ask. */
void settings_note_peeled(void);

/* One variable as it was resolved, for `start`, doctor and top. */
struct setting {
	const char *name; /* SCTPEEL_POLICY, … */
	enum { SETTING_UNSET, SETTING_STRING, SETTING_NUMBER, SETTING_BOOL } type;
	const char *string; /* of this struct or of the settings */
	uint64_t number;    /* bytes, count or nanoseconds */
	bool from_env;
	char list[80]; /* room for a string that is put together */
};
/* False when there are fewer than index + 1 variables. Async-signal-safe. */
bool settings_item(const struct settings *settings, unsigned int index, struct setting *ret);
/* Writes the settings as a JSON object's members. Returns the length, as snprintf would. */
int settings_describe(const struct settings *settings, char *buf, int size);

/* A line on stderr: "sctpeel: …". Levels above SCTPEEL_DEBUG are silent. Async-signal-safe. */
void diagnose(enum settings_debug level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Faults for tests (SCTPEEL_INJECT): the errno to fail with at this site ("peel", "trace",
 * "epoll", …), 0 to go on. Sleeps first where a delay is asked for. A branch when unset.
 */
int fault_at(const char *site);

#endif
