/* SPDX-License-Identifier: MIT */
/*
 * live_page: this process's live page (SCTPEEL_LIVE, live_layout.h).
 *
 * Nothing here blocks, allocates or raises a signal; a page that cannot be had is told once, and
 * the program goes on without. The slots of one endpoint are written under that endpoint's lock.
 */
#ifndef SCTPEEL_LIVE_PAGE_H
#define SCTPEEL_LIVE_PAGE_H

#include "live_layout.h"
#include "settings.h"

/* A place for an association: 0 none yet, LIVE_NO_ROOM counted as unseen, else its slot + 1. */
#define LIVE_NO_ROOM UINT32_MAX

/* Notes the folder; the file comes with the first socket. Once, from the constructor. */
void live_start(const struct settings *settings);
/* Makes the file. 0, also when there is one or none is wanted, or -errno. */
int live_open(void);
/* Writes a slot as a whole, all but its sequence; takes one if *place has none. */
void live_show(uint32_t *place, const struct live_slot *shown);
/*
 * Writes what changes with a message. False when the slot has not been shown in this process's
 * page: show it as a whole.
 */
bool live_count(uint32_t place, uint64_t bytes, uint64_t msgs, uint64_t now_ns);
/* Gives the slot back; *place is 0 then. */
void live_forget(uint32_t *place);
/* In a fork child: the page is the parent's; the next live_open makes its own. */
void live_forked(void);
/* Removes the file. */
void live_stop(void);

#endif
