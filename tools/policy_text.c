/* SPDX-License-Identifier: MIT */
#include "policy_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "policy/policy.h"
#include "tool.h"

enum { ROOM = 64 * 1024 + 2 }; /* one byte more than a policy may have, and the terminator */

static const char fix_file[] = "name a file that has the rules";

/* Reads to the end, or until the room is used up; longer is the parser's to refuse. */
static ssize_t read_all(int fd, char *buf)
{
	size_t length = 0;

	while (length < ROOM - 1) {
		ssize_t count = read(fd, buf + length, ROOM - 1 - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -1;
		if (count == 0)
			break;
		length += (size_t)count;
	}
	buf[length] = '\0';
	return (ssize_t)length;
}

/* A FIFO or device is fine for a person who asks for it; the shim takes regular files only. */
static int open_file(const char *command, const char *path)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		complain(EX_NOINPUT, command, fix_file, "%s: %m", path);
		return -1;
	}
	if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
		complain(EX_NOINPUT, command, fix_file, "%s: Is a directory", path);
		close(fd);
		return -1;
	}
	return fd;
}

static char *read_policy(const char *command, const char *path, int fd, int *ret_status)
{
	char *buf = malloc(ROOM);
	ssize_t length;

	if (buf == NULL) {
		*ret_status = complain(EX_OSERR, command, NULL, "out of memory");
		return NULL;
	}
	length = read_all(fd, buf);
	if (length >= 0 && strlen(buf) == (size_t)length)
		return buf;
	if (length < 0)
		*ret_status = complain(EX_NOINPUT, command, fix_file, "%s: %m", path);
	else
		*ret_status = complain(EX_DATAERR, command, fix_file,
				       "%s: not a text file (it has NUL bytes)", path);
	free(buf);
	return NULL;
}

static struct policy *compile(const char *where, const char *text, int *ret_status)
{
	char shown[2048];
	struct policy_error error;
	struct policy *policy = policy_parse(text, &error);

	if (policy != NULL)
		return policy;
	policy_error_format(&error, where, text, shown, sizeof(shown));
	fflush(stdout);
	fputs(shown, stderr);
	*ret_status = EX_DATAERR;
	return NULL;
}

struct policy *policy_text_compile(const char *command, const char *where, const char *given,
				   bool allow_stdin, int *ret_status)
{
	struct policy *policy;
	const char *path = given + 1;
	char *text;
	int fd;

	*ret_status = EX_NOINPUT;
	if (allow_stdin && !strcmp(given, "-")) {
		path = "standard input";
		text = read_policy(command, path, STDIN_FILENO, ret_status);
	} else if (*given == '@') {
		fd = open_file(command, path);
		if (fd < 0)
			return NULL;
		text = read_policy(command, path, fd, ret_status);
		close(fd);
	} else {
		return compile(where, given, ret_status);
	}
	if (text == NULL)
		return NULL;
	policy = compile(path, text, ret_status);
	free(text);
	return policy;
}
