/* SPDX-License-Identifier: MIT */
/* sctpeel doctor [PROGRAM]: whether this machine, and this program, can be helped. */
#include "doctor.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "settings.h"
#include "tool.h"

static const char usage[] =
	"usage: sctpeel doctor [--json] [PROGRAM]\n"
	"\n"
	"Says whether associations can be peeled off here: the kernel's SCTP and its\n"
	"known faults, sysctls, the library, the SCTPEEL_ variables, limits. Of PROGRAM\n"
	"it says whether it can be retrofitted, and which of the calls that the shim\n"
	"takes it imports, itself or through its libraries. PROGRAM is not started.\n"
	"\n"
	"Each line says ok, warn (look at it) or fail (it will not work), with the cure.\n"
	"\n"
	"  -j, --json     the findings as one JSON object\n"
	"  -h, --help     this text\n"
	"\n"
	"Exit status: 0 nothing failed; else that of the first failure: 69 no SCTP in the\n"
	"kernel; 72 no libsctpeel.so, or it does not load; 78 a wrong variable or limit;\n"
	"126 PROGRAM cannot be run or not be preloaded into; 127 PROGRAM is not found.\n"
	"64 is wrong usage.\n"
	"\n"
	"  sctpeel doctor ./amf\n";

static int examine(bool json, const char *program)
{
	struct findings findings = {.json = json};
	const struct settings *settings;

	doctor_kernel(&findings);
	doctor_library(&findings);
	settings = doctor_variables(&findings);
	doctor_limits(&findings, settings);
	if (program != NULL)
		doctor_program(&findings, settings, program);
	return findings_end(&findings);
}

int doctor_main(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{0}};
	bool json = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (option == 'h')
			return show("doctor", usage);
		if (option == 'V')
			return show("doctor", "sctpeel " SCTPEEL_VERSION "\n");
		if (option != 'j')
			return complain_usage("doctor", "unknown option '%s'", argv[optind - 1]);
		json = true;
	}
	if (argc - optind > 1)
		return complain_usage("doctor", "one program, without its arguments");
	return examine(json, argv[optind]);
}
