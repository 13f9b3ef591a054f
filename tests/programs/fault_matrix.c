/* SPDX-License-Identifier: MIT */
/*
 * fault_matrix: lets each call that the library makes on its own account fail once, with each error
 * that it can return, each time that it is made while PROGRAM runs; and asks whether PROGRAM prints
 * what it prints without the library.
 *
 *   fault_matrix [-l] [-k] [-e N] [-s SEED] LIBRARY PRELOAD CARRIED FOLDER PROGRAM
 *
 * -l: only lists the places. -k: instead, the process of PROGRAM that is named "victim" is killed
 * before each of its library's calls. -e N: one case of N, by chance, SEED tells which. CARRIED
 * names the functions that pass the program's own calls on, calls that cannot fail where they are
 * made, and those before which a kill takes an association with it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../preloads/failing.h"

#define LIMIT 65536
#define SECONDS 15

/* level and option, as failing.def puts them together */
#define PEELOFF (132 * 1000 + 102)
#define PEELOFF_FLAGS (132 * 1000 + 122)

static const struct {
	const char *call, *errors;
} calls[] = {
#define FAIL(type, name, params, args, detail, failed, errors) {#name, errors},
#include "../preloads/failing.def"
	{"close", "EINTR EIO"},
	{"open", "EMFILE ENFILE ENOMEM ENOSPC EACCES ENOENT EROFS EINTR"},
	{"openat", "EMFILE ENFILE ENOMEM ENOSPC EACCES ENOENT EROFS EINTR"},
	{"ioctl", "EINVAL ENOTTY EPERM"},
	{"malloc", "ENOMEM"},
	{"calloc", "ENOMEM"},
	{"reallocarray", "ENOMEM"},
	{"syscall", "EAGAIN EINTR EPERM ENOSYS"},
};

static struct failing_table *table;
static const char *library, *preload, *folder, *program;
static char place[1000][160]; /* "function file:line" of each site */
static unsigned cases, failures, missed, told;
static unsigned one_of = 1, seed = 1;

static const char *path_of(const char *name)
{
	static char paths[4][4096];
	static unsigned turn;
	char *path = paths[turn++ & 3];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void slurp(const char *name, char *ret)
{
	FILE *from = fopen(path_of(name), "re");
	size_t n = from ? fread(ret, 1, LIMIT - 1, from) : 0;

	ret[n] = '\0';
	if (from)
		fclose(from);
}

/* Runs the program; its status, or -1 when it took too long. */
static int run(bool with_library)
{
	char preloads[8192], policy[] = "SCTPEEL_POLICY=all", trace[4200], stats[4200], live[4200],
			     failing[4200];
	char *environment[] = {preloads, policy, trace, stats, live, failing, NULL};
	char *argv[] = {(char *)(uintptr_t)program, NULL};
	posix_spawn_file_actions_t actions;
	struct timespec nap = {.tv_nsec = 2000000};
	int status = -1;
	pid_t child;

	snprintf(preloads, sizeof(preloads), "LD_PRELOAD=%s:%s", library, preload);
	snprintf(trace, sizeof(trace), "SCTPEEL_TRACE=%s", path_of("trace"));
	snprintf(stats, sizeof(stats), "SCTPEEL_STATS=%s", path_of("stats.prom"));
	snprintf(live, sizeof(live), "SCTPEEL_LIVE=%s", path_of("live"));
	snprintf(failing, sizeof(failing), "FAILING=%s", path_of("table"));
	unlink(path_of("trace"));
	unlink(path_of("stats.prom"));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, path_of("out"), O_WRONLY | O_CREAT | O_TRUNC,
					 0600);
	posix_spawn_file_actions_addopen(&actions, 2, path_of("err"), O_WRONLY | O_CREAT | O_TRUNC,
					 0600);
	errno = posix_spawn(&child, program, &actions, NULL, argv,
			    with_library ? environment : environment + 6);
	if (errno)
		err(1, "%s", program);
	posix_spawn_file_actions_destroy(&actions);
	for (int i = 0; i < SECONDS * 500; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		nanosleep(&nap, NULL);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1;
}

/* Two lines for each place: the innermost function, and where it is. */
static void read_places(void)
{
	static char command[LIMIT];
	int length = snprintf(command, sizeof(command), "addr2line -f -e '%s'", library);
	FILE *from;

	for (unsigned i = 0; i < table->count; i++)
		length += snprintf(command + length, sizeof(command) - (size_t)length, " %#llx",
				   (unsigned long long)table->sites[i].at - 1);
	from = popen(command, "re");
	for (unsigned i = 0; i < table->count; i++) {
		char function[81], file[256], *slash;

		if (!from || fscanf(from, "%80s %255[^\n]", function, file) != 2)
			errx(1, "addr2line");
		slash = strstr(file, "shim/");
		snprintf(place[i], sizeof(place[i]), "%s %.70s", function,
			 slash ? slash + 5 : file);
	}
	pclose(from);
}

/* Does a line of the file begin with these words? */
static bool is_listed(const char *list, const char *how, const char *function, const char *call)
{
	char wanted[200];
	size_t length = (size_t)snprintf(wanted, sizeof(wanted), "%s %s %s: ", how, function, call);

	for (const char *line = list; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, wanted, length) == 0)
			return true;
	}
	return false;
}

