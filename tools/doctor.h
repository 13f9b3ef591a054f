/* SPDX-License-Identifier: MIT */
/* doctor: the parts of `sctpeel doctor`, each of which looks at one thing and says what it found.
 */
#ifndef SCTPEEL_DOCTOR_H
#define SCTPEEL_DOCTOR_H

#include "finding.h"

struct settings;

/* SCTP in this kernel, its ways to peel, its known faults, its sysctls. */
void doctor_kernel(struct findings *findings);
/* The library, and whether it loads. */
void doctor_library(struct findings *findings);
/* The SCTPEEL_ variables of this environment; returns them as the shim would understand them. */
const struct settings *doctor_variables(struct findings *findings);
/* Descriptors and buffers, against what the settings want of them. */
void doctor_limits(struct findings *findings, const struct settings *settings);
/* Whether `program` can be retrofitted, and how it calls what the shim takes. */
void doctor_program(struct findings *findings, const struct settings *settings,
		    const char *program);

#endif
