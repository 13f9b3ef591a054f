/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "tool.h"
#include "trace_line.h"

enum {
	BUFFER = 1 << 20,
	LINE_LENGTH = 64 * 1024, /* the shim's are 4096 bytes at most */
	MESSAGES = 10,		 /* so many broken lines are told one by one */
};

struct file {
	char *path;
	int fd;
};

struct trace {
	const char *command;
	struct file *files;
	size_t count, current;
	uint64_t line; /* in the current file */
	char *buffer, *at, *end;
	bool overlong, failed;	/* inside a line that is too long; a file could not be read on */
	struct trace_text rest; /* of the line, behind an event that ran into another */
	json_t *root;
	struct trace_counts counts;
	struct progress progress;
	uint64_t done, size;
};

bool trace_text_is(struct trace_text text, const char *word)
{
	return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

int64_t trace_time(struct trace_text text)
{
	char buf[40], *rest;
	struct tm date = {0};
	int64_t ns = 0;

	if (text.length < 20 || text.length >= sizeof(buf))
		return -1;
	memcpy(buf, text.at, text.length);
	buf[text.length] = '\0';
	rest = strptime(buf, "%Y-%m-%dT%H:%M:%S", &date);
	if (rest == NULL || date.tm_year < 70 || date.tm_year > 350)
		return -1;
	if (*rest == '.') {
		int64_t unit = 100000000;

		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			ns += (*rest - '0') * unit;
	}
	return strcmp(rest, "Z") == 0 ? timegm(&date) * INT64_C(1000000000) + ns : -1;
}

static void add_file(struct trace *trace, char *path, int fd)
{
	struct stat status;

	trace->files[trace->count++] = (struct file){path, fd};
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		trace->size += (uint64_t)status.st_size;
}

/* What was rotated away, unless it is named itself. */
static void add_rotated(struct trace *trace, const char *path, char *const *paths, int count)
{
	char *rotated;
	int fd;

	if (asprintf(&rotated, "%s.1", path) < 0)
		return;
	for (int i = 0; i < count; i++) {
		if (strcmp(paths[i], rotated) == 0) {
			free(rotated);
			return;
		}
	}
	fd = open(rotated, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		add_file(trace, rotated, fd);
	else
		free(rotated);
}

static int add_path(struct trace *trace, const char *path, char *const *paths, int count)
{
	bool input = strcmp(path, "-") == 0;
	int fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		close(fd);
		fd = -1;
		errno = EISDIR;
	}
	if (fd < 0)
		return complain(EX_NOINPUT, trace->command, NULL, "%s: %m", path);
	if (!input)
		add_rotated(trace, path, paths, count);
	add_file(trace, strdup(input ? "standard input" : path), fd);
	return EX_OK;
}

struct trace *trace_open(const char *command, char *const *paths, int count, int *ret_status)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	*ret_status = EX_OSERR;
	if (trace == NULL)
		return NULL;
	trace->command = command;
	trace->files = calloc(2 * (size_t)count, sizeof(*trace->files));
	trace->buffer = trace->at = trace->end = malloc(BUFFER);
	if (trace->files == NULL || trace->buffer == NULL) {
		complain(EX_OSERR, command, NULL, "out of memory");
		trace_close(trace);
		return NULL;
	}
	*ret_status = EX_OK;
	for (int i = 0; i < count && *ret_status == EX_OK; i++)
		*ret_status = add_path(trace, paths[i], paths, count);
	if (*ret_status != EX_OK) {
		trace_close(trace);
		return NULL;
	}
	progress_begin(&trace->progress);
	return trace;
}

void trace_close(struct trace *trace)
{
	if (trace == NULL)
		return;
	for (size_t i = 0; i < trace->count; i++) {
		close(trace->files[i].fd);
		free(trace->files[i].path);
	}
	json_decref(trace->root);
	free(trace->files);
	free(trace->buffer);
	free(trace);
}

const struct trace_counts *trace_counts(const struct trace *trace)
{
	return &trace->counts;
}

static void broken(struct trace *trace, const char *why)
{
	const char *remedy = NULL;

	if (trace->counts.unreadable++ >= MESSAGES)
		return;
	if (trace->counts.events == 0 && trace->counts.unreadable == 1)
		remedy = "a trace is read as SCTPEEL_TRACE_FORMAT=jsonl writes it";
	progress_wipe(&trace->progress);
	complain(EX_DATAERR, trace->command, remedy, "%s:%llu: %s",
		 trace->files[trace->current].path, (unsigned long long)trace->line, why);
}

