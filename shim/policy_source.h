/* SPDX-License-Identifier: MIT */
/*
 * policy_source: from what SCTPEEL_POLICY says (rules, preset, @FILE) to a compiled policy.
 * Private to settings.
 */
#ifndef SCTPEEL_POLICY_SOURCE_H
#define SCTPEEL_POLICY_SOURCE_H

#include "line.h"
#include "settings.h"

#define POLICY_MAX (64u * 1024) /* bytes of rules */

/*
 * Compiles what `value` names into settings->policy and ->policy_text. False when that cannot be:
 * then *report has the mistake, where it is (in `variable` or the file), and the cure.
 */
bool policy_source_take(const char *variable, const char *value, struct settings *settings,
			struct line *report);

#endif
