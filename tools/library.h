/* SPDX-License-Identifier: MIT */
/* library: where libsctpeel.so is, and the LD_PRELOAD that names it. */
#ifndef SCTPEEL_LIBRARY_H
#define SCTPEEL_LIBRARY_H

/*
 * Puts the library in front of what LD_PRELOAD names already, unless it is in there. 0, or the
 * exit status after a message.
 */
int library_preload(const char *command);

#endif
