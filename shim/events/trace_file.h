/* SPDX-License-Identifier: MIT */
/*
 * trace_file: a trace in a file: its name, opening, the size limit. Several processes may share
 * one file: every line is one append. Private to events.
 */
#ifndef SCTPEEL_TRACE_FILE_H
#define SCTPEEL_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "settings.h"

/* Once, before the others; file_name_prepare comes before it. */
void trace_file_prepare(const struct settings *settings);
/* In a fork child; true when it needs a file of its own (%p). */
bool trace_file_forked(void);
/* Is it time for trace_file_tend before a line of this length? A few loads. */
bool trace_file_is_due(size_t length, uint64_t now_ns);
/*
 * Opens the file when it is not open (at most once a second), looks whether it is still ours and
 * rotates it when the line would not fit. By one thread at a time. 0, or -errno: then no line
 * can be written.
 */
int trace_file_tend(size_t length, uint64_t now_ns);
/* As write, but -errno. */
ssize_t trace_file_write(const char *line, size_t length);

#endif
