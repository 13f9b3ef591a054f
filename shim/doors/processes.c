/* SPDX-License-Identifier: MIT */
/* Doors: the program makes way for another one. */
#include "doors/doors.h"
#include "passing.h"

/* Who comes back from an exec is still here. */
static int stays(int ret)
{
	passing_stays();
	return ret;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	passing_executes();
	return stays(libc.execve(path, argv, envp));
}

int execv(const char *path, char *const argv[])
{
	passing_executes();
	return stays(libc.execv(path, argv));
}

int execvp(const char *file, char *const argv[])
{
	passing_executes();
	return stays(libc.execvp(file, argv));
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	passing_executes();
	return stays(libc.execvpe(file, argv, envp));
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	passing_executes();
	return stays(libc.fexecve(fd, argv, envp));
}

int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	passing_executes();
	return stays(libc.execveat(dir, path, argv, envp, flags));
}
