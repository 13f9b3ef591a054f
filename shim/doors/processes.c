/* SPDX-License-Identifier: MIT */
/* Doors: the program makes way for another one. */
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "doors/doors.h"
#include "handover.h"

int execve(const char *path, char *const argv[], char *const envp[])
{
	HAND_OVER(passed, AT_FDCWD, path, envp);

	return handover_failed(passed, libc.execve(path, argv, passed->envp));
}

int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

/* A plain name is searched for in PATH: which file it will be is libc's to find. */
static const char *file_of(const char *file)
{
	return !nowhere(file) && strchr(file, '/') ? file : NULL;
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	HAND_OVER(passed, AT_FDCWD, file_of(file), envp);

	return handover_failed(passed, libc.execvpe(file, argv, passed->envp));
}

int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	HAND_OVER(passed, fd, "", envp);

	return handover_failed(passed, libc.fexecve(fd, argv, passed->envp));
}

int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	HAND_OVER(passed, dir, path, envp);

	return handover_failed(passed, libc.execveat(dir, path, argv, passed->envp, flags));
}

/* ------------------------------------------------------------------ arguments one by one */

/* Up to and with the NULL that ends them. */
static size_t count(const char *first, va_list *list)
{
	size_t n = 1;

	for (const char *arg = first; arg; n++)
		arg = va_arg(*list, const char *);
	return n;
}

static void collect(char **argv, char *first, va_list *list)
{
	*argv = first;
	while (*argv)
		*++argv = va_arg(*list, char *);
}

/* On the stack, as libc has them: `list` stands behind them then. */
#define ARGUMENTS(argv, first, list)     \
	va_list list;                    \
	va_start(list, first);           \
	char *argv[count(first, &list)]; \
	va_end(list);                    \
	va_start(list, first);           \
	collect(argv, (char *)(uintptr_t)(first), &list)

int execl(const char *path, const char *arg, ...)
{
	ARGUMENTS(argv, arg, list);
	va_end(list);
	return execve(path, argv, environ);
}

int execlp(const char *file, const char *arg, ...)
{
	ARGUMENTS(argv, arg, list);
	va_end(list);
	return execvpe(file, argv, environ);
}

int execle(const char *path, const char *arg, ...)
{
	char *const *envp;

	ARGUMENTS(argv, arg, list);
	envp = va_arg(list, char *const *);
	va_end(list);
	return execve(path, argv, envp);
}
