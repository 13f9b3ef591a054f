/* SPDX-License-Identifier: MIT */
/* sctpeel simulate -p POLICY TRACE: what policies would have done in a recorded run. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "events/record.h"
#include "figures.h"
#include "line.h"
#include "policy_text.h"
#include "replay.h"
#include "settings.h"
#include "tool.h"

enum { POLICIES = 8, ROWS = 20, NAME = 80 };

static const char usage[] =
	"usage: sctpeel simulate [-p POLICY]... [--suggest] [--decisions] TRACE...\n"
	"\n"
	"Sends the recorded messages through the shim's own policy code and says, side\n"
	"by side, what each policy would have peeled off, when, and at what cost in\n"
	"descriptors. The trace must have the messages: best record it with\n"
	"SCTPEEL_TRACE_EVENTS=all SCTPEEL_MODE=observe, for what was peeled off then came\n"
	"sooner. What the kernel would have answered (rwnd, srtt...) is not recorded.\n"
	"\n"
	"  -p, --policy POLICY  rules, a preset or @FILE; up to 8 times\n"
	"  -s, --suggest        finds who delayed others, and the smallest thresholds\n"
	"                       that would have isolated them; and tries these, too\n"
	"  -d, --decisions      each change of a verdict as a line of JSON, nothing else\n"
	"  -h, --help           this text\n"
	"      --version        the version\n"
	"\n"
	"Exit status: 0 done; 64 wrong usage; 65 a wrong policy, or no message in the\n"
	"trace; 66 a file cannot be opened; 74 reading or writing failed.\n"
	"\n"
	"  sctpeel simulate -p volume -p 'peel if share(1s) > 50%' /tmp/t.jsonl\n";

struct request {
	const char *given[POLICIES];
	size_t count;
	bool suggest, decisions;
	char *const *paths;
	int path_count;
};

static int compile(const struct request *request, struct replay_policy *policies)
{
	int status;

	for (size_t i = 0; i < request->count; i++) {
		policies[i] = (struct replay_policy){.given = request->given[i]};
		policies[i].policy =
			policy_text_compile("simulate", "-p", request->given[i], false, &status);
		if (policies[i].policy == NULL)
			return status;
	}
	return EX_OK;
}

static int run(struct replay *replay, const struct request *request)
{
	struct trace_event event;
	int status;
	struct trace *trace = trace_open("simulate", request->paths, request->path_count, &status);

	if (trace == NULL)
		return status;
	while (trace_next(trace, &event))
		replay_add(replay, &event);
	status = trace_end(trace);
	trace_close(trace);
	if (status == EX_OK && replay->out_of_memory)
		status = complain(EX_OSERR, "simulate", NULL, "out of memory");
	if (status == EX_OK && replay->messages == 0)
		status = complain(EX_DATAERR, "simulate", "record it with SCTPEEL_TRACE_EVENTS=all",
				  "no message is in the trace");
	return status;
}

static const char *tame(const char *text, char *buf, size_t size)
{
	struct line line;

	line_open(&line, buf, size);
	line_quote(&line, text, strlen(text), size - 1, LINE_SHOWN);
	return line_done(&line);
}

static void print_policy(const struct replay *replay, size_t which)
{
	const struct replay_policy *policy = &replay->policies[which];
	char given[120], peels[FIGURE], peak[FIGURE], first[FIGURE];

	printf("  #%zu %-10s %9s %9s %11s %8.1f %%  %s\n", which + 1, policy_hash(policy->policy),
	       figure_count(peels, policy->peels), figure_count(peak, policy->peeled_most),
	       figure_time(first, policy->peels ? (int64_t)policy->first_ns : -1),
	       replay->bytes ? 100.0 * (double)policy->shared_bytes / (double)replay->bytes : 0.0,
	       tame(policy->given, given, sizeof(given)));
}

static int compare(const void *left, const void *right)
{
	const struct replay_association *a = *(struct replay_association *const *)left;
	const struct replay_association *b = *(struct replay_association *const *)right;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return a->key.number < b->key.number ? -1 : a->key.number > b->key.number;
}

/* As report calls it; its process only where there are several. */
static const char *name_of(const struct replay *replay, const struct replay_association *a,
			   char buf[NAME])
{
	const bool v6 = a->peer.any.sa_family == AF_INET6;
	uint16_t port;
	struct line line;

	line_open(&line, buf, NAME);
	line_string(&line, v6 ? "[" : "");
	if (record_address(&line, &a->peer.any, &port)) {
		line_format(&line, "%s:%u", v6 ? "]" : "", port);
	} else {
		line.at = line.start;
		line_format(&line, "association %lld", (long long)a->key.number);
	}
	if (HASH_COUNT(replay->processes) > 1)
		line_format(&line, " [%lld]", (long long)a->pid);
	return line_done(&line);
}

static void print_association(const struct replay *replay, const struct replay_association *a)
{
	char buf[FIGURE], count[FIGURE], name[NAME];

	printf("  %-28s %10s %11s", name_of(replay, a, name), figure_size(buf, a->bytes),
	       figure_count(count, a->msgs));
	for (size_t i = 0; i < replay->count; i++) {
		const struct replay_verdict *verdict = &a->verdicts[i];

		printf(" %10s", figure_time(buf, verdict->peeled ? (int64_t)verdict->peel_ns : -1));
	}
	putchar('\n');
}

