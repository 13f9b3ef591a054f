/* SPDX-License-Identifier: MIT */
/* program: finds a program as execvp would, and says whether a library can be preloaded into it. */
#ifndef SCTPEEL_PROGRAM_H
#define SCTPEEL_PROGRAM_H

#include <limits.h>

struct program_verdict {
	char path[PATH_MAX]; /* the file that will run: the program's, or its interpreter's */
	char reason[2 * PATH_MAX + 512]; /* why not, beginning with the program's name */
	const char *remedy;		 /* static string, or NULL */
};

/*
 * 0 when the program `name` will load what LD_PRELOAD names; else the exit status that a refusal
 * has, EXIT_NOT_FOUND or EXIT_CANNOT_RUN, with reason and remedy.
 */
int program_check(const char *name, struct program_verdict *ret);

#endif
