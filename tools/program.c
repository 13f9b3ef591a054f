/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "elf_file.h"
#include "line.h"
#include "tool.h"

enum {
	SCRIPTS_MAX = 4, /* interpreters that are scripts themselves; the kernel allows five */
	HASH_BANG_MAX = 256,
};

/* What is being checked: the program, or the interpreter that it needs. */
struct subject {
	const char *program; /* as the user named it */
	bool interpreter;    /* path is not the program's, but its interpreter's */
	char *path;	     /* the verdict's */
	struct program_verdict *verdict;
};

/* A file that execve could start: 0, or the errno that it would fail with. */
static int executable(const char *path)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return errno;
	if (S_ISDIR(info.st_mode))
		return EISDIR;
	if (!S_ISREG(info.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return EACCES;
	return 0;
}

static bool join(char *buf, const char *folder, size_t length, const char *name)
{
	/* an empty entry of PATH is the current folder */
	int n = length == 0 ? snprintf(buf, PATH_MAX, "./%s", name)
			    : snprintf(buf, PATH_MAX, "%.*s/%s", (int)length, folder, name);

	return n > 0 && n < PATH_MAX;
}

/* Finds `name` where execvp would. 0, or an errno; ret_path then is the last candidate. */
static int look_up(const char *name, char *ret_path)
{
	const char *path = getenv("PATH");
	int error = ENOENT;

	if (*name == '\0')
		return ENOENT;
	if (strchr(name, '/') != NULL) {
		if (strlen(name) >= PATH_MAX)
			return ENAMETOOLONG;
		strcpy(ret_path, name);
		return executable(name);
	}
	if (path == NULL)
		path = "/bin:/usr/bin";
	for (;; path++) {
		size_t length = strcspn(path, ":");
		char candidate[PATH_MAX];

		if (join(candidate, path, length, name)) {
			int result = executable(candidate);

			/* a directory in the way is passed over, like what may not be executed */
			if (result == 0 ||
			    (error == ENOENT && (result == EACCES || result == EISDIR)))
				strcpy(ret_path, candidate);
			if (result == 0)
				return 0;
			if (result == EACCES || result == EISDIR)
				error = EACCES;
		}
		path += length;
		if (*path == '\0')
			return error;
	}
}

static __attribute__((format(printf, 4, 5))) int judge(const struct subject *subject, int status,
						       const char *remedy, const char *format, ...)
{
	struct program_verdict *verdict = subject->verdict;
	struct line line;
	va_list args;

	line_open(&line, verdict->reason, sizeof(verdict->reason));
	va_start(args, format);
	line_vformat(&line, format, args);
	va_end(args);
	line_done(&line);
	verdict->remedy = remedy;
	return status;
}

static int refuse(const struct subject *subject, const char *remedy, const char *reason)
{
	if (!subject->interpreter)
		return judge(subject, EXIT_CANNOT_RUN, remedy, "%s: %s", subject->program, reason);
	return judge(subject, EXIT_CANNOT_RUN, remedy, "%s: its interpreter %s: %s",
		     subject->program, subject->path, reason);
}

static int refuse_lookup(const struct subject *subject, int error)
{
	static const char remedy[] = "make it executable with chmod +x, or name another program";

	if (error == ENOENT || error == ENOTDIR)
		return judge(subject, EXIT_NOT_FOUND,
			     strchr(subject->program, '/') ? "check the path"
							   : "give its path, or extend PATH",
			     "%s: not found", subject->program);
	if (error == EISDIR)
		return refuse(subject, "name the program in it", "is a directory");
	if (error == EACCES)
		return refuse(subject, remedy, "may not be executed");
	return refuse(subject, NULL, strerrordesc_np(error));
}

static bool has_capabilities(int fd)
{
	struct vfs_ns_cap_data data;
	ssize_t length;

	memset(&data, 0, sizeof(data));
	length = fgetxattr(fd, "security.capability", &data, sizeof(data));
	if (length < (ssize_t)sizeof(data.magic_etc) || getuid() == 0)
		return false;
	return (data.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) || data.data[0].permitted ||
	       data.data[1].permitted;
}

/*
 * Whether executing the file changes who the process is. The kernel then sets AT_SECURE and the
 * loader ignores LD_PRELOAD. Setuid bits that change nothing (root's own programs started by
 * root) or are not honoured (no_new_privs, nosuid) do not matter.
 */
static const char *privileges(int fd)
{
	struct stat info;
	struct statvfs filesystem;

	if (fstat(fd, &info) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return NULL;
	if (fstatvfs(fd, &filesystem) == 0 && (filesystem.f_flag & ST_NOSUID))
		return NULL;
	if ((info.st_mode & S_ISUID) && info.st_uid != getuid())
		return "setuid; the dynamic loader ignores LD_PRELOAD for it";
	/* without the group's execute bit it means something else: mandatory locking */
	if ((info.st_mode & S_ISGID) && (info.st_mode & S_IXGRP) && info.st_gid != getgid())
		return "setgid; the dynamic loader ignores LD_PRELOAD for it";
	if (has_capabilities(fd))
		return "has file capabilities; the dynamic loader ignores LD_PRELOAD for it";
	return NULL;
}

static int check_elf(const struct subject *subject, int fd, const struct elf_facts *facts)
{
	char reason[512];
	const char *privileged = privileges(fd);
	const char *loader = strrchr(facts->interpreter, '/');

	if (facts->kind == ELF_DAMAGED) {
		snprintf(reason, sizeof(reason), "damaged: %s", facts->damage);
		return refuse(subject, "install or build it again", reason);
	}
	if (facts->kind == ELF_FOREIGN) {
		snprintf(reason, sizeof(reason), "built for %s; this sctpeel is for %s",
			 facts->architecture, elf_native());
		return refuse(subject, "use a sctpeel that was built for the same architecture",
			      reason);
	}
	if (facts->go)
		return refuse(subject, "use a Go SCTP library that calls sctp_peeloff itself",
			      "a Go program; its runtime calls the kernel directly, past every "
			      "preloaded library");
	if (facts->kind == ELF_STATIC)
		return refuse(subject, "link it dynamically, or call sctp_peeloff in its source",
			      "statically linked; the dynamic loader is never asked to preload");
	if (loader != NULL && !strncmp(loader, "/ld-musl", 8))
		return refuse(subject, "build it for glibc, or build sctpeel for musl",
			      "uses the musl loader, which cannot load a library made for glibc");
	if (privileged != NULL)
		return refuse(subject,
			      "start it as the user that it changes to, without the privilege",
			      privileged);
	return 0;
}

static int check_file(struct subject *subject, int depth);

/* "#!/usr/bin/env NAME": what env will start matters as well. */
static int check_env(struct subject *subject, const char *argument, int depth)
{
	const char *name = strrchr(subject->path, '/');
	int error;

	if (name == NULL || strcmp(name, "/env") != 0 || *argument == '\0' || *argument == '-' ||
	    strpbrk(argument, "= \t") != NULL)
		return 0;
	error = look_up(argument, subject->path);
	/* env tells that better itself, in its own words and with its own status */
	return error ? 0 : check_file(subject, depth + 1);
}

/* The interpreter of a script takes its place. `line` is what stands after the "#!". */
static int check_script(struct subject *subject, char *line, int depth)
{
	char *interpreter, *argument;
	int error, status;

	if (depth == SCRIPTS_MAX)
		return refuse(subject, "name the last interpreter itself",
			      "too many scripts that interpret one another");
	line[strcspn(line, "\n")] = '\0';
	interpreter = line + strspn(line, " \t");
	argument = interpreter + strcspn(interpreter, " \t");
	if (*argument != '\0')
		*argument++ = '\0';
	argument += strspn(argument, " \t");
	if (*interpreter == '\0')
		return refuse(subject, "put the interpreter's path there", "an empty #! line");
	error = executable(interpreter);
	if (error)
		return judge(subject, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN,
			     "install it, or change the #! line", "%s: its interpreter %s: %s",
			     subject->program, interpreter, strerrordesc_np(error));
	snprintf(subject->path, PATH_MAX, "%s", interpreter);
	subject->interpreter = true;
	status = check_file(subject, depth + 1);
	return status ? status : check_env(subject, argument, depth);
}

static int check_open_file(struct subject *subject, int fd, int depth)
{
	char start[HASH_BANG_MAX + 1];
	struct elf_facts facts;
	ssize_t length;
	int error = elf_inspect(fd, &facts);

	if (error < 0)
		return refuse(subject, NULL, strerrordesc_np(-error));
	if (facts.kind != ELF_NOT)
		return check_elf(subject, fd, &facts);
	length = pread(fd, start, HASH_BANG_MAX, 0);
	start[length > 0 ? length : 0] = '\0';
	if (!strncmp(start, "#!", 2))
		return check_script(subject, start + 2, depth);
	/* execvp hands what the kernel does not know to the shell */
	if (depth == 0) {
		strcpy(subject->path, "/bin/sh");
		subject->interpreter = true;
		return check_file(subject, depth + 1);
	}
	return 0;
}

static int check_file(struct subject *subject, int depth)
{
	int fd = open(subject->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int status;

	if (fd < 0 && errno == EACCES)
		return 0; /* executable but not readable: only the kernel can tell */
	if (fd < 0)
		return refuse(subject, NULL, strerrordesc_np(errno));
	status = check_open_file(subject, fd, depth);
	close(fd);
	return status;
}

int program_check(const char *name, struct program_verdict *ret)
{
	struct subject subject = {.program = name, .path = ret->path, .verdict = ret};
	int error;

	memset(ret, 0, sizeof(*ret));
	error = look_up(name, ret->path);
	return error ? refuse_lookup(&subject, error) : check_file(&subject, 0);
}
