/* SPDX-License-Identifier: MIT */
/* presets: policies by name. Private to shim/policy/. */
#ifndef SCTPEEL_POLICY_PRESETS_H
#define SCTPEEL_POLICY_PRESETS_H

/* NULL-terminated, for policy_nearest. */
extern const char *const preset_names[];
/* The rules that the text names, if it is nothing but a preset's name; else NULL. */
const char *preset_rules(const char *text);

#endif
