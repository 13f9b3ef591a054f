/* SPDX-License-Identifier: MIT */
/* top_screen: sctpeel top on a terminal. */
#ifndef SCTPEEL_TOP_SCREEN_H
#define SCTPEEL_TOP_SCREEN_H

#include "top_view.h"

/* Until the user quits, or after `count` looks (0: no end). Returns the exit status. */
int top_screen(struct top_view *view, uint64_t interval_ns, uint64_t count);

#endif
