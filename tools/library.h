/* SPDX-License-Identifier: MIT */
/* library: where libsctpeel.so is, and the LD_PRELOAD that names it. */
#ifndef SCTPEEL_LIBRARY_H
#define SCTPEEL_LIBRARY_H

#include <stdbool.h>

/* What is said when it is nowhere, and what to do then. */
extern const char library_missing[], library_remedy[];

/* The canonical path, of PATH_MAX bytes at most; false when the library is nowhere. */
bool library_find(char *ret_path);
/*
 * Puts the library in front of what LD_PRELOAD names already, unless it is in there. 0, or the
 * exit status after a message.
 */
int library_preload(const char *command);

#endif
