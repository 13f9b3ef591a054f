/* SPDX-License-Identifier: MIT */
#include "elf_links.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "elf_file.h"

/* Files without section headers run all the same; of them nothing is known then. */
static void find_tables(struct elf_links *links)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(links->elf, section)) != NULL) {
		if (gelf_getshdr(section, &header) == NULL || header.sh_entsize == 0)
			continue;
		if (header.sh_type == SHT_DYNAMIC && links->dynamic == NULL) {
			links->dynamic = elf_getdata(section, NULL);
			links->dynamic_strings = header.sh_link;
			links->dynamic_count = header.sh_size / header.sh_entsize;
		} else if (header.sh_type == SHT_DYNSYM && links->symbols == NULL) {
			links->symbols = elf_getdata(section, NULL);
			links->symbol_strings = header.sh_link;
			links->symbol_count = header.sh_size / header.sh_entsize;
		}
	}
}

int elf_links_open(const char *path, struct elf_links *ret)
{
	struct elf_facts facts;
	int error;

	memset(ret, 0, sizeof(*ret));
	ret->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (ret->fd < 0)
		return -errno;
	error = elf_inspect(ret->fd, &facts);
	elf_version(EV_CURRENT);
	ret->elf = error < 0 ? NULL : elf_begin(ret->fd, ELF_C_READ_MMAP, NULL);
	if (ret->elf == NULL || elf_kind(ret->elf) != ELF_K_ELF) {
		elf_links_close(ret);
		return error < 0 ? error : -ENOEXEC;
	}
	ret->foreign = facts.kind == ELF_FOREIGN;
	find_tables(ret);
	return 0;
}

void elf_links_close(struct elf_links *links)
{
	elf_end(links->elf);
	close(links->fd);
}

const char *elf_links_entry(const struct elf_links *links, int64_t tag, size_t *at)
{
	GElf_Dyn entry;

	while (*at < links->dynamic_count) {
		if (gelf_getdyn(links->dynamic, (int)(*at)++, &entry) == NULL ||
		    entry.d_tag == DT_NULL)
			return NULL;
		if (entry.d_tag == tag)
			return elf_strptr(links->elf, links->dynamic_strings, entry.d_un.d_val);
	}
	return NULL;
}

const char *elf_links_import(const struct elf_links *links, size_t *at)
{
	GElf_Sym symbol;

	while (*at < links->symbol_count) {
		if (gelf_getsym(links->symbols, (int)(*at)++, &symbol) == NULL)
			return NULL;
		if (symbol.st_shndx == SHN_UNDEF && symbol.st_name != 0)
			return elf_strptr(links->elf, links->symbol_strings, symbol.st_name);
	}
	return NULL;
}

bool elf_links_mentions(const struct elf_links *links, const char *text)
{
	size_t length;
	const char *file = elf_rawfile(links->elf, &length);

	return file != NULL && memmem(file, length, text, strlen(text)) != NULL;
}
