/* SPDX-License-Identifier: MIT */
/*
 * fault: failures on demand, for tests (SCTPEEL_INJECT). fault_at is in settings.h.
 */
#ifndef SCTPEEL_FAULT_H
#define SCTPEEL_FAULT_H

#include <stdbool.h>

#include "line.h"
#include "values.h"

/*
 * Compiles "site:what[:option]…[,…]" and puts it in force. False, with the mistake in *ret_why,
 * when it is not understood; then no fault is in force.
 */
bool fault_compile(struct word list, struct line *ret_why);

#endif
