/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: torture [options] SEED...      plays what each seed stands for\n"
	"       torture [options] -m MINUTES SEED    goes on with the next seeds for so long\n"
	"       torture [options] -r SCRIPT    plays a script again\n"
	"       torture -d SEED                prints the script of a seed\n"
	"  -p LIST    what to preload into the server; without it all is native\n"
	"  -w SECONDS wait so long for anything to happen (20)\n"
	"  -s SECONDS shrink the script of a failure for so long (120)\n";

static struct {
	struct options options;
	double minutes, shrink;
	const char *script;
	bool print;
} set = {.options = {.patience = 20, .verbose = true}, .shrink = 120};

static struct tally tally;
static unsigned sessions, natively;

/* Then it is the script's own fault, or the kernel's. */
static bool fails_natively(const struct plan *plan, char *fault, size_t size)
{
	struct options options = set.options;
	struct tally unused = {0};

	options.preload = NULL;
	options.verbose = false;
	for (int tries = 0; tries < 3; tries++)
		if (!session_play(plan, &options, &unused, fault, size))
			return true;
	return false;
}

/* A failure leaves its script on stdout, shrunken. Those that go on with the next seeds go on. */
static bool play(struct plan *plan)
{
	char fault[300];

	sessions++;
	if (session_play(plan, &set.options, &tally, fault, sizeof(fault)))
		return true;
	printf("FAILED seed %llu: %s\n", (unsigned long long)plan->seed, fault);
	fflush(stdout);
	if (set.minutes > 0 && set.options.preload && fails_natively(plan, fault, sizeof(fault))) {
		printf("natively: %s\n", fault);
		fflush(stdout);
		natively++;
		return true;
	}
	if (set.shrink > 0) {
		shrink(plan, &set.options, set.shrink);
		puts("what remains of its script:");
	}
	plan_print(plan, stdout);
	fflush(stdout);
	return false;
}

static uint64_t seed_of(const char *text)
{
	char *end;
	uint64_t ret;

	errno = 0;
	ret = strtoull(text, &end, 10);
	if (errno || *end || end == text || ret == 0) {
		fprintf(stderr, "torture: %s: a seed is a number from 1\n", text);
		exit(64);
	}
	return ret;
}

static bool play_seed(struct plan *plan, uint64_t seed)
{
	plan_draw(plan, seed);
	return play(plan);
}

static bool play_all(struct plan *plan, char **seeds)
{
	double end = now() + set.minutes * 60;
	bool ret = true;

	if (set.script)
		return plan_read(plan, set.script) && play(plan);
	if (set.minutes > 0)
		for (uint64_t seed = seed_of(*seeds); ret && now() < end; seed++)
			ret = play_seed(plan, seed);
	for (; set.minutes == 0 && *seeds; seeds++)
		ret &= play_seed(plan, seed_of(*seeds));
	return ret;
}

static void parse(int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "dm:p:r:s:w:")) >= 0;) {
		switch (c) {
		case 'd':
			set.print = true;
			break;
		case 'm':
			set.minutes = strtod(optarg, NULL);
			break;
		case 'p':
			set.options.preload = optarg;
			break;
		case 'r':
			set.script = optarg;
			break;
		case 's':
			set.shrink = strtod(optarg, NULL);
			break;
		case 'w':
			set.options.patience = strtod(optarg, NULL);
			break;
		default:
			fputs(usage, stderr);
			exit(64);
		}
	}
	if ((optind == argc) == !set.script) {
		fputs(usage, stderr);
		exit(64);
	}
}

int main(int argc, char **argv)
{
	static char program[PATH_MAX];
	struct plan *plan = calloc(1, sizeof(*plan));
	double began = now();
	bool well;

	if (argc > 3 && strcmp(argv[1], "serve") == 0)
		return serve(argc - 2, argv + 2);
	signal(SIGPIPE, SIG_IGN);
	parse(argc, argv);
	if (!plan || readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return 71;
	set.options.program = program;
	if (set.print) {
		plan_draw(plan, seed_of(argv[optind]));
		plan_print(plan, stdout);
		return 0;
	}
	well = play_all(plan, argv + optind);
	printf("%u sessions, %lu associations, %lu messages, %lu peels in %.0f s: %s\n", sessions,
	       tally.associations, tally.messages, tally.peels, now() - began,
	       well ? "all well" : "FAILED");
	if (natively)
		printf("%u of them fail natively, too\n", natively);
	if (tally.killed)
		printf("%lu workers killed: with them went %lu messages and %lu associations\n",
		       tally.killed, tally.missing, tally.severed);
	free(plan);
	return well ? 0 : 1;
}
