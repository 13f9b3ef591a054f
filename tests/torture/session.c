/* SPDX-License-Identifier: MIT */
/* One plan played: a server's process, its peers, the judge, and the watchdog. */
#include "torture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct session {
	const struct plan *plan;
	const struct options *options;
	struct peers *peers;
	struct ledger *ledger;
	int ledger_fd, status;
	pid_t server; /* 0: it has ended */
	char trace[100];
	double moved;		/* when anything has happened last */
	unsigned long progress; /* what had happened by then */
	double next_kill;
	uint64_t dice;
};

/* What a process has open: epoll sets apart. */
struct open_numbers {
	unsigned sets, others;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct session *session, const char *format,
							...)
{
	char *fault = session->peers->fault;
	va_list args;

	if (fault[0])
		return false;
	va_start(args, format);
	vsnprintf(fault, sizeof(session->peers->fault), format, args);
	va_end(args);
	return false;
}

/* ---- the server's process ---- */

static void set_environment(const struct session *session)
{
	char words[sizeof(session->plan->environment)], *rest = words, *word;

	setenv("LD_PRELOAD", session->options->preload, 1);
	setenv("SCTPEEL_POLICY", session->plan->policy, 1);
	setenv("SCTPEEL_TRACE", session->trace, 1);
	setenv("SCTPEEL_TRACE_EVENTS", "assoc,peel,error", 1);
	setenv("SCTPEEL_ON_ERROR", "abort", 1);
	snprintf(words, sizeof(words), "%s", session->plan->environment);
	while ((word = strsep(&rest, " ")))
		if (strchr(word, '='))
			putenv(strdup(word));
}

static void become_server(const struct session *session)
{
#define NAME(name, standard, values) #name,
	static const char *const names[] = {SETTINGS(NAME)};
#undef NAME
	static char words[SETTING_COUNT][40], number[20];
	char *argv[SETTING_COUNT + 4] = {"torture", "serve", number};

	snprintf(number, sizeof(number), "%d", session->ledger_fd);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		snprintf(words[i], sizeof(words[i]), "%s=%d", names[i], session->plan->set[i]);
		argv[i + 3] = words[i];
	}
	if (session->options->preload)
		set_environment(session);
	execv(session->options->program, argv);
	_exit(127);
}

static bool is_running(struct session *session)
{
	if (session->server && waitpid(session->server, &session->status, WNOHANG) > 0)
		session->server = 0;
	return session->server != 0;
}

static bool start_server(struct session *session)
{
	/* however short the patience: where much else runs, a first start takes its time */
	double end = now() + (session->options->patience > 20 ? session->options->patience : 20);
	unsigned workers = (unsigned)session->plan->set[SET_workers],
		 wanted = workers ? workers : 1;

	session->server = fork();
	if (session->server == 0)
		become_server(session);
	while (atomic_load(&session->ledger->ready) < wanted) {
		if (!is_running(session) || now() > end)
			return wrong(session, "the server does not start (status %#x): %s",
				     (unsigned)session->status, session->ledger->fault);
		usleep(2000);
	}
	return true;
}

static struct open_numbers count_open_of(pid_t pid)
{
	struct open_numbers ret = {0, 0};
	char path[60], target[60];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = 0;
		if (strcmp(target, "anon_inode:[eventpoll]") == 0)
			ret.sets++;
		else
			ret.others++;
	}
	if (folder)
		closedir(folder);
	return ret;
}

/* Of all the server's processes. */
static struct open_numbers count_open(const struct session *session)
{
	struct open_numbers ret = count_open_of(session->server);

	for (int i = 0; i < session->plan->set[SET_workers]; i++) {
		struct open_numbers more = count_open_of(atomic_load(&session->ledger->workers[i]));

		ret.sets += more.sets;
		ret.others += more.others;
	}
	return ret;
}

/* In kB, of what is a process's own. */
static long memory_of(pid_t pid)
{
	char path[60], line[200];
	long ret = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "RssAnon:", 8) == 0)
			ret = strtol(line + 8, NULL, 10);
	if (file)
		fclose(file);
	return ret;
}