/* More bytes behind what is in the buffer; false at the end of the file. */
static bool fill(struct trace *trace)
{
	struct file *file = &trace->files[trace->current];
	size_t kept = (size_t)(trace->end - trace->at);
	ssize_t count;

	memmove(trace->buffer, trace->at, kept);
	trace->at = trace->buffer;
	trace->end = trace->buffer + kept;
	do
		count = read(file->fd, trace->end, BUFFER - kept);
	while (count < 0 && errno == EINTR);
	if (count < 0) {
		progress_wipe(&trace->progress);
		complain(EX_IOERR, trace->command, NULL, "%s: %m", file->path);
		trace->failed = true;
	}
	if (count <= 0)
		return false;
	trace->end += count;
	trace->done += (uint64_t)count;
	progress_tell(&trace->progress, trace->done, trace->size, trace->counts.events);
	return true;
}

/* The next line of the current file, without its end; false when there is none. */
static bool next_line(struct trace *trace, struct trace_text *ret)
{
	size_t looked = 0;

	for (;;) {
		size_t length = (size_t)(trace->end - trace->at);
		char *newline = memchr(trace->at + looked, '\n', length - looked);

		if (newline != NULL) {
			*ret = (struct trace_text){trace->at, (size_t)(newline - trace->at)};
			trace->at = newline + 1;
			return true;
		}
		looked = length;
		if (length > LINE_LENGTH) {
			/* its end is looked for, nothing of it is kept */
			trace->overlong = true;
			trace->at = trace->end;
			looked = 0;
		}
		if (!fill(trace)) {
			*ret = (struct trace_text){trace->at, looked};
			trace->at = trace->end;
			return looked > 0 || trace->overlong;
		}
	}
}

static bool next_text(struct trace *trace, struct trace_text *ret)
{
	if (trace->rest.length > 0) {
		*ret = trace->rest;
		trace->rest.length = 0;
		return true;
	}
	while (trace->current < trace->count) {
		if (next_line(trace, ret)) {
			trace->line++;
			trace->counts.lines++;
			return true;
		}
		if (trace->current + 1 == trace->count)
			return false;
		trace->current++;
		trace->line = 0;
	}
	return false;
}

/*
 * Lines of two writers may have run into each other, or one may have been cut: whatever looks like
 * the begin of an event inside a broken line is tried for itself.
 */
static size_t next_begin(struct trace_text line)
{
	static const char begin[] = "{\"v\":";
	const char *at = line.length > 1
				 ? memmem(line.at + 1, line.length - 1, begin, sizeof(begin) - 1)
				 : NULL;

	return at ? (size_t)(at - line.at) : 0;
}

static bool is_blank(struct trace_text line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
			return false;
	return true;
}

/* Reads one line; true when it is an event. */
static bool read_line(struct trace *trace, struct trace_text line, struct trace_event *ret)
{
	char why[256];
	enum trace_line kind = LINE_EVENT;
	size_t begin;

	if (trace->overlong || line.length > LINE_LENGTH) {
		trace->overlong = false;
		broken(trace, "longer than any event");
		return false;
	}
	if (is_blank(line))
		return false;
	json_decref(trace->root);
	trace->root = NULL;
	if (!trace_line_quick(line.at, line.length, ret))
		kind = trace_line_json(line.at, line.length, ret, &trace->root, why, sizeof(why));
	if (kind == LINE_EVENT && !trace_line_sound(ret, why, sizeof(why)))
		kind = LINE_BROKEN;
	trace->counts.unknown += kind == LINE_UNKNOWN;
	if (kind != LINE_BROKEN)
		return kind == LINE_EVENT;
	begin = next_begin(line);
	if (begin == 0) {
		broken(trace, why);
		return false;
	}
	trace->rest = (struct trace_text){line.at + begin, line.length - begin};
	return read_line(trace, (struct trace_text){line.at, begin}, ret);
}

bool trace_next(struct trace *trace, struct trace_event *ret)
{
	struct trace_text line;

	while (next_text(trace, &line)) {
		if (read_line(trace, line, ret)) {
			trace->counts.events++;
			return true;
		}
	}
	progress_wipe(&trace->progress);
	return false;
}

int trace_end(struct trace *trace)
{
	const struct trace_counts *counts = &trace->counts;

	progress_wipe(&trace->progress);
	if (counts->unreadable > MESSAGES)
		complain(EX_DATAERR, trace->command, NULL,
			 "and %llu more lines that cannot be read",
			 (unsigned long long)(counts->unreadable - MESSAGES));
	if (trace->failed)
		return EX_IOERR;
	if (counts->events > 0)
		return EX_OK;
	return complain(EX_DATAERR, trace->command, NULL, "no event found in %s%s",
			trace->files[0].path, trace->count > 1 ? " and others" : "");
}
