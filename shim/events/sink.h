/* SPDX-License-Identifier: MIT */
/*
 * sink: where lines go. Private to events.
 *
 * Never blocks, never raises a signal, allocates nothing, takes no lock: a signal handler may
 * interrupt a write and write itself. Slow work (opening, rotating, connecting) is done by whoever
 * gets a flag first; the others go on with what is there.
 */
#ifndef SCTPEEL_SINK_H
#define SCTPEEL_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "settings.h"

/* Opens what settings->trace names. 0, or -errno; a sink that failed is tried again later. */
int sink_open(const struct settings *settings);
/*
 * Writes one line by one call. 0, or -errno: then the line is lost. The byte before the line must
 * be writable, too: it is used to end a line that a full disk had cut short.
 */
int sink_write(char *line, size_t length, uint64_t now_ns);
/* In a fork child. Async-signal-safe. */
void sink_forked(void);
void sink_close(void);
bool sink_own_fd(int fd);
int sink_move_fd(int fd);

#endif