/* Of all the server's processes. */
static long memory(const struct session *session)
{
	long ret = memory_of(session->server);

	for (int i = 0; i < session->plan->set[SET_workers]; i++)
		ret += memory_of(atomic_load(&session->ledger->workers[i]));
	return ret;
}

/* The server's associations that the kernel has; also shows them. */
static unsigned kernel_associations(FILE *out)
{
	FILE *file = fopen("/proc/net/sctp/assocs", "r");
	char line[1000];
	unsigned ret = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned port = 0;

		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u", &port) == 1 &&
		    port == SERVER_PORT)
			ret++;
		if (out)
			fputs(line, out);
	}
	if (file)
		fclose(file);
	return ret;
}

/* ---- the watchdog ---- */

static void tell_file(const char *folder, const char *name, const char *file)
{
	char path[100], text[300];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s/%s", folder, name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (n > 0)
		fprintf(stderr, "thread %s %s: %.*s%s", name, file, (int)n, text,
			text[n - 1] == '\n' ? "" : "\n");
	if (fd >= 0)
		close(fd);
}

/* Each of the server's threads says where it is. */
static void tell_stacks(pid_t pid)
{
	char path[60];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		tell_file(path, entry->d_name, "wchan");
		tell_file(path, entry->d_name, "syscall");
		syscall(SYS_tgkill, pid, atoi(entry->d_name), SIGUSR2);
		usleep(100000);
	}
	if (folder)
		closedir(folder);
}

static void tell_state(struct session *session)
{
	peers_tell(session->peers, stderr);
	oracle_tell(session->peers, stderr);
	if (!is_running(session))
		return;
	kernel_associations(stderr);
	tell_stacks(session->server);
	for (int i = 0; i < session->plan->set[SET_workers]; i++)
		tell_stacks(atomic_load(&session->ledger->workers[i]));
	fprintf(stderr, "the server has %u descriptors\n", count_open(session).others);
}

/* False when nothing has happened for so long that nothing will. */
static bool is_moving(struct session *session)
{
	unsigned long progress = atomic_load(&session->ledger->count);

	for (unsigned p = 0; p < PEERS; p++) {
		const struct peer *peer = &session->peers->all[p];

		progress += peer->at + peer->done + peer->lives;
		if (peer->lives)
			progress += peer->life[peer->lives - 1].echoes;
	}
	if (progress != session->progress) {
		session->progress = progress;
		session->moved = now();
	}
	return now() - session->moved < session->options->patience;
}

/* ---- one session ---- */

/* One of the workers, from time to time, wherever it is. */
static void kill_worker(struct session *session)
{
	const int *set = session->plan->set;
	pid_t pid;

	if (!set[SET_kills] || now() < session->next_kill)
		return;
	session->dice = session->dice * 6364136223846793005ULL + 1442695040888963407ULL;
	pid = atomic_exchange(
		&session->ledger->workers[(session->dice >> 33) % (unsigned)set[SET_workers]], 0);
	if (pid > 0)
		kill(pid, SIGKILL);
	session->next_kill = now() + (double)(session->dice >> 40 & 1023) / 512 / set[SET_kills];
}

static bool is_well(struct session *session)
{
	if (atomic_load(&session->ledger->failed))
		return wrong(session, "server: %s", session->ledger->fault);
	if (!is_running(session))
		return wrong(session, "the server has ended, status %#x",
			     (unsigned)session->status);
	return !session->peers->fault[0];
}

/* Until all has come, every association has ended, and nothing of them is left. */
static bool play_round(struct session *session, struct open_numbers before)
{
	struct open_numbers open = before;

	peers_begin(session->peers);
	session->moved = now();
	for (;;) {
		peers_go_on(session->peers, session->plan->set[SET_kills] ? 1 : 10);
		if (!peers_are_done(session->peers))
			kill_worker(session);
		oracle_follow(session->peers);
		if (!is_well(session))
			return false;
		if (peers_are_done(session->peers) &&
		    oracle_is_complete(session->peers, now() - session->moved > 1) &&
		    kernel_associations(NULL) == 0) {
			open = count_open(session);
			if (open.others == before.others)
				break;
		}
		if (!is_moving(session))
			return open.others != before.others
				       ? wrong(session, "%u descriptors instead of %u", open.others,
					       before.others)
				       : wrong(session, "nothing moves");
	}
	/* one for a hub, another for its set */
	if (open.sets > before.sets + 2 * (1 + (unsigned)session->plan->set[SET_workers]))
		return wrong(session, "%u epoll sets instead of %u", open.sets, before.sets);
	return true;
}

