/* SPDX-License-Identifier: MIT */
/* sctpeel run PROGRAM: starts a program with the library preloaded, by exec. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "kernel.h"
#include "library.h"
#include "policy/policy.h"
#include "policy_text.h"
#include "program.h"
#include "settings.h"
#include "tool.h"

static const char usage[] =
	"usage: sctpeel run [-p POLICY] [-m MODE] [-t TRACE] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Starts PROGRAM under the shim. Exit status, signals, arguments and terminal are\n"
	"PROGRAM's own.\n"
	"\n"
	"  -p, --policy POLICY  which associations to peel: rules, a preset (none, all,\n"
	"                       volume), @FILE\n"
	"  -m, --mode MODE      enforce, observe (decide and log, never peel) or off\n"
	"  -t, --trace TRACE    where events go: stderr, fd:N, unix:PATH or a path with\n"
	"                       %p %n %h %t\n"
	"  -h, --help           this text\n"
	"\n"
	"These set SCTPEEL_POLICY, SCTPEEL_MODE and SCTPEEL_TRACE, and beat the\n"
	"environment. Other SCTPEEL_ variables pass through; SCTPEEL_POLICY=help lists\n"
	"them.\n"
	"\n"
	"Exit status before PROGRAM has started: 64 wrong usage; 65 a mistake in the\n"
	"policy; 66 a policy file that cannot be read; 69 no SCTP in the kernel; 72 no\n"
	"libsctpeel.so; 126 PROGRAM cannot be run or not be preloaded into; 127 PROGRAM\n"
	"is not found.\n"
	"\n"
	"  sctpeel run -p 'peel if bytes >= 1M' -t /tmp/amf.jsonl amf -c amf.conf\n";

struct request {
	const char *policy, *mode, *trace; /* NULL: as the environment says */
	char **program;			   /* its argv */
	bool help, version;
};

static int read_options(int argc, char **argv, struct request *ret)
{
	static const struct option options[] = {
		{"policy", required_argument, NULL, 'p'}, {"mode", required_argument, NULL, 'm'},
		{"trace", required_argument, NULL, 't'},  {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},	  {0},
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:p:m:t:h", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			ret->policy = optarg;
			break;
		case 'm':
			ret->mode = optarg;
			break;
		case 't':
			ret->trace = optarg;
			break;
		case 'h':
			ret->help = true;
			return EX_OK;
		case 'V':
			ret->version = true;
			return EX_OK;
		case ':':
			return complain_usage("run", "%s needs an argument", argv[optind - 1]);
		default:
			return complain_usage("run", "unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return complain_usage("run", "which program?");
	ret->program = argv + optind;
	return EX_OK;
}

/* The policy that will count, by flag or environment. The shim would only warn about a mistake. */
static int check_policy(const struct request *request)
{
	const char *given = request->policy ? request->policy : getenv("SCTPEEL_POLICY");
	const char *where = request->policy ? "--policy" : "SCTPEEL_POLICY";
	struct policy *policy;
	int status;

	if (given == NULL || *given == '\0' || !strcasecmp(given, "help"))
		return EX_OK;
	policy = policy_text_compile("run", where, given, false, &status);
	if (policy == NULL)
		return status;
	policy_free(policy);
	return EX_OK;
}

static int check_mode(const char *mode)
{
	static const char *const modes[] = {"enforce", "observe", "off", NULL};
	const char *nearest;

	if (mode == NULL)
		return EX_OK;
	for (int i = 0; modes[i] != NULL; i++)
		if (!strcasecmp(mode, modes[i]))
			return EX_OK;
	nearest = policy_nearest(mode, modes);
	return complain_usage("run", "--mode: '%s' is none of enforce, observe, off%s%s%s", mode,
			      nearest ? " (did you mean '" : "", nearest ? nearest : "",
			      nearest ? "'?)" : "");
}

static int check_program(const char *name)
{
	static struct program_verdict verdict;
	int status = program_check(name, &verdict);

	return status ? complain(status, "run", verdict.remedy, "%s", verdict.reason) : EX_OK;
}

static int check_kernel(void)
{
	int error = kernel_sctp_error();

	/* with another error the program may fare otherwise */
	if (error != EPROTONOSUPPORT && error != ESOCKTNOSUPPORT)
		return EX_OK;
	return complain(EX_UNAVAILABLE, "run", kernel_remedy, "%s", kernel_missing);
}

static int set(const char *name, const char *value)
{
	if (value == NULL || setenv(name, value, 1) == 0)
		return EX_OK;
	return complain(EX_OSERR, "run", NULL, "%s: %m", name);
}

static int prepare(const struct request *request)
{
	int status = check_mode(request->mode);

	if (status == EX_OK)
		status = check_policy(request);
	if (status == EX_OK)
		status = check_program(request->program[0]);
	if (status == EX_OK)
		status = library_preload("run");
	if (status == EX_OK)
		status = check_kernel();
	if (status == EX_OK)
		status = set("SCTPEEL_POLICY", request->policy);
	if (status == EX_OK)
		status = set("SCTPEEL_MODE", request->mode);
	if (status == EX_OK)
		status = set("SCTPEEL_TRACE", request->trace);
	return status;
}

int run_main(int argc, char **argv)
{
	struct request request = {.program = argv};
	int status = read_options(argc, argv, &request);

	if (status != EX_OK)
		return status;
	if (request.help)
		return show("run", usage);
	if (request.version)
		return show("run", "sctpeel " SCTPEEL_VERSION "\n");
	status = prepare(&request);
	if (status != EX_OK)
		return status;
	execvp(request.program[0], request.program);
	return complain(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "run", NULL, "%s: %m",
			request.program[0]);
}
