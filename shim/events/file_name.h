/* SPDX-License-Identifier: MIT */
/*
 * file_name: the names of files that we write, whatever the program does to its folder, name or pid
 * later. Private to events. Async-signal-safe.
 */
#ifndef SCTPEEL_FILE_NAME_H
#define SCTPEEL_FILE_NAME_H

#include "../line.h"
#include "settings.h"

/* Notes where the program was started, when, and on which host. Before the others. */
void file_name_prepare(const struct settings *settings, int pid);
/* In a fork child: what %p is from now on. */
void file_name_forked(int pid);
/* Makes a path absolute: appends the folder that the program was started in when it is relative. */
void file_name_begin(struct line *line, const char *path);
/* The program's name as a part of a file's: no slash in it can lead elsewhere. */
void file_name_program(struct line *line);
/* The pattern with %p %n %h %t %% replaced, absolute. False when it does not fit. */
bool file_name_expand(const char *pattern, char *buf, size_t size);
/* Has it %p in it, so that each process has a file of its own? */
bool file_name_is_own(const char *pattern);

#endif
