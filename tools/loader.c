/* SPDX-License-Identifier: MIT */
#include "loader.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE "/etc/ld.so.cache"
#define CACHE_MAGIC "glibc-ld.so.cache1.1"

/* The cache as ldconfig writes it: a header, entries, and strings at offsets from the header. */
struct cache_header {
	char magic[sizeof(CACHE_MAGIC) - 1];
	uint32_t entries, strings, unused[5];
};

struct cache_entry {
	int32_t flags;
	uint32_t name, path, os_version;
	uint64_t hardware; /* not 0: for some processors only */
};

/* A file of another machine is passed over, as the loader does. */
static bool fits(const char *path)
{
	struct elf_links links;
	bool good;

	if (elf_links_open(path, &links) < 0)
		return false;
	good = !links.foreign;
	elf_links_close(&links);
	return good;
}

/* "$ORIGIN/../lib" of the object at `path`. */
static void expand(const char *folder, size_t length, const char *path, char *buf, size_t size)
{
	static const char *const words[] = {"$ORIGIN", "${ORIGIN}"};
	const char *slash = strrchr(path, '/');
	int origin = slash ? (int)(slash - path) : 1;

	for (int i = 0; i < 2; i++) {
		size_t word = strlen(words[i]);

		if (length >= word && !memcmp(folder, words[i], word)) {
			snprintf(buf, size, "%.*s%.*s", origin, slash ? path : ".",
				 (int)(length - word), folder + word);
			return;
		}
	}
	snprintf(buf, size, "%.*s", (int)length, folder);
}

/* Looks through folders as they stand in variables and DT_RUNPATH. */
static bool find_in(const char *list, const char *separators, const char *name, const char *path,
		    char *ret_path)
{
	char folder[PATH_MAX];

	while (list != NULL && *list != '\0') {
		size_t length = strcspn(list, separators);

		expand(length ? list : ".", length ? length : 1, path, folder, sizeof(folder));
		if (snprintf(ret_path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX &&
		    fits(ret_path))
			return true;
		list += length;
		list += *list != '\0';
	}
	return false;
}

static bool find_in_cache(const char *cache, size_t size, const char *name, char *ret_path)
{
	const struct cache_header *header = (const void *)cache;
	const struct cache_entry *entries = (const void *)(header + 1);
	size_t end; /* of the strings: extensions may follow */

	if (size < sizeof(*header) || header->entries > (size - sizeof(*header)) / sizeof(*entries))
		return false;
	end = sizeof(*header) + header->entries * sizeof(*entries) + header->strings;
	if (end > size || cache[end - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < header->entries; i++) {
		if (entries[i].name >= end || entries[i].path >= end || entries[i].hardware != 0 ||
		    strcmp(cache + entries[i].name, name) != 0)
			continue;
		if (snprintf(ret_path, PATH_MAX, "%s", cache + entries[i].path) < PATH_MAX &&
		    fits(ret_path))
			return true;
	}
	return false;
}

/* An older part may come first in the file. */
static bool ask_cache(const char *name, char *ret_path)
{
	int fd = open(CACHE, O_RDONLY | O_CLOEXEC);
	struct stat info;
	bool found = false;
	char *file = MAP_FAILED, *start;

	if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0)
		file = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (file == MAP_FAILED)
		return false;
	start = memmem(file, (size_t)info.st_size, CACHE_MAGIC, strlen(CACHE_MAGIC));
	if (start != NULL)
		found = find_in_cache(start, (size_t)(file + info.st_size - start), name, ret_path);
	munmap(file, (size_t)info.st_size);
	return found;
}

static const char *entry_of(const struct elf_links *links, int64_t tag)
{
	size_t at = 0;

	return elf_links_entry(links, tag, &at);
}

bool loader_find(const char *name, const char *path, const struct elf_links *links,
		 const char *program, const struct elf_links *program_links,
		 char ret_path[PATH_MAX])
{
	const char *runpath = entry_of(links, DT_RUNPATH);

	if (strchr(name, '/') != NULL)
		return snprintf(ret_path, PATH_MAX, "%s", name) < PATH_MAX && fits(ret_path);
	if (runpath == NULL &&
	    (find_in(entry_of(links, DT_RPATH), ":", name, path, ret_path) ||
	     find_in(entry_of(program_links, DT_RPATH), ":", name, program, ret_path)))
		return true;
	return find_in(getenv("LD_LIBRARY_PATH"), ":;", name, path, ret_path) ||
	       find_in(runpath, ":", name, path, ret_path) || ask_cache(name, ret_path) ||
	       find_in("/lib64:/usr/lib64:/lib:/usr/lib", ":", name, path, ret_path);
}
