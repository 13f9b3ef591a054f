/* SPDX-License-Identifier: MIT */
/*
 * descriptor: the sink's own descriptor, on a high number, hidden from the program.
 *
 * The number stays the same when what is behind it changes (dup3), so that a thread that has just
 * read it never writes elsewhere; only a move gives it another one. Private to events.
 */
#ifndef SCTPEEL_DESCRIPTOR_H
#define SCTPEEL_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/stat.h>

/* Told of each number that becomes ours, or ceases to be; NULL: nobody asks. Set before any is. */
extern void (*descriptor_changed)(int fd, bool ours);

/* The number, -1 when there is none. */
int descriptor_get(void);
/*
 * Around the use of the number: one that is given up is not closed (or left to the program)
 * while another thread is about to write to it.
 */
int descriptor_enter(void);
void descriptor_leave(void);
/* Takes over a new descriptor, in the place of the old one; closes `fd`. 0, or -errno. */
int descriptor_set(int fd);
/*
 * Is the number still ours? False, and forgotten, when somebody closed it behind our back (and
 * maybe opened something else there). Like descriptor_set, by one thread at a time.
 */
bool descriptor_check(struct stat *ret);
void descriptor_close(void);
/* Frees the number `fd` for the program, which is about to dup2 onto it. 0, or -errno. */
int descriptor_move(int fd);
/* In a fork child, where nobody else uses it. */
void descriptor_forked(void);

#endif
