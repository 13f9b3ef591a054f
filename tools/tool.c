/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "line.h"

static void write_all(const char *at, size_t length)
{
	while (length > 0) {
		ssize_t count = write(STDERR_FILENO, at, length);

		if (count < 0 && errno != EINTR)
			return; /* nobody is left to be told */
		if (count > 0) {
			at += count;
			length -= (size_t)count;
		}
	}
}

/* File names in messages may have been chosen to move the cursor. */
static void send_line(struct line *line)
{
	line_tame(line);
	write_all(line->start, line_length(line));
}

int complain(int status, const char *command, const char *remedy, const char *format, ...)
{
	char buf[8192];
	struct line line;
	va_list args;

	line_open(&line, buf, sizeof(buf));
	line_format(&line, "sctpeel%s%s: ", *command ? " " : "", command);
	va_start(args, format);
	line_vformat(&line, format, args);
	va_end(args);
	line_char(&line, '\n');
	if (remedy != NULL)
		line_format(&line, "  %s\n", remedy);
	send_line(&line);
	return status;
}

int complain_usage(const char *command, const char *format, ...)
{
	char buf[8192];
	struct line line;
	va_list args;

	line_open(&line, buf, sizeof(buf));
	line_format(&line, "sctpeel%s%s: ", *command ? " " : "", command);
	va_start(args, format);
	line_vformat(&line, format, args);
	va_end(args);
	line_format(&line, "\n  'sctpeel%s%s --help' says how it is called\n", *command ? " " : "",
		    command);
	send_line(&line);
	return EX_USAGE;
}

int finish_output(const char *command)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EX_OK;
	return complain(EX_IOERR, command, NULL, "standard output: %m");
}

int show(const char *command, const char *text)
{
	fputs(text, stdout);
	return finish_output(command);
}
