/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void progress_begin(struct progress *progress)
{
	*progress = (struct progress){.silent = !isatty(STDERR_FILENO)};
	if (!progress->silent)
		progress->began_ns = now();
}

void progress_tell(struct progress *progress, uint64_t done, uint64_t whole, uint64_t events)
{
	const uint64_t second = 1000000000;
	uint64_t time;

	if (progress->silent)
		return;
	time = now();
	if (time - progress->began_ns < second || time - progress->told_ns < second / 5)
		return;
	progress->told_ns = time;
	progress->shown = true;
	if (whole)
		fprintf(stderr, "\r%3" PRIu64 " %%  %" PRIu64 " events\033[K",
			done < whole ? done * 100 / whole : 100, events);
	else
		fprintf(stderr, "\r%" PRIu64 " events\033[K", events);
}

void progress_wipe(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
