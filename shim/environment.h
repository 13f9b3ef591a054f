/* SPDX-License-Identifier: MIT */
/*
 * environment: what the program must not find there.
 *
 * Changed in place, and only before main: others may hold pointers into it later.
 */
#ifndef SCTPEEL_ENVIRONMENT_H
#define SCTPEEL_ENVIRONMENT_H

/* The variable's value, which stays where it is; NULL: there was none. */
const char *environment_take_out(const char *name);

#endif
