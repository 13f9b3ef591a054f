/* SPDX-License-Identifier: MIT */
/* sctpeel top: what the live pages of running programs say, on a terminal or line by line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "policy/policy.h"
#include "settings.h"
#include "tool.h"
#include "top_screen.h"
#include "values.h"

static const char usage[] =
	"usage: sctpeel top [OPTION...] [PID]\n"
	"\n"
	"Shows the associations of programs that run with SCTPEEL_LIVE set: rates, and\n"
	"whether they are peeled off, and by which rule. With PID only that process, and\n"
	"the next one of its program when it has ended.\n"
	"\n"
	"  -b, --batch               lines on standard output, no terminal\n"
	"  -n, --count COUNT         so many looks, then the end\n"
	"  -i, --interval TIME       between two looks (1s)\n"
	"  -s, --sort COLUMN         rate, msgrate, bytes, msgs, age, idle, peer or state\n"
	"  -r, --reverse             the other way round\n"
	"  -f, --filter TEXT         only lines that contain TEXT\n"
	"  -l, --live FOLDER         where the pages are (default: that of process PID,\n"
	"                            or SCTPEEL_LIVE)\n"
	"\n"
	"On the terminal h shows the keys.\n"
	"\n"
	"  SCTPEEL_LIVE=/run/sctpeel sctpeel run ./server; sctpeel top -l /run/sctpeel\n";

static const struct option long_options[] = {
	{"batch", no_argument, NULL, 'b'},	    {"count", required_argument, NULL, 'n'},
	{"interval", required_argument, NULL, 'i'}, {"sort", required_argument, NULL, 's'},
	{"reverse", no_argument, NULL, 'r'},	    {"filter", required_argument, NULL, 'f'},
	{"live", required_argument, NULL, 'l'},	    {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},	    {0}};

struct request {
	bool batch;
	uint64_t count; /* 0: no end */
	uint64_t interval_ns;
	const char *folder;
	char found[PATH_MAX]; /* the folder of a running process */
	struct top_view view;
};

static struct word word_of(const char *text)
{
	return (struct word){text, strlen(text)};
}

static int take_order(struct request *request, const char *text)
{
	int order = value_choice(word_of(text), top_orders);
	const char *nearest = policy_nearest(text, top_orders);

	if (order < 0 && nearest)
		return complain_usage("top", "no column '%s' (did you mean '%s'?)", text, nearest);
	if (order < 0)
		return complain_usage("top", "no column '%s'", text);
	request->view.order = (enum top_order)order;
	return EX_OK;
}

static int take_interval(struct request *request, const char *text)
{
	const uint64_t least = 10000000, most = UINT64_C(86400000000000);

	if (!value_time_ns(word_of(text), &request->interval_ns) || request->interval_ns < least ||
	    request->interval_ns > most)
		return complain_usage("top", "'%s' is no time from 10ms to 24h, such as 500ms",
				      text);
	return EX_OK;
}

static int take_filter(struct request *request, const char *text)
{
	if (strlen(text) >= sizeof(request->view.filter))
		return complain_usage("top", "the filter is longer than %zu bytes",
				      sizeof(request->view.filter) - 1);
	memcpy(request->view.filter, text, strlen(text) + 1);
	return EX_OK;
}

static int take_option(struct request *request, int option)
{
	switch (option) {
	case 'b':
		request->batch = true;
		return EX_OK;
	case 'n':
		return value_count(word_of(optarg), &request->count) && request->count > 0
			       ? EX_OK
			       : complain_usage("top", "'%s' is no count", optarg);
	case 'i':
		return take_interval(request, optarg);
	case 's':
		return take_order(request, optarg);
	case 'r':
		request->view.reversed = true;
		return EX_OK;
	case 'f':
		return take_filter(request, optarg);
	default:
		request->folder = optarg;
		return EX_OK;
	}
}

static int take_pid(struct request *request, const char *text)
{
	uint64_t pid;

	if (!value_count(word_of(text), &pid) || pid == 0 || pid > INT_MAX)
		return complain_usage("top", "'%s' is no process id", text);
	request->view.pid = (pid_t)pid;
	return EX_OK;
}

/* SCTPEEL_LIVE as that process was started with, in `buf`; NULL when it cannot be found out. */
static const char *folder_of(pid_t pid, char buf[PATH_MAX])
{
	static const char name[] = "SCTPEEL_LIVE=";
	char path[PATH_MAX], *line = NULL;
	const char *ret = NULL;
	size_t room = 0;
	FILE *variables;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	variables = fopen(path, "re");
	if (!variables)
		return NULL;
	while (!ret && getdelim(&line, &room, '\0', variables) > 0) {
		const char *value = line + strlen(name);

		if (strncmp(line, name, strlen(name)) != 0 || *value == '\0')
			continue;
		/* resolved now: the process may end */
		if (*value == '/')
			snprintf(path, sizeof(path), "%s", value);
		else
			snprintf(path, sizeof(path), "/proc/%d/cwd/%s", (int)pid, value);
		if (realpath(path, buf))
			ret = buf;
	}
	free(line);
	fclose(variables);
	return ret;
}

