/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "doctor.h"
#include "kernel.h"
#include "line.h"
#include "settings.h"

/* Cuts one report, "sctpeel: WHAT" and the lines below it, off the front of *rest. */
static bool next_report(char **rest, char **ret_what, char **ret_details)
{
	static const char prefix[] = "sctpeel: ";
	char *end;

	if (strncmp(*rest, prefix, strlen(prefix)) != 0)
		return false;
	*ret_what = *rest + strlen(prefix);
	*ret_details = *ret_what + strcspn(*ret_what, "\n");
	end = strstr(*ret_details, "\nsctpeel: ");
	*rest = end ? end + 1 : *ret_details + strlen(*ret_details);
	if (end != NULL)
		*end = '\0';
	if (**ret_details == '\n')
		*(*ret_details)++ = '\0';
	return true;
}

static void show_values(struct findings *findings, const struct settings *settings)
{
	struct setting setting;
	bool any = false;

	for (unsigned int i = 0; settings_item(settings, i, &setting); i++) {
		any |= setting.from_env;
		if (!setting.from_env || setting.type == SETTING_UNSET)
			continue;
		if (setting.type == SETTING_STRING)
			found_good(findings, "%s=%s", setting.name, setting.string);
		else if (setting.type == SETTING_NUMBER)
			found_good(findings, "%s=%" PRIu64, setting.name, setting.number);
		else
			found_good(findings, "%s=%s", setting.name,
				   setting.number ? "true" : "false");
	}
	if (!any)
		found_good(findings, "no SCTPEEL_ variable is set; the policy is: %s",
			   settings->policy_text);
}

/* What the program is to write needs a folder that is there. */
static void check_folder(struct findings *findings, const char *name, const char *folder)
{
	/* with a % in it only the program will know */
	if (strchr(folder, '%') == NULL && access(folder, W_OK | X_OK) < 0)
		found_doubtful(findings, "create it, and let the program's user write there",
			       "%s: %s: %m", name, folder);
}

static void check_file(struct findings *findings, const char *name, const char *path)
{
	char copy[PATH_MAX];

	if (path != NULL && strlen(path) < sizeof(copy))
		check_folder(findings, name, dirname(strcpy(copy, path)));
}

const struct settings *doctor_variables(struct findings *findings)
{
	char wrong[16384], needless[4096], *what, *details, *rest;
	struct line mistakes, unknown;
	const struct settings *settings;

	findings_section(findings, "variables");
	line_open(&mistakes, wrong, sizeof(wrong));
	line_open(&unknown, needless, sizeof(needless));
	settings = settings_review(&mistakes, &unknown);
	line_done(&mistakes);
	line_done(&unknown);
	for (rest = wrong; next_report(&rest, &what, &details);)
		found_bad(findings, EX_CONFIG, details, "%s", what);
	for (rest = needless; next_report(&rest, &what, &details);)
		found_doubtful(findings, "it has no effect: correct or unset it", "%s", what);
	if (mistakes.start == mistakes.at)
		show_values(findings, settings);
	if (settings->mode == MODE_OFF)
		found_doubtful(findings, "use enforce; or observe, to decide and never peel",
			       "SCTPEEL_MODE=off: the library stays out of every call");
	if (!settings->follow)
		found_doubtful(findings, "open them with SOCK_CLOEXEC, or leave it at true",
			       "SCTPEEL_FOLLOW=false: from sockets that go along with an exec (no "
			       "FD_CLOEXEC) nothing is peeled off");
	if (settings->trace_kind == TRACE_FILE)
		check_file(findings, "SCTPEEL_TRACE", settings->trace_path);
	check_file(findings, "SCTPEEL_STATS", settings->stats);
	if (settings->live != NULL)
		check_folder(findings, "SCTPEEL_LIVE", settings->live);
	return settings;
}

static void check_descriptors(struct findings *findings, const struct settings *settings)
{
	static const char remedy[] = "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit";
	uint64_t reserve = settings->fd_reserve, soft;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	soft = limit.rlim_cur;
	if (soft <= reserve)
		found_bad(findings, EX_CONFIG, remedy,
			  "RLIMIT_NOFILE %" PRIu64 " less SCTPEEL_FD_RESERVE %" PRIu64
			  " leaves no descriptor to peel off into",
			  soft, reserve);
	else if (settings->max != UINT32_MAX && settings->max > soft - reserve)
		found_doubtful(findings, remedy,
			       "RLIMIT_NOFILE %" PRIu64 " less SCTPEEL_FD_RESERVE %" PRIu64
			       " leaves %" PRIu64 " descriptors, fewer than SCTPEEL_MAX %u",
			       soft, reserve, soft - reserve, settings->max);
	else
		found_good(findings,
			   "RLIMIT_NOFILE %" PRIu64 " less SCTPEEL_FD_RESERVE %" PRIu64
			   " leaves %" PRIu64
			   " descriptors to the program's files and to peeled associations",
			   soft, reserve, soft - reserve);
}

/* The kernel cuts what is above its limit, and says nothing. */
static void check_buffer(struct findings *findings, const char *variable, int wanted,
			 const char *sysctl)
{
	char path[64], value[32];
	long most;

	snprintf(path, sizeof(path), "/proc/sys/net/core/%s", sysctl);
	if (!kernel_line(path, value, sizeof(value)))
		return;
	most = strtol(value, NULL, 10);
	if (wanted > most)
		found_doubtful(findings, "raise the sysctl, or ask for less",
			       "%s=%d is above net.core.%s=%ld, which the kernel takes instead",
			       variable, wanted, sysctl, most);
}

void doctor_limits(struct findings *findings, const struct settings *settings)
{
	findings_section(findings, "limits");
	check_descriptors(findings, settings);
	check_buffer(findings, "SCTPEEL_RCVBUF", settings->rcvbuf, "rmem_max");
	check_buffer(findings, "SCTPEEL_SNDBUF", settings->sndbuf, "wmem_max");
}
