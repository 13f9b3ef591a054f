/* SPDX-License-Identifier: MIT */
/* print: the canonical form. Private to shim/policy/. */
#ifndef SCTPEEL_POLICY_PRINT_H
#define SCTPEEL_POLICY_PRINT_H

#include "text.h"

/* "rate(5s)"; the right side of a comparison: "10M/s", "3,46", "10.9.0.0/16". */
void print_field(struct text *text, const struct node *node);
void print_value(struct text *text, const struct policy *policy, const struct node *node);
/* The right side is a set or prefix of more than one value. */
bool is_several(const struct policy *policy, const struct node *node);
/* The whole policy, one rule a line. Freed by the caller; NULL without memory. */
char *canonical_text(const struct policy *policy);

#endif