/* The options of SCTP and SOL_SOCKET fail with EINVAL and ENOPROTOOPT only where that is the
 * answer. */
static const char *errors_of(const char *call, uint64_t detail)
{
	if (strcmp(call, "getsockopt") == 0 && detail != PEELOFF && detail != PEELOFF_FLAGS)
		return "ENOMEM ENOBUFS EPERM EACCES";
	/* flags of an open descriptor can always be had, and set (fcntl(2)) */
	if (strcmp(call, "fcntl") == 0)
		return detail == F_DUPFD || detail == F_DUPFD_CLOEXEC ? "EMFILE"
		       : detail == F_SETLK			      ? "EAGAIN ENOLCK"
		       : detail == F_ADD_SEALS			      ? "EBUSY EPERM"
								      : "";
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].call, call) == 0)
			return calls[i].errors;
	errx(1, "no errors of %s", call);
}

static int number_of(const char *name)
{
	for (int error = 1; error < 134; error++) {
		const char *known = strerrorname_np(error);

		if (known && strcmp(known, name) == 0)
			return error;
	}
	return strcmp(name, "EOPNOTSUPP") == 0 ? EOPNOTSUPP : 0;
}

static bool is_told(int error)
{
	static char text[LIMIT];
	char number[32];

	snprintf(number, sizeof(number), "\"errno\":%d", error);
	slurp("trace", text);
	if (strstr(text, number) || strstr(text, strerrordesc_np(error)) ||
	    strstr(text, strerrorname_np(error)))
		return true;
	slurp("err", text);
	return strstr(text, strerrordesc_np(error)) || strstr(text, strerrorname_np(error));
}

static void one_case(const struct failing_site *site, const char *where, const char *name,
		     uint32_t time, const char *expected)
{
	static char out[LIMIT];
	int error = number_of(name), status;

	memset(table, 0, sizeof(*table));
	table->due = *site;
	table->due.times = time;
	table->error = error;
	status = run(true);
	slurp("out", out);
	cases++;
	missed += !table->failed;
	told += table->failed && is_told(error);
	if (status != 0 || strcmp(out, expected) != 0) {
		failures++;
		printf("FAILED: %s: %s(%llu) number %u with %s: status %#x\n", where, site->call,
		       (unsigned long long)site->detail, time, name, (unsigned)status);
		printf("%s", out);
		fflush(stdout);
	}
}

static void all_cases(const struct failing_table *counted, unsigned i, const char *expected)
{
	char errors[200], *rest = errors, *name;

	snprintf(errors, sizeof(errors), "%s",
		 errors_of(counted->sites[i].call, counted->sites[i].detail));
	while ((name = strsep(&rest, " ")) && *name)
		for (uint32_t time = 1; time <= counted->sites[i].times; time++) {
			if ((unsigned)rand_r(&seed) % one_of == 0)
				one_case(&counted->sites[i], place[i], name, time, expected);
		}
}

