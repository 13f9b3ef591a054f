/* SPDX-License-Identifier: MIT */
/* elf_file: what an executable file is, as far as preloading is concerned. */
#ifndef SCTPEEL_ELF_FILE_H
#define SCTPEEL_ELF_FILE_H

#include <stdbool.h>
#include <stdint.h>

enum elf_kind {
	ELF_NOT,     /* no ELF file at all */
	ELF_DAMAGED, /* begins like one */
	ELF_FOREIGN, /* for another processor or word size */
	ELF_STATIC,  /* asks for no dynamic loader; position-independent ones too */
	ELF_DYNAMIC,
};

struct elf_facts {
	enum elf_kind kind;
	const char *damage;    /* DAMAGED: what is wrong; static string */
	char architecture[64]; /* FOREIGN: "i386, 32 bit" */
	char interpreter[256]; /* DYNAMIC: the loader it asks for */
	bool go;	       /* made by the Go compiler, whose runtime calls the kernel itself */
};

/* Looks at the file, whose offset is left alone. 0, or -errno when it cannot be read. */
int elf_inspect(int fd, struct elf_facts *ret);
/* This processor, as `architecture` would call it. */
const char *elf_native(void);

#endif
