/* SPDX-License-Identifier: MIT */
#include "file_name.h"

#include <limits.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Written once by file_name_prepare, but for the pid. */
static struct {
	const char *program;
	char folder[PATH_MAX];
	char host[sizeof(((struct utsname *)NULL)->nodename)];
	time_t started;
	int pid;
} origin;

void file_name_prepare(const struct settings *settings, int pid)
{
	struct utsname host;
	struct timespec now;

	origin.program = settings->program;
	origin.pid = pid;
	if (!getcwd(origin.folder, sizeof(origin.folder)))
		origin.folder[0] = '\0';
	if (uname(&host) == 0)
		memcpy(origin.host, host.nodename, sizeof(origin.host));
	clock_gettime(CLOCK_REALTIME, &now);
	origin.started = now.tv_sec;
}

void file_name_forked(int pid)
{
	origin.pid = pid;
}

void file_name_begin(struct line *line, const char *path)
{
	if (path[0] != '/')
		line_format(line, "%s/", origin.folder);
}

static void put_name(struct line *line, const char *name)
{
	for (; *name; name++)
		line_char(line, *name == '/' ? '_' : *name);
}

void file_name_program(struct line *line)
{
	put_name(line, origin.program);
}

bool file_name_expand(const char *pattern, char *buf, size_t size)
{
	struct line line;

	line_open(&line, buf, size);
	file_name_begin(&line, pattern);
	for (const char *c = pattern; *c; c++) {
		if (*c != '%') {
			line_char(&line, *c);
			continue;
		}
		switch (*++c) {
		case 'p':
			line_signed(&line, origin.pid);
			break;
		case 'n':
			file_name_program(&line);
			break;
		case 'h':
			put_name(&line, origin.host);
			break;
		case 't':
			line_signed(&line, origin.started);
			break;
		default:
			line_char(&line, '%');
			break;
		}
	}
	line_done(&line);
	return !line.cut;
}

bool file_name_is_own(const char *pattern)
{
	bool own = false;

	for (const char *c = pattern; *c; c++)
		if (*c == '%')
			own |= *++c == 'p';
	return own;
}
