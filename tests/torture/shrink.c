/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include <stdlib.h>
#include <string.h>

/* Threads do not always meet as they did. */
enum { TRIES = 3 };

static bool fails(const struct plan *plan, const struct options *options)
{
	struct tally tally = {0};
	char fault[300];

	for (int i = 0; i < TRIES; i++)
		if (!session_play(plan, options, &tally, fault, sizeof(fault)))
			return true;
	return false;
}

static void without(struct plan *shorter, const struct plan *plan, unsigned from, unsigned count)
{
	*shorter = *plan;
	if (count > plan->count - from)
		count = plan->count - from;
	memmove(&shorter->steps[from], &shorter->steps[from + count],
		(plan->count - from - count) * sizeof(struct step));
	shorter->count -= count;
}

void shrink(struct plan *plan, const struct options *options, double seconds)
{
	struct options quick = *options;
	struct plan *shorter = malloc(sizeof(*shorter));
	double end = now() + seconds;

	quick.verbose = false;
	quick.patience = options->patience / 3;
	for (unsigned part = plan->count / 2; shorter && part > 0; part /= 2)
		for (unsigned from = 0; from < plan->count && now() < end;) {
			without(shorter, plan, from, part);
			if (fails(shorter, &quick))
				*plan = *shorter;
			else
				from += part;
		}
	free(shorter);
}
