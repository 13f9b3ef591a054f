/* SPDX-License-Identifier: MIT */
#include "library.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool.h"

#define NAME "libsctpeel.so"

#ifndef SCTPEEL_LIBDIR
#define SCTPEEL_LIBDIR "/usr/local/lib"
#endif

#if defined(__x86_64__)
#define MULTIARCH "/../lib/x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "/../lib/aarch64-linux-gnu"
#else
#define MULTIARCH "/../lib32"
#endif

const char library_missing[] = NAME " is neither beside sctpeel nor in " SCTPEEL_LIBDIR;
const char library_remedy[] = "install it again: the two belong together";

/* Beside this executable (the build tree), then where it is installed, wherever that was moved. */
static const char *const places[] = {"", "/../lib", MULTIARCH, (MULTIARCH "/sctpeel"), "/../lib64"};

static bool is_there(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool library_find(char *ret_path)
{
	char self[PATH_MAX], candidate[PATH_MAX + 64];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0) {
		self[length] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(candidate, sizeof(candidate), "%s%s/" NAME, self, places[i]);
			if (is_there(candidate))
				return realpath(candidate, ret_path) != NULL;
		}
	}
	return is_there(SCTPEEL_LIBDIR "/" NAME) &&
	       realpath(SCTPEEL_LIBDIR "/" NAME, ret_path) != NULL;
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* Is the library in the list already, by whatever path? */
static bool is_listed(const char *list, const char *path)
{
	static const char separators[] = " :";
	char entry[PATH_MAX];

	for (;;) {
		size_t length;

		list += strspn(list, separators);
		length = strcspn(list, separators);
		if (length == 0)
			return false;
		if (length < sizeof(entry)) {
			memcpy(entry, list, length);
			entry[length] = '\0';
			if (same_file(entry, path))
				return true;
		}
		list += length;
	}
}

int library_preload(const char *command)
{
	const char *before = getenv("LD_PRELOAD");
	char path[PATH_MAX], *list;
	int status = EX_OK;

	if (!library_find(path))
		return complain(EX_OSFILE, command, library_remedy, "%s", library_missing);
	if (strpbrk(path, " :") != NULL)
		return complain(EX_OSFILE, command, "install it elsewhere",
				"%s: LD_PRELOAD cannot hold a path with a blank or colon", path);
	if (before != NULL && is_listed(before, path))
		return EX_OK;
	if (before == NULL || *before == '\0')
		list = strdup(path);
	else if (asprintf(&list, "%s:%s", path, before) < 0)
		list = NULL;
	if (list == NULL || setenv("LD_PRELOAD", list, 1) < 0)
		status = complain(EX_OSERR, command, NULL, "out of memory");
	free(list);
	return status;
}
