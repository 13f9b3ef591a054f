/* SPDX-License-Identifier: MIT */
/*
 * hidden: descriptors of ours in the program's process.
 *
 * They live on high numbers, close on exec, and answer EBADF to the program. Each is kept in a
 * variable (8-byte aligned) that the descriptor table points to, so that it can be found and moved.
 */
#ifndef SCTPEEL_HIDDEN_H
#define SCTPEEL_HIDDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "libc.h"

/*
 * Takes over `fd`: moves it up, marks it, stores its number in *slot. It stays on its low number
 * only if there is none free above (it is hidden there as well). errno is kept.
 */
void hidden_adopt(int fd, int *slot);
/* The same for one that was hidden in the program before this one: it stays where it is. */
void hidden_inherit(int fd, int *slot);
/* Closes what is in *slot, if anything, and leaves -1 there. errno is kept. */
void hidden_close(int *slot);
/*
 * Are there SCTPEEL_FD_RESERVE free numbers and one more for a peel, with a margin against other
 * threads? The kernel destroys an association whose peel finds no free descriptor (KERNEL.md 2), so
 * this is asked before each. errno is kept.
 */
bool hidden_budget(uint64_t now);
/* The program wants the number `fd` for itself (dup2): moves what is hidden there away. */
void hidden_make_way(int fd);
/*
 * How far select may look into its sets: the kernel stops at the end of its own table, which hidden
 * numbers have made longer than the program's sets need be (fs/select.c:core_sys_select).
 */
int hidden_reach_far(int nfds);

static inline int hidden_reach(int nfds)
{
	return likely(nfds <= FD_SETSIZE) ? nfds : hidden_reach_far(nfds);
}
/* How many descriptors are hidden. */
uint32_t hidden_count(void);

#endif
