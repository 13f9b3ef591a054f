/* SPDX-License-Identifier: MIT */
/* sctpeel COMMAND: finds the subcommand. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "policy/policy.h"
#include "settings.h"
#include "tool.h"

/* In the order of usage(); a command without a main is a name that a later version fills. */
static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{"run", run_main},	 {"check", check_main},	      {"doctor", doctor_main},
	{"report", report_main}, {"simulate", simulate_main}, {"top", top_main},
};

static const char usage[] =
	"usage: sctpeel COMMAND [ARGUMENT...]\n"
	"\n"
	"Peels associations off the one-to-many SCTP sockets of unmodified programs, so\n"
	"that a busy peer does not hold up the others.\n"
	"\n"
	"  run [-p POLICY] PROGRAM   starts a program under the shim\n"
	"  check POLICY              explains a policy, or shows what is wrong with it\n"
	"  doctor [PROGRAM]          says whether this machine, and a program, can do it\n"
	"  report TRACE              says what happened to the associations, and why\n"
	"  simulate -p POLICY TRACE  says what a policy would have done in a recorded run\n"
	"  top [PID]                 shows the associations of running programs\n"
	"\n"
	"'sctpeel COMMAND --help' explains one of them, sctpeel(1) all. sctpeel --version\n"
	"prints the version.\n";

static int run_unknown(const char *name)
{
	const char *names[sizeof(commands) / sizeof(commands[0]) + 1];
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		names[n++] = commands[i].name;
	names[n] = NULL;
	nearest = policy_nearest(name, names);
	if (nearest != NULL)
		return complain_usage("", "unknown command '%s' (did you mean '%s'?)", name,
				      nearest);
	return complain_usage("", "unknown command '%s'", name);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (argc < 2)
		return complain_usage("", "which command?");
	if (!strcmp(name, "-h") || !strcmp(name, "--help"))
		return show("", usage);
	if (!strcmp(name, "--version"))
		return show("", "sctpeel " SCTPEEL_VERSION "\n");
	if (*name == '-')
		return complain_usage("", "unknown option '%s'", name);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		if (commands[i].main == NULL)
			return complain(EX_UNAVAILABLE, "", NULL, "%s: comes with a later version",
					name);
		return commands[i].main(argc - 1, argv + 1);
	}
	return run_unknown(name);
}
