/* SPDX-License-Identifier: MIT */
/* trace_line: one line of a trace, read in one of two ways with the same result. */
#ifndef SCTPEEL_TRACE_LINE_H
#define SCTPEEL_TRACE_LINE_H

#include <jansson.h>

#include "trace.h"

enum trace_line { LINE_EVENT, LINE_UNKNOWN, LINE_BROKEN };

/* A fresh event: nothing set. */
void trace_line_clear(struct trace_event *ret);
/*
 * Any order of known names, with plain values: these are millions. False for anything else, which
 * is no fault.
 */
bool trace_line_quick(const char *at, size_t length, struct trace_event *ret);
/*
 * Any JSON object. Texts point into *root, which the caller releases. What is wrong goes to `why`
 * (`size` bytes).
 */
enum trace_line trace_line_json(const char *at, size_t length, struct trace_event *ret,
				json_t **root, char *why, size_t size);
/* Are its numbers such as a kernel can have? What is wrong goes to `why`. */
bool trace_line_sound(const struct trace_event *event, char *why, size_t size);

#endif
