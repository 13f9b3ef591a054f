/* SPDX-License-Identifier: MIT */
/* elf_links: what an ELF file asks of others: libraries and symbols. Nothing of it is executed. */
#ifndef SCTPEEL_ELF_LINKS_H
#define SCTPEEL_ELF_LINKS_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>

/* Strings belong to the file and last until elf_links_close. */
struct elf_links {
	int fd;
	Elf *elf;
	Elf_Data *dynamic, *symbols;
	size_t dynamic_strings, symbol_strings; /* sections */
	size_t dynamic_count, symbol_count;
	bool foreign; /* for another machine than this program */
};

/* 0, or -errno when the file cannot be read; -ENOEXEC when it is no ELF file. */
int elf_links_open(const char *path, struct elf_links *ret);
void elf_links_close(struct elf_links *links);

/* The next entry of that tag (DT_NEEDED, DT_RUNPATH...) at or after *at; NULL when there is none.
 */
const char *elf_links_entry(const struct elf_links *links, int64_t tag, size_t *at);
/* The next symbol that others are to define, at or after *at; NULL when there is none. */
const char *elf_links_import(const struct elf_links *links, size_t *at);
/* Does the text stand anywhere in the file? */
bool elf_links_mentions(const struct elf_links *links, const char *text);

#endif
