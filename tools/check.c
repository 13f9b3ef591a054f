/* SPDX-License-Identifier: MIT */
/* sctpeel check POLICY: what a policy means, or what is wrong with it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy_text.h"
#include "settings.h"
#include "tool.h"

static const char usage[] =
	"usage: sctpeel check POLICY\n"
	"\n"
	"Says in words what each rule does, then prints the policy in its canonical form\n"
	"and the hash that events carry. POLICY is rules, a preset, @FILE, - for standard\n"
	"input, or help.\n"
	"\n"
	"Exit status: 0 the policy is good; 65 it is not, and the message shows where; 66\n"
	"the file cannot be read.\n"
	"\n"
	"  sctpeel check 'keep if peer 10.9.0.0/16; peel if rate(5s) > 10M/s for 3s'\n"
	"  sctpeel check volume\n";

static int check(const char *given)
{
	int status;
	struct policy *policy = policy_text_compile("check", "check", given, true, &status);

	if (policy == NULL)
		return status;
	policy_explain(policy, stdout);
	fputs("\ncanonical form:\n", stdout);
	policy_print(policy, stdout);
	printf("\nhash: %s\n", policy_hash(policy));
	policy_free(policy);
	return finish_output("check");
}

int check_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			return show("check", usage);
		if (option == 'V')
			return show("check", "sctpeel " SCTPEEL_VERSION "\n");
		return complain_usage("check", "unknown option '%s'", argv[optind - 1]);
	}
	if (optind == argc)
		return complain_usage("check", "which policy?");
	if (argc - optind > 1)
		return complain_usage("check", "one policy, not %d arguments: put it in quotes",
				      argc - optind);
	if (!strcmp(argv[optind], "help"))
		return show("check", policy_help());
	return check(argv[optind]);
}
