/* SPDX-License-Identifier: MIT */
/* program: finds a program as execvp would, and says whether a library can be preloaded into it. */
#ifndef SCTPEEL_PROGRAM_H
#define SCTPEEL_PROGRAM_H

/*
 * 0 when the program `name` will load what LD_PRELOAD names; else the exit status, after a
 * message with the reason and the cure: EXIT_NOT_FOUND, EXIT_CANNOT_RUN.
 */
int program_check(const char *command, const char *name);

#endif
