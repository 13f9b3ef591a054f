/* SPDX-License-Identifier: MIT */
/*
 * Every offset and length in the file is somebody else's word: nothing is used before it has been
 * held against the size of what was really read.
 */
#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The linker's name for this very executable's header: what is native needs no list. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

#define NATIVE_CLASS (__ehdr_start.e_ident[EI_CLASS])
#define NATIVE_DATA (__ehdr_start.e_ident[EI_DATA])
#define NATIVE_MACHINE (__ehdr_start.e_machine)

enum {
	SEGMENTS_MAX = 65536 / sizeof(ElfW(Phdr)), /* the kernel's own limit */
	SECTIONS_MAX = 8192,
	NOTES_MAX = 65536, /* bytes of one segment that are looked at */
};

static const struct {
	unsigned machine;
	const char *name;
} machines[] = {
	{EM_386, "i386"},	 {EM_X86_64, "x86-64"}, {EM_ARM, "ARM"},     {EM_AARCH64, "ARM64"},
	{EM_PPC, "PowerPC"},	 {EM_PPC64, "ppc64"},	{EM_S390, "s390"},   {EM_MIPS, "MIPS"},
	{EM_SPARCV9, "sparc64"}, {EM_RISCV, "RISC-V"},	{EM_IA_64, "IA-64"}, {EM_SPARC, "sparc"},
};

/* Exactly `length` bytes at `offset`; false beyond the end of the file. */
static bool read_at(int fd, uint64_t offset, void *buf, size_t length)
{
	if (offset > INT64_MAX - length)
		return false;
	return pread(fd, buf, length, (off_t)offset) == (ssize_t)length;
}

static void describe_machine(char *buf, size_t size, unsigned machine, unsigned class,
			     unsigned data)
{
	const char *name = "an unknown machine";
	const char *order = "";

	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].machine == machine)
			name = machines[i].name;
	if (data != NATIVE_DATA)
		order = data == ELFDATA2MSB ? ", big-endian" : ", little-endian";
	snprintf(buf, size, "%s, %d bit%s", name, class == ELFCLASS64 ? 64 : 32, order);
}

const char *elf_native(void)
{
	static char buf[64];

	describe_machine(buf, sizeof(buf), NATIVE_MACHINE, NATIVE_CLASS, NATIVE_DATA);
	return buf;
}

/* Machine and class come before anything whose place depends on them. */
static bool is_foreign(const ElfW(Ehdr) * header, struct elf_facts *facts)
{
	unsigned class = header->e_ident[EI_CLASS], data = header->e_ident[EI_DATA];
	unsigned machine = header->e_machine;

	if (data != NATIVE_DATA)
		machine = __builtin_bswap16((uint16_t)machine);
	if (class == NATIVE_CLASS && data == NATIVE_DATA && machine == NATIVE_MACHINE)
		return false;
	facts->kind = ELF_FOREIGN;
	describe_machine(facts->architecture, sizeof(facts->architecture), machine, class, data);
	return true;
}

static const char *read_interpreter(int fd, const ElfW(Phdr) * segment, struct elf_facts *facts)
{
	size_t length = segment->p_filesz;

	if (length < 2 || length > sizeof(facts->interpreter))
		return "the name of its loader has an impossible length";
	if (!read_at(fd, segment->p_offset, facts->interpreter, length))
		return "the name of its loader lies beyond the end of the file";
	if (facts->interpreter[length - 1] != '\0')
		return "the name of its loader does not end";
	facts->kind = ELF_DYNAMIC;
	return NULL;
}

static uint64_t padded(uint64_t length, uint64_t alignment)
{
	return (length + alignment - 1) / alignment * alignment;
}

/* The Go linker leaves its build ID in a note of owner "Go", also in stripped and cgo programs. */
static bool has_go_note(int fd, const ElfW(Phdr) * segment)
{
	static char buf[NOTES_MAX];
	size_t length = segment->p_filesz < NOTES_MAX ? segment->p_filesz : NOTES_MAX;
	uint64_t alignment = segment->p_align == 8 ? 8 : 4, at = 0;
	ElfW(Nhdr) note;

	if (!read_at(fd, segment->p_offset, buf, length))
		return false; /* the loader does not read notes, so this does no harm */
	while (at + sizeof(note) <= length) {
		uint64_t name = at + sizeof(note);

		memcpy(&note, buf + at, sizeof(note));
		if (note.n_type == 4 && note.n_namesz == 4 && name + 4 <= length &&
		    !memcmp(buf + name, "Go\0", 4))
			return true;
		at = name + padded(note.n_namesz, alignment) + padded(note.n_descsz, alignment);
	}
	return false;
}

/* Sections may be missing or nonsense in a program that runs well. */
static bool has_go_section(int fd, const ElfW(Ehdr) * header)
{
	static const char name[] = ".go.buildinfo";
	char found[sizeof(name)];
	ElfW(Shdr) names, section;

	if (header->e_shentsize != sizeof(section) || header->e_shnum > SECTIONS_MAX ||
	    header->e_shstrndx >= header->e_shnum ||
	    !read_at(fd, header->e_shoff + (uint64_t)header->e_shstrndx * sizeof(section), &names,
		     sizeof(names)))
		return false;
	for (unsigned i = 0; i < header->e_shnum; i++) {
		if (!read_at(fd, header->e_shoff + (uint64_t)i * sizeof(section), &section,
			     sizeof(section)))
			return false;
		if (section.sh_name < names.sh_size &&
		    read_at(fd, names.sh_offset + section.sh_name, found, sizeof(found)) &&
		    !memcmp(found, name, sizeof(name)))
			return true;
	}
	return false;
}

/* Reads the program headers. NULL, or what is wrong with them. */
static const char *walk_segments(int fd, const ElfW(Ehdr) * header, struct elf_facts *facts)
{
	const char *damage = NULL;

	if (header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phnum == 0 ||
	    header->e_phnum > SEGMENTS_MAX)
		return "its program headers make no sense";
	for (unsigned i = 0; i < header->e_phnum && damage == NULL; i++) {
		ElfW(Phdr) segment;

		if (!read_at(fd, header->e_phoff + (uint64_t)i * sizeof(segment), &segment,
			     sizeof(segment)))
			return "its program headers lie beyond the end of the file";
		if (segment.p_type == PT_INTERP && facts->kind != ELF_DYNAMIC)
			damage = read_interpreter(fd, &segment, facts);
		else if (segment.p_type == PT_NOTE && !facts->go)
			facts->go = has_go_note(fd, &segment);
	}
	return damage;
}

int elf_inspect(int fd, struct elf_facts *ret)
{
	ElfW(Ehdr) header;
	ssize_t length;

	memset(&header, 0, sizeof(header));
	memset(ret, 0, sizeof(*ret));
	length = pread(fd, &header, sizeof(header), 0);
	if (length < 0)
		return -errno;
	ret->kind = ELF_NOT;
	if (length < SELFMAG || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	ret->kind = ELF_DAMAGED;
	ret->damage = "its header is cut off";
	/* a whole header for 32 bit is shorter than one for 64 */
	if (length < (ssize_t)sizeof(Elf32_Ehdr))
		return 0;
	if (is_foreign(&header, ret) || length < (ssize_t)sizeof(header))
		return 0;
	ret->damage = "it is not an executable";
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return 0;
	ret->kind = ELF_STATIC;
	ret->damage = walk_segments(fd, &header, ret);
	if (ret->damage != NULL)
		ret->kind = ELF_DAMAGED;
	else if (!ret->go)
		ret->go = has_go_section(fd, &header);
	return 0;
}
