/* SPDX-License-Identifier: MIT */
/* policy_text: a policy as it is given on the command line: rules, a preset, @FILE, - for stdin. */
#ifndef SCTPEEL_POLICY_TEXT_H
#define SCTPEEL_POLICY_TEXT_H

#include <stdbool.h>

struct policy;

/*
 * Reads and compiles what `given` names. NULL after a message when that cannot be; *ret_status
 * then is the exit status: EX_DATAERR with the place of the mistake, EX_NOINPUT for a file that
 * cannot be read. `where` names the source in messages unless it is a file. "-" is standard
 * input where `allow_stdin` says so.
 */
struct policy *policy_text_compile(const char *command, const char *where, const char *given,
				   bool allow_stdin, int *ret_status);

#endif
