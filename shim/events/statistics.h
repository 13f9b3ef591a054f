/* SPDX-License-Identifier: MIT */
/*
 * statistics: totals of the process as a Prometheus text file (SCTPEEL_STATS). Private to events,
 * but for the counting.
 *
 * The file is written beside its name under one that nobody can guess, and renamed, so that a
 * reader finds a whole one. Its mode is 0644 whatever the umask: node_exporter, which reads it, is
 * another user, and there is nothing in it but numbers and names of rules.
 */
#ifndef SCTPEEL_STATISTICS_H
#define SCTPEEL_STATISTICS_H

#include "record.h"

/* Their places in the labels are those of statistics.c's names. */
enum statistics_verdict { COUNTED_KEEP, COUNTED_PEEL, COUNTED_HOLD, COUNTED_VERDICTS };

/* A verdict has changed; rule is 0-based, -1: none matched. */
void statistics_count_decision(int rule, enum statistics_verdict verdict);
void statistics_count_peel(uint64_t latency_ns);
/* An association is known from now on, or no more. */
void statistics_association_begins(void);
/* It was peeled off by another process, and is here now. */
void statistics_association_arrives(void);
void statistics_association_ends(bool peeled);

/* Notes the file's name. Once, from the constructor, after file_name_prepare. */
void statistics_start(const struct settings *settings);
/*
 * Writes the file. 0, or -errno; -EALREADY while another thread does. Neither blocks on a lock nor
 * raises a signal.
 */
int statistics_write(const struct totals *totals);
/* In a fork child. False when it has no file of its own (%p) and is not to write. */
bool statistics_forked(void);

#endif
