/* SPDX-License-Identifier: MIT */
/* Doors: the program makes way for another one. */
#include "doors/doors.h"
#include "passing.h"

int execve(const char *path, char *const argv[], char *const envp[])
{
	passing_executes();
	return libc.execve(path, argv, envp);
}

int execv(const char *path, char *const argv[])
{
	passing_executes();
	return libc.execv(path, argv);
}

int execvp(const char *file, char *const argv[])
{
	passing_executes();
	return libc.execvp(file, argv);
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	passing_executes();
	return libc.execvpe(file, argv, envp);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	passing_executes();
	return libc.fexecve(fd, argv, envp);
}

int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	passing_executes();
	return libc.execveat(dir, path, argv, envp, flags);
}
