/* SPDX-License-Identifier: MIT */
/*
 * outlet: writing to a descriptor that belongs to the program (its stderr, fd:N).
 *
 * Never blocks, raises no signal and never writes to anything but what was there when it was
 * attached: when the program closes the number and opens something else on it, the outlet is
 * gone. Async-signal-safe.
 */
#ifndef SCTPEEL_OUTLET_H
#define SCTPEEL_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct outlet {
	int fd; /* -1: none */
	dev_t device;
	ino_t inode;
	mode_t type; /* S_IFIFO, … */
};

/* 0, or -EBADF when the number is not open for writing. */
int outlet_attach(struct outlet *outlet, int fd);
/* As write, but -errno on failure; -EBADF when the descriptor is not what it was. */
ssize_t outlet_write(const struct outlet *outlet, const char *bytes, size_t count);

/*
 * A write that raises none of SIGPIPE, SIGXFSZ and SIGTTOU, which would end or stop a program
 * because of us. As write, but -errno on failure.
 */
ssize_t quiet_write(int fd, const char *bytes, size_t count);

#endif