/* The heaviest of them, and when each policy would have peeled them. */
static void print_associations(const struct replay *replay)
{
	size_t count = HASH_COUNT(replay->associations), n = 0;
	struct replay_association **all = calloc(count + 1, sizeof(struct replay_association *));
	char buf[FIGURE];

	if (all == NULL)
		return;
	for (struct replay_association *a = replay->associations; a != NULL; a = a->hh.next)
		all[n++] = a;
	qsort(all, n, sizeof(struct replay_association *), compare);
	printf("\nThe heaviest associations, and how old they were when they would have been "
	       "peeled "
	       "off\n  %-28s %10s %11s",
	       "", "received", "messages");
	for (size_t i = 0; i < replay->count; i++)
		printf("         #%zu", i + 1);
	putchar('\n');
	for (size_t i = 0; i < n && i < ROWS; i++)
		print_association(replay, all[i]);
	if (n > ROWS)
		printf("  and %s more\n", figure_count(buf, n - ROWS));
	free(all);
}

static void print_notes(const struct replay *replay)
{
	if (!replay->has_inputs)
		fputs("\nThe trace is of an older version: times are those of its lines, and not "
		      "exact.\n",
		      stdout);
	for (size_t i = 0; i < replay->count; i++) {
		const struct replay_policy *policy = &replay->policies[i];

		if (policy->asked)
			printf("\n#%zu asks the kernel (rwnd, unacked, srtt...): not recorded, so "
			       "these conditions do not hold.\n",
			       i + 1);
		if (policy->compared)
			printf("\n#%zu was in force in the recorded run: %" PRIu64 " of %" PRIu64
			       " decisions come out the same.\n",
			       i + 1, policy->compared - policy->different, policy->compared);
	}
}

static void print_all(const struct replay *replay)
{
	char count[FIGURE], bytes[FIGURE];

	printf("%s messages, %s, %u associations\n\n", figure_count(count, replay->messages),
	       figure_size(bytes, replay->bytes), HASH_COUNT(replay->associations));
	printf("     %-10s %9s %9s %11s %10s\n", "policy", "peeled", "at once", "first after",
	       "left shared");
	for (size_t i = 0; i < replay->count; i++)
		print_policy(replay, i);
	print_associations(replay);
	print_notes(replay);
}

static bool is_file(const struct request *request)
{
	for (int i = 0; i < request->path_count; i++)
		if (strcmp(request->paths[i], "-") == 0)
			return false;
	return true;
}

static int simulate(const struct request *request)
{
	struct replay_policy policies[POLICIES] = {0};
	struct replay replay = {.policies = policies,
				.count = request->count,
				.decisions = request->decisions ? stdout : NULL};
	int status = compile(request, policies);

	if (status == EX_OK)
		status = run(&replay, request);
	if (status == EX_OK && !request->decisions)
		print_all(&replay);
	replay_free(&replay);
	for (size_t i = 0; i < request->count; i++)
		policy_free(policies[i].policy);
	return status;
}

/* A first run finds them, a second one tries them. */
static int suggest(struct request *request)
{
	struct replay replay = {.suggesting = true};
	char *found[POLICIES];
	size_t count = 0;
	int status = run(&replay, request);

	if (status == EX_OK && !replay.has_waits)
		status = complain(EX_DATAERR, "simulate",
				  "record it with SCTPEEL_TRACE_EVENTS=all and this version",
				  "the trace does not say how long messages waited");
	if (status == EX_OK)
		count = suggest_print(&replay, stdout, found, POLICIES - request->count);
	replay_free(&replay);
	for (size_t i = 0; i < count; i++)
		request->given[request->count++] = found[i];
	if (status == EX_OK && request->count > 0 && is_file(request)) {
		putchar('\n');
		status = simulate(request);
	}
	for (size_t i = 0; i < count; i++)
		free(found[i]);
	return status;
}

static int read_option(struct request *request, int option, char **argv)
{
	switch (option) {
	case 'p':
		if (request->count == POLICIES)
			return complain_usage("simulate", "%d policies at most", POLICIES);
		request->given[request->count++] = optarg;
		return EX_OK;
	case 's':
		request->suggest = true;
		return EX_OK;
	case 'd':
		request->decisions = true;
		return EX_OK;
	case ':':
		return complain_usage("simulate", "option '%s' wants a policy", argv[optind - 1]);
	default:
		return complain_usage("simulate", "unknown option '%s'", argv[optind - 1]);
	}
}

int simulate_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"policy", required_argument, NULL, 'p'}, {"suggest", no_argument, NULL, 's'},
		{"decisions", no_argument, NULL, 'd'},	  {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},	  {0}};
	struct request request = {0};
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":p:sdh", options, NULL)) != -1) {
		if (option == 'h')
			return show("simulate", usage);
		if (option == 'V')
			return show("simulate", "sctpeel " SCTPEEL_VERSION "\n");
		status = read_option(&request, option, argv);
		if (status != EX_OK)
			return status;
	}
	request.paths = argv + optind;
	request.path_count = argc - optind;
	if (request.path_count == 0)
		return complain_usage("simulate", "which trace?");
	if (request.count == 0 && !request.suggest)
		return complain_usage("simulate", "which policy? -p POLICY, or --suggest");
	if (request.suggest && request.decisions)
		return complain_usage("simulate", "either --suggest or --decisions");
	status = request.suggest ? suggest(&request) : simulate(&request);
	return status == EX_OK ? finish_output("simulate") : status;
}
