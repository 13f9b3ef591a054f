/* SPDX-License-Identifier: MIT */
/* loader: where the dynamic loader would find a library, found without asking it. */
#ifndef SCTPEEL_LOADER_H
#define SCTPEEL_LOADER_H

#include <limits.h>
#include <stdbool.h>

#include "elf_links.h"

/*
 * The file that the object at `path`, with `links`, gets for `name`; `program` is what is started.
 * Its order is the loader's: DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH, the cache, the usual folders.
 * False when there is none.
 */
bool loader_find(const char *name, const char *path, const struct elf_links *links,
		 const char *program, const struct elf_links *program_links,
		 char ret_path[PATH_MAX]);

#endif
