/* SPDX-License-Identifier: MIT */
/* sctpeel report TRACE...: what happened to the associations, and what it did for the others. */
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "settings.h"
#include "tool.h"

static const char usage[] =
	"usage: sctpeel report [OPTION...] TRACE...\n"
	"\n"
	"Says which associations were heavy, when and why each was peeled off, what it\n"
	"did for the others, what was held back, and which rules never matched. TRACE is\n"
	"in JSON Lines; TRACE.1, which was rotated away, is read first where it lies\n"
	"beside; - is standard input. Waits and rates over time need a trace with the\n"
	"messages: SCTPEEL_TRACE_EVENTS=all.\n"
	"\n"
	"      --html FILE    one page with pictures; no script needed\n"
	"      --csv FILE     a line for each association\n"
	"      --chrome FILE  trace events, for https://ui.perfetto.dev\n"
	"  -j, --json         one JSON object on standard output, instead of the text\n"
	"  -h, --help         this text\n"
	"      --version      the version\n"
	"\n"
	"FILE - is standard output, instead of the text.\n"
	"\n"
	"Exit status: 0 there is a report, also of a damaged trace (messages say what is\n"
	"left out); 64 wrong usage; 65 no event found; 66 TRACE cannot be opened; 73\n"
	"FILE cannot be made; 74 reading or writing failed.\n"
	"\n"
	"  sctpeel report --html report.html /tmp/t.jsonl\n";

struct request {
	const char *html, *csv, *chrome;
	bool json;
};

const char *const report_waits[WAIT_KINDS] = {
	"before the first peel",
	"after it, those that stayed",
	"after it, those peeled off",
};

const char *report_fate(const struct history_association *association)
{
	if (association->peeled)
		return "peeled";
	if (association->by_program)
		return "program";
	if (association->refusals > 0)
		return "refused";
	if (association->verdict == 'h')
		return "held";
	if (association->verdict == 'p')
		return "observed";
	return association->verdict == 'k' ? "kept" : "-";
}

const char *report_name(const struct history_association *association, char *buf)
{
	if (association->peer != NULL)
		return association->peer;
	snprintf(buf, 64, "association %" PRId64, association->key.number);
	return buf;
}

static int write_file(const struct report *report, const char *path,
		      void (*write)(const struct report *report, FILE *to))
{
	FILE *to;

	if (path == NULL)
		return EX_OK;
	if (strcmp(path, "-") == 0) {
		write(report, stdout);
		return EX_OK;
	}
	to = fopen(path, "we");
	if (to == NULL)
		return complain(EX_CANTCREAT, "report", NULL, "%s: %m", path);
	write(report, to);
	if (ferror(to) || fflush(to) != 0) {
		complain(EX_IOERR, "report", NULL, "%s: %m", path);
		fclose(to);
		return EX_IOERR;
	}
	return fclose(to) == 0 ? EX_OK : complain(EX_IOERR, "report", NULL, "%s: %m", path);
}

static bool is_output(const char *path)
{
	return path != NULL && strcmp(path, "-") == 0;
}

static int write_all(const struct report *report, const struct request *request)
{
	int status = write_file(report, request->html, report_html);

	if (status == EX_OK)
		status = write_file(report, request->csv, report_csv);
	if (status == EX_OK)
		status = write_file(report, request->chrome, report_chrome);
	if (status != EX_OK)
		return status;
	if (request->json)
		report_json(report, stdout);
	else if (!is_output(request->html) && !is_output(request->csv) &&
		 !is_output(request->chrome))
		report_text(report, stdout);
	return finish_output("report");
}

static int report(const struct request *request, char *const *paths, int count)
{
	struct history history = {0};
	struct trace_event event;
	int status, written;
	struct trace *trace = trace_open("report", paths, count, &status);

	if (trace == NULL)
		return status;
	while (trace_next(trace, &event))
		history_add(&history, &event);
	history_finish(&history);
	status = trace_end(trace);
	if (history.out_of_memory)
		status = complain(EX_OSERR, "report", NULL, "out of memory");
	if (status == EX_OK || (status == EX_IOERR && trace_counts(trace)->events > 0)) {
		struct report made = {.history = &history, .counts = trace_counts(trace)};

		made.all = history_heaviest(&history, &made.count);
		history_waits(&history, made.waits);
		written = write_all(&made, request);
		status = status ? status : written;
		free(made.all);
	}
	history_free(&history);
	trace_close(trace);
	return status;
}

int report_main(int argc, char **argv)
{
	static const struct option options[] = {{"html", required_argument, NULL, 'H'},
						{"csv", required_argument, NULL, 'C'},
						{"chrome", required_argument, NULL, 'P'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{0}};
	struct request request = {0};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
		switch (option) {
		case 'H':
			request.html = optarg;
			break;
		case 'C':
			request.csv = optarg;
			break;
		case 'P':
			request.chrome = optarg;
			break;
		case 'j':
			request.json = true;
			break;
		case 'h':
			return show("report", usage);
		case 'V':
			return show("report", "sctpeel " SCTPEEL_VERSION "\n");
		case ':':
			return complain_usage("report", "option '%s' wants a file",
					      argv[optind - 1]);
		default:
			return complain_usage("report", "unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return complain_usage("report", "which trace?");
	if (is_output(request.html) + is_output(request.csv) + is_output(request.chrome) +
		    request.json >
	    1)
		return complain_usage("report", "only one of them to standard output");
	return report(&request, argv + optind, argc - optind);
}
