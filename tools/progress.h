/* SPDX-License-Identifier: MIT */
/* progress: how far a long piece of work is, on a terminal, from its second second on. */
#ifndef SCTPEEL_PROGRESS_H
#define SCTPEEL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool shown, silent;
	uint64_t began_ns, told_ns;
};

void progress_begin(struct progress *progress);
/* Of `whole` bytes (0: not known) so many are done, with so many events in them. */
void progress_tell(struct progress *progress, uint64_t done, uint64_t whole, uint64_t events);
/* Wipes it off; before any message, too. */
void progress_wipe(struct progress *progress);

#endif
