/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc.h"

enum { SEGMENTS = 64 };

/* The kernel changes who it is by this, so the loader heeds no environment (AT_SECURE). */
static bool changes_user(const struct stat *stat)
{
	/* also where the process itself has only put on another one (seteuid) */
	return getuid() != geteuid() || getgid() != getegid() ||
	       ((stat->st_mode & S_ISUID) && stat->st_uid != getuid()) ||
	       ((stat->st_mode & S_ISGID) && stat->st_gid != getgid());
}

/* Names its loader, or has no more segments than are looked at. */
static bool names_loader(int fd, const ElfW(Ehdr) * header)
{
	ElfW(Phdr) segments[SEGMENTS];
	size_t size = header->e_phnum * sizeof(segments[0]);

	if (header->e_phentsize != sizeof(segments[0]) || size > sizeof(segments) ||
	    pread(fd, segments, size, (off_t)header->e_phoff) != (ssize_t)size)
		return true;
	for (int i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_INTERP)
			return true;
	return false;
}

static const char *obstacle_in(int fd)
{
	static const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	ElfW(Ehdr) header;
	struct stat stat;

	if (fstat(fd, &stat) < 0 ||
	    pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	if (changes_user(&stat))
		return "the program is set-user-ID or set-group-ID";
	if (header.e_ident[EI_CLASS] != class)
		return "the program is of another architecture";
	return names_loader(fd, &header) ? NULL : "the program is statically linked";
}

const char *image_obstacle(int dir, const char *path)
{
	const char *ret;
	int fd;

	if (nowhere(path))
		return NULL;
	if (*path == '\0')
		return obstacle_in(dir);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	ret = obstacle_in(fd);
	libc.close(fd);
	return ret;
}