static int find_folder(struct request *request)
{
	const char *folder = request->folder;
	struct stat info;

	if (!folder && request->view.pid)
		folder = folder_of(request->view.pid, request->found);
	if (!folder)
		folder = getenv("SCTPEEL_LIVE"); /* NOLINT(concurrency-mt-unsafe) */
	if (!folder || *folder == '\0')
		return complain(
			EX_USAGE, "top",
			"start the program with SCTPEEL_LIVE=FOLDER, and name it with -l FOLDER",
			"which folder are the live pages in?");
	if (stat(folder, &info) < 0)
		return complain(EX_NOINPUT, "top", NULL, "%s: %m", folder);
	if (!S_ISDIR(info.st_mode))
		return complain(EX_NOINPUT, "top", NULL, "%s: not a folder", folder);
	request->view.folder.path = folder;
	return EX_OK;
}

static void print_line(void (*put)(const struct top_view *view, struct line *line),
		       const struct top_view *view)
{
	char buf[TOP_ROW_SIZE];
	struct line line;

	line_open(&line, buf, sizeof(buf));
	put(view, &line);
	puts(line_done(&line));
}

static void put_titles(const struct top_view *view, struct line *line)
{
	(void)view;
	top_view_put_titles(line);
}

static void print_rows(const struct top_view *view)
{
	char buf[TOP_ROW_SIZE];
	struct line line;

	for (size_t i = 0; i < view->count; i++) {
		line_open(&line, buf, sizeof(buf));
		top_view_put_row(&view->rows[i], &line);
		puts(line_done(&line));
	}
}

/* The first look is not shown: a rate needs two. */
static int batch(struct request *request)
{
	struct top_view *view = &request->view;
	const struct timespec interval = {(time_t)(request->interval_ns / 1000000000u),
					  (long)(request->interval_ns % 1000000000u)};
	int error = top_view_look(view);

	for (uint64_t i = 0; !error && (request->count == 0 || i < request->count); i++) {
		nanosleep(&interval, NULL);
		error = top_view_look(view);
		if (error)
			break;
		if (i > 0)
			putchar('\n');
		print_line(top_view_put_summary, view);
		print_line(put_titles, view);
		print_rows(view);
		if (finish_output("top") != EX_OK)
			return EX_IOERR;
	}
	errno = error;
	return error ? complain(EX_NOINPUT, "top", NULL, "%s: %m", view->folder.path) : EX_OK;
}

/* A process that is not there and has left nothing is a mistake, one that has no socket yet is not.
 */
static int check_pid(struct request *request)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)request->view.pid);
	if (request->view.pid == 0 || access(path, F_OK) == 0 ||
	    top_view_look(&request->view) != 0 || request->view.processes > 0)
		return EX_OK;
	return complain(EX_NOINPUT, "top", NULL,
			"there is no process %d, and no live page of it in %s",
			(int)request->view.pid, request->view.folder.path);
}

static int show_live(struct request *request)
{
	int status = find_folder(request);

	if (status == EX_OK)
		status = check_pid(request);
	if (status != EX_OK)
		return status;
	if (request->batch)
		return batch(request);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return complain(EX_USAGE, "top", "'sctpeel top -b' writes lines",
				"this is not a terminal");
	return top_screen(&request->view, request->interval_ns, request->count);
}

int top_main(int argc, char **argv)
{
	struct request request = {.interval_ns = 1000000000};
	int option, status = EX_OK;

	opterr = 0;
	while (status == EX_OK &&
	       (option = getopt_long(argc, argv, ":bn:i:s:rf:l:h", long_options, NULL)) != -1) {
		if (option == 'h')
			return show("top", usage);
		if (option == 'V')
			return show("top", "sctpeel " SCTPEEL_VERSION "\n");
		if (option == ':')
			return complain_usage("top", "option '%s' needs a value", argv[optind - 1]);
		if (option == '?')
			return complain_usage("top", "unknown option '%s'", argv[optind - 1]);
		status = take_option(&request, option);
	}
	if (status == EX_OK && argc - optind > 1)
		status = complain_usage("top", "one process, not %d", argc - optind);
	if (status == EX_OK && optind < argc)
		status = take_pid(&request, argv[optind]);
	if (status == EX_OK)
		status = show_live(&request);
	top_view_end(&request.view);
	return status;
}