static bool play_rounds(struct session *session)
{
	struct open_numbers before = count_open(session);
	int rounds = session->plan->set[SET_rounds];
	long had = 0, has;

	for (int i = 0; i < rounds; i++) {
		if (!play_round(session, before))
			return false;
		has = memory(session);
		/* what the first rounds needed is there for the next */
		if (i == 1)
			had = has;
		if (i > 2 && !session->plan->set[SET_kills] &&
		    has > had + 128 * (i - 1) * (1 + session->plan->set[SET_workers]))
			return wrong(session, "its memory has grown from %ld to %ld kB", had, has);
	}
	return true;
}

/* Each thread that sleeps in a receive has to be told. */
static bool end_server(struct session *session)
{
	double end = now() + session->options->patience;

	while (is_running(session)) {
		if (now() > end)
			return wrong(session, "the server does not end");
		peers_quit(session->peers);
		if (session->peers->fault[0])
			break;
		for (int i = 0; i < 25 && is_running(session); i++)
			usleep(2000);
	}
	if (session->status != 0)
		return wrong(session, "server: %s, status %#x", session->ledger->fault,
			     (unsigned)session->status);
	return true;
}

static unsigned count_peels(const struct session *session)
{
	FILE *file = session->options->preload ? fopen(session->trace, "r") : NULL;
	char line[4000];
	unsigned ret = 0;

	while (file && fgets(line, sizeof(line), file))
		ret += strstr(line, "\"event\":\"peel\"") && strstr(line, "\"errno\":0");
	if (file)
		fclose(file);
	return ret;
}

static bool prepare(struct session *session)
{
	const char *folder = getenv("TMPDIR");

	session->peers = calloc(1, sizeof(*session->peers));
	session->ledger_fd = memfd_create("ledger", 0);
	if (!session->peers || session->ledger_fd < 0 ||
	    ftruncate(session->ledger_fd, sizeof(struct ledger)) < 0)
		return false;
	session->ledger = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED,
			       session->ledger_fd, 0);
	session->peers->plan = session->plan;
	session->peers->ledger = session->ledger;
	snprintf(session->trace, sizeof(session->trace), "%s/torture-%d.trace",
		 folder ? folder : "/tmp", getpid());
	unlink(session->trace);
	for (unsigned p = 0; p <= PEERS; p++)
		session->peers->all[p].fd = -1;
	return session->ledger != MAP_FAILED;
}

bool session_play(const struct plan *plan, const struct options *options, struct tally *tally,
		  char *fault, size_t size)
{
	struct session session = {.plan = plan, .options = options};
	bool ret;

	if (!prepare(&session)) {
		snprintf(fault, size, "no memory");
		return false;
	}
	ret = start_server(&session) && play_rounds(&session) && end_server(&session) &&
	      oracle_judge(session.peers);
	if (!ret) {
		snprintf(fault, size, "%s", session.peers->fault);
		if (options->verbose)
			tell_state(&session);
	}
	if (is_running(&session)) {
		kill(session.server, SIGKILL);
		waitpid(session.server, NULL, 0);
	}
	tally->messages += session.peers->sent;
	tally->associations += session.peers->associations;
	tally->peels += count_peels(&session);
	tally->killed += atomic_load(&session.ledger->killed);
	tally->missing += oracle_missing(session.peers);
	tally->severed += session.peers->severed;
	peers_free(session.peers);
	munmap(session.ledger, sizeof(struct ledger));
	close(session.ledger_fd);
	return ret;
}
