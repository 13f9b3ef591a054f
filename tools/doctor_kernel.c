/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

#include "doctor.h"
#include "kernel.h"

#ifndef SCTP_SOCKOPT_PEELOFF_FLAGS
#define SCTP_SOCKOPT_PEELOFF_FLAGS 122
#endif

enum { NO_ASSOCIATION = 0x7fffffff };

/*
 * The version that the fixes are counted in. Distributions keep one release name for many of them:
 * "6.1.0-40-amd64" is "6.1.153" in what Debian and Ubuntu say beside it.
 */
static void stable_version(const struct utsname *name, char *buf, size_t size)
{
	const char *debian = strstr(name->version, "Debian ");
	char line[256], ubuntu[64];

	if (debian != NULL)
		snprintf(buf, size, "%.*s", (int)strcspn(debian + 7, " -"), debian + 7);
	else if (kernel_line("/proc/version_signature", line, sizeof(line)) &&
		 sscanf(line, "%*s %*s %63s", ubuntu) == 1)
		snprintf(buf, size, "%s", ubuntu);
	else
		snprintf(buf, size, "%.*s", (int)strcspn(name->release, "-+ "), name->release);
}

static bool module_installed(const char *release)
{
	char path[512], line[4096];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, "/sctp.ko") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

static const char *presence(void)
{
	if (access("/sys/module/sctp/initstate", F_OK) == 0)
		return "as a module";
	return access("/sys/module/sctp", F_OK) == 0 ? "built in" : "in some way";
}

static bool check_sctp(struct findings *findings, const struct utsname *name, const char *version)
{
	int error = kernel_sctp_error();

	if (error == 0) {
		found_good(findings, "this kernel, %s (%s), has SCTP %s", name->release, version,
			   presence());
		return true;
	}
	if (error != EPROTONOSUPPORT && error != ESOCKTNOSUPPORT)
		found_bad(findings, EX_UNAVAILABLE,
			  "ask whoever confines this process: a container, seccomp, a security "
			  "module",
			  "an SCTP socket is refused: %s", strerrordesc_np(error));
	else if (module_installed(name->release))
		found_bad(findings, EX_UNAVAILABLE,
			  "modprobe sctp; then see why it does not load by itself: a blacklist in "
			  "/etc/modprobe.d?",
			  "%s, %s: the module is installed, and was not loaded", kernel_missing,
			  name->release);
	else
		found_bad(findings, EX_UNAVAILABLE, kernel_remedy,
			  "%s, %s: no module sctp is installed for it", kernel_missing,
			  name->release);
	return false;
}

/* With an association that is not there the option answers EINVAL, an unknown one ENOPROTOOPT. */
static bool has_option(int fd, int option)
{
	sctp_peeloff_flags_arg_t arg = {.p_arg.associd = NO_ASSOCIATION};
	socklen_t length = option == SCTP_SOCKOPT_PEELOFF ? sizeof(arg.p_arg) : sizeof(arg);

	return getsockopt(fd, IPPROTO_SCTP, option, &arg, &length) < 0 && errno == EINVAL;
}

static void check_peeloff(struct findings *findings)
{
	int fd = socket(AF_INET, SOCK_SEQPACKET | SOCK_CLOEXEC, IPPROTO_SCTP);
	bool plain = has_option(fd, SCTP_SOCKOPT_PEELOFF);
	bool flags = has_option(fd, SCTP_SOCKOPT_PEELOFF_FLAGS);

	if (fd >= 0)
		close(fd);
	if (plain && flags)
		found_good(findings, "it can peel off: SCTP_SOCKOPT_PEELOFF (102) and "
				     "SCTP_SOCKOPT_PEELOFF_FLAGS (122)");
	else if (plain || flags)
		found_good(
			findings, "it can peel off: %s, but not %s; the shim does without",
			plain ? "SCTP_SOCKOPT_PEELOFF (102)" : "SCTP_SOCKOPT_PEELOFF_FLAGS (122)",
			plain ? "SCTP_SOCKOPT_PEELOFF_FLAGS (122)" : "SCTP_SOCKOPT_PEELOFF (102)");
	else
		found_bad(findings, EX_UNAVAILABLE, "use Linux' own SCTP",
			  "it knows neither SCTP_SOCKOPT_PEELOFF (102) nor "
			  "SCTP_SOCKOPT_PEELOFF_FLAGS (122)");
}

static void check_faults(struct findings *findings, const char *version)
{
	static const char remedy[] =
		"the shim keeps its own peels apart from these; for a program that peels off by "
		"itself\nin threads use 6.1.176, 7.1 or later, or one whose change log names "
		"f14fe6395a8b";

	switch (kernel_fixes(version)) {
	case FIXES_THERE:
		found_good(findings, "%s has no known fault around peeling", version);
		break;
	case FIXES_MISSING:
		found_doubtful(findings, remedy,
			       "%s can corrupt its memory when one thread peels off while another "
			       "is in SCTP_SENDALL or connect",
			       version);
		break;
	case FIXES_UNKNOWN:
		found_doubtful(findings, remedy,
			       "%s: not known whether it can still corrupt its memory when one "
			       "thread peels off while another is in SCTP_SENDALL or connect",
			       version);
		break;
	}
}

static void check_buffer_policy(struct findings *findings, const char *name, const char *what)
{
	char path[64], value[32];

	snprintf(path, sizeof(path), "/proc/sys/net/sctp/%s", name);
	if (!kernel_line(path, value, sizeof(value)))
		return;
	if (!strcmp(value, "0"))
		found_good(findings,
			   "net.sctp.%s=0: associations of a socket share its %s buffer; each "
			   "peeled one gets its own",
			   name, what);
	else
		found_good(findings,
			   "net.sctp.%s=%s: each association has its own %s buffer; they still "
			   "wait in one queue",
			   name, value, what);
}

/* "least pressure most", in pages */
static void check_memory(struct findings *findings)
{
	unsigned long long pages;
	char value[128], *last;

	if (!kernel_line("/proc/sys/net/sctp/sctp_mem", value, sizeof(value)))
		return;
	last = strrchr(value, '\t');
	pages = last ? strtoull(last, NULL, 10) : 0;
	if (pages > 0)
		found_good(findings, "net.sctp.sctp_mem: %llu MiB at most for all SCTP buffers",
			   pages * (unsigned long long)sysconf(_SC_PAGESIZE) >> 20);
}

void doctor_kernel(struct findings *findings)
{
	struct utsname name;
	char version[sizeof(name.version)];

	findings_section(findings, "kernel");
	uname(&name);
	stable_version(&name, version, sizeof(version));
	if (!check_sctp(findings, &name, version))
		return;
	check_peeloff(findings);
	check_faults(findings, version);
	check_buffer_policy(findings, "rcvbuf_policy", "receive");
	check_buffer_policy(findings, "sndbuf_policy", "send");
	check_memory(findings);
}
