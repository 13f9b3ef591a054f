/* SPDX-License-Identifier: MIT */
/* finding: what doctor found, good or bad, as lines for people or as JSON. */
#ifndef SCTPEEL_FINDING_H
#define SCTPEEL_FINDING_H

#include <stdbool.h>

struct findings {
	bool json;
	int status; /* of the first failure: what the command answers */
	unsigned int count, warnings, failures;
	const char *section;
};

/* What follows belongs to `section`, a static string. */
void findings_section(struct findings *findings, const char *section);
/* One finding; the format is line_format's. A remedy (NULL: none) may have several lines. */
void found_good(struct findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void found_doubtful(struct findings *findings, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* `status` is an exit status that says what kind of failure it is. */
void found_bad(struct findings *findings, int status, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Prints what sums it up. The exit status. */
int findings_end(struct findings *findings);

#endif
