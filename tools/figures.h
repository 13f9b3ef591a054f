/* SPDX-License-Identifier: MIT */
/* figures: numbers as people read them. Each fills and returns a buffer of FIGURE bytes. */
#ifndef SCTPEEL_FIGURES_H
#define SCTPEEL_FIGURES_H

#include <stdint.h>

enum { FIGURE = 40 };

/* "9.5 ms"; "-" when it is negative. */
const char *figure_time(char *buf, int64_t ns);
/* "12.3 MiB" */
const char *figure_size(char *buf, uint64_t bytes);
/* "1,234,567" */
const char *figure_count(char *buf, uint64_t count);
/* "2026-01-02 03:04:05.123" in UTC; "-" when it is not known. */
const char *figure_date(char *buf, int64_t ns);

#endif