/* Where it was killed, and whether an association may go with it there. */
static bool is_excused(const char *list)
{
	char function[160];

	table->count = 1;
	table->sites[0].at = table->due.at;
	read_places();
	snprintf(function, sizeof(function), "%s", place[0]);
	*strchr(function, ' ') = '\0';
	return is_listed(list, "window", function, table->due.call);
}

static int kill_everywhere(const char *list, const char *expected)
{
	static char out[LIMIT];
	uint32_t calls_made, windows = 0;

	memset(table, 0, sizeof(*table));
	table->kill_at = UINT32_MAX;
	run(true);
	calls_made = table->calls;
	for (uint32_t i = 1; i <= calls_made; i++) {
		int status;

		if ((unsigned)rand_r(&seed) % one_of != 0)
			continue;
		memset(table, 0, sizeof(*table));
		table->kill_at = i;
		status = run(true);
		slurp("out", out);
		cases++;
		missed += table->due.at == 0;
		if (status == 0 && strcmp(out, expected) == 0)
			continue;
		if (is_excused(list) && status == 0) {
			windows++;
			continue;
		}
		failures++;
		printf("FAILED: killed before call %u, %s in %s: status %#x\n%s", i,
		       table->due.call, place[0], (unsigned)status, out);
		fflush(stdout);
	}
	printf("%u calls, %u kills, %u failed, %u not met, %u with an association\n", calls_made,
	       cases, failures, missed, windows);
	return failures > 0;
}

int main(int argc, char **argv)
{
	static char expected[LIMIT], out[LIMIT], list[LIMIT];
	static struct failing_table counted;
	bool only_list = false, kills = false;
	FILE *from;
	int c, fd;

	while ((c = getopt(argc, argv, "lke:s:")) != -1)
		switch (c) {
		case 'l':
			only_list = true;
			break;
		case 'k':
			kills = true;
			break;
		case 'e':
			one_of = (unsigned)atoi(optarg);
			break;
		case 's':
			seed = (unsigned)atoi(optarg);
			break;
		default:
			return 64;
		}
	if (argc - optind != 5)
		errx(64, "LIBRARY PRELOAD CARRIED FOLDER PROGRAM");
	argv += optind;
	library = argv[0], preload = argv[1], folder = argv[3], program = argv[4];
	from = fopen(argv[2], "re");
	if (!from || fread(list, 1, sizeof(list) - 1, from) == 0)
		err(1, "%s", argv[2]);
	fclose(from);
	mkdir(path_of("live"), 0700);
	fd = open(path_of("table"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*table)))
		err(1, "table");
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		err(1, "table");

	if (run(false) != 0)
		errx(1, "the program fails without the library");
	slurp("out", expected);
	if (run(true) != 0)
		errx(1, "the program fails without a fault");
	slurp("out", out);
	if (strcmp(out, expected) != 0)
		errx(1, "the library makes a difference without a fault:\n%s\n%s", expected, out);
	if (kills)
		return kill_everywhere(list, expected);
	counted = *table;
	read_places();
	for (unsigned i = 0; i < counted.count; i++) {
		char function[160];

		snprintf(function, sizeof(function), "%s", place[i]);
		*strchr(function, ' ') = '\0';
		if (only_list)
			printf("%s %s %llu %u\n", place[i], counted.sites[i].call,
			       (unsigned long long)counted.sites[i].detail, counted.sites[i].times);
		else if (!is_listed(list, "carries", function, counted.sites[i].call) &&
			 !is_listed(list, "cannot", function, counted.sites[i].call))
			all_cases(&counted, i, expected);
	}
	printf("%u places, %u cases, %u failed, %u not met, %u told\n", counted.count, cases,
	       failures, missed, told);
	return failures > 0;
}
