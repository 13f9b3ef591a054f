/* SPDX-License-Identifier: MIT */
/*
 * live_files: the live pages in a folder (events/live_layout.h), as sctpeel top sees them.
 *
 * Files are read, never mapped, and nothing in them is trusted: whoever may write there can make
 * the figures wrong, but no more.
 */
#ifndef SCTPEEL_LIVE_FILES_H
#define SCTPEEL_LIVE_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "events/live_layout.h"

/* One look at one process's page. */
struct live_look {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint32_t used;
	struct live_slot *slots; /* those that could not be read whole are LIVE_FREE */
	uint32_t room;
};

struct live_file {
	char name[256]; /* in the folder */
	pid_t pid;
	ino_t inode;
	dev_t device;
	struct live_header header; /* its strings terminated */
	struct live_look now, before;
	bool seen, alive;
};

struct live_folder {
	const char *path; /* the caller's */
	struct live_file **files;
	size_t count, room;
};

/*
 * Looks at all pages again: new ones join, those whose file has gone leave, those whose process has
 * ended stay as they were, not `alive`. 0, or the errno that the folder cannot be read for.
 */
int live_folder_look(struct live_folder *folder);
void live_folder_end(struct live_folder *folder);
/* The same association in the look before; NULL when it was not there. */
const struct live_slot *live_slot_before(const struct live_file *file, uint32_t slot);

#endif
