/* SPDX-License-Identifier: MIT */
/*
 * environment: what the program, and those that it executes, must not find there.
 *
 * Both change it in place, and only before main: others may hold pointers into it later.
 */
#ifndef SCTPEEL_ENVIRONMENT_H
#define SCTPEEL_ENVIRONMENT_H

/* The variable's value, which stays where it is; NULL: there was none. */
const char *environment_take_out(const char *name);
/* Takes the library's own entries out of LD_PRELOAD (SCTPEEL_FOLLOW=false). */
void environment_leave(void);

#endif
