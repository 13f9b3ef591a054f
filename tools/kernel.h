/* SPDX-License-Identifier: MIT */
/* kernel: what this kernel can do with SCTP, asked of itself. */
#ifndef SCTPEEL_KERNEL_H
#define SCTPEEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

/* What is said of a kernel without SCTP, and what to do then. */
extern const char kernel_missing[], kernel_remedy[];

/* The first line of a file of /proc or /sys, without its end; false when there is none. */
bool kernel_line(const char *path, char *buf, size_t size);

/*
 * 0 when this process gets a one-to-many SCTP socket, else the errno. Asking loads the module where
 * it is installed and may be loaded.
 */
int kernel_sctp_error(void);

enum kernel_fixes {
	FIXES_THERE,   /* or never needed */
	FIXES_MISSING, /* known to be without */
	FIXES_UNKNOWN, /* a series whose fixed release is not known here */
};

/*
 * Whether a kernel of this version ("6.1.176", what follows does not matter) has the fixes for the
 * memory corruption by a peel beside SCTP_SENDALL or connect in another thread.
 */
enum kernel_fixes kernel_fixes(const char *version);

#endif
