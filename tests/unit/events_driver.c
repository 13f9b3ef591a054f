/* SPDX-License-Identifier: MIT */
/*
 * Drives settings and events without the rest of the shim: reads the environment, opens the sink,
 * does what its arguments say, one after the other, and writes the totals.
 *
 *   settings      prints the settings as JSON
 *   emit:N        N decision events
 *   kinds         one event of each kind, with every field that it may have
 *   worst         the same with strings of 100,000 hostile bytes and numbers at their limits
 *   text:STRING   an error event with STRING in every string
 *   unset         an event with nothing set
 *   burst:P,T,N   P processes of T threads emit N events each; all must end well
 *   signals:N     N events while a timer's handler emits others
 *   message:N     counts a message of N bytes
 *   fork:WORD     a child does WORD (and emits its own stop); waited for
 *   fd:own        prints the sink's descriptor number, -1 if it has none
 *   take:own      dup2 of /dev/null onto the sink's number, as the doors do it
 *   steal:own     closes the sink's number behind its back and opens /dev/null there
 *   reuse:N       closes descriptor N and opens the file "victim" on it
 *   fsize:N       RLIMIT_FSIZE
 *   nofile:N      RLIMIT_NOFILE
 *   chdir:PATH, mkdir:PATH
 *   bind:PATH     a datagram receiver there; drain prints what it got, unbind ends it
 *   unread:KIND,N emits N events in a new process whose fd 9 nobody reads (pipe, pty, stream)
 *   closed:N      emits N events in a new process whose fd 9 is a pipe without a reader
 *   cancel        a thread is cancelled while it emits
 *   date:SECONDS  prints the time stamp; address:TEXT prints the address
 *   fault:SITE,N  calls fault_at N times, prints the results
 *   say:TEXT      diagnose, at each level
 *   sleep:MS
 *   line          waits for a line on standard input
 *   bench:N       prints the nanoseconds that an event takes, and a bare write of as many bytes
 *   wipe          overwrites arguments and environment, as setproctitle does
 *   errno         checks that nothing above has touched errno
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events/events.h"
#include "events/record.h"
#include "libc.h"
#include "lock.h"
#include "settings.h"

static const struct settings *settings;
static struct sockaddr_in peer = {.sin_family = AF_INET};
static struct sockaddr_in6 local = {.sin6_family = AF_INET6};

static void fail(const char *what)
{
	perror(what);
	exit(3);
}

static struct event decision(void)
{
	struct event event = EVENT_INIT(EVENT_DECISION);

	event.fd = 7;
	event.assoc_id = 12;
	event.stream = 0;
	event.ppid = 60;
	event.peer = (struct sockaddr *)&peer;
	event.local = (struct sockaddr *)&local;
	event.rule = "bulk";
	event.rule_index = 1;
	event.verdict = "peel";
	event.reason = "rate(5s)=12582912 > 10485760 for 3.2s";
	event.has_input = true;
	event.input.bytes = 73400320;
	event.input.msgs = 7310;
	event.input.age_ns = 5100000000;
	event.input.assocs = 9;
	event.input.peeled = 2;
	return event;
}

static void emit(long count)
{
	struct event event = decision();

	for (long i = 0; i < count; i++) {
		event.assoc_id = i;
		events_emit(&event);
	}
}

static struct event of_kind(enum event_kind kind)
{
	struct event event = decision();

	event.kind = kind;
	event.state = kind == EVENT_CALL ? "sendmsg" : "up";
	event.by = "program";
	event.detail = "could not open the hub";
	event.has_effect = true;
	event.effect.fd = 1019;
	event.effect.cloexec = true;
	event.effect.latency_ns = 15400;
	event.effect.queued = 3;
	event.bytes = 1400;
	event.has_flags = true;
	event.flags = 5;
	return event;
}

static void kinds(void)
{
	for (enum event_kind kind = 0; kind < EVENT_KINDS; kind++) {
		struct event event = of_kind(kind);

		if (kind != EVENT_START && kind != EVENT_STOP && kind != EVENT_DROP)
			events_emit(&event);
	}
}

static void with_string(struct event *event, const char *string)
{
	event->state = event->by = event->detail = event->rule = event->verdict = string;
	event->reason = string;
}

static void worst(void)
{
	enum { LENGTH = 100000 };
	char *string = malloc(LENGTH + 1);
	static const char *const hostile[] = {"\x01",	  "\xff", "\"",
					      "\xc2\x85", "x",	  "\xe2\x82\xac"};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		size_t step = strlen(hostile[i]), length = 0;

		for (; length + step <= LENGTH; length += step)
			memcpy(string + length, hostile[i], step);
		string[length] = '\0';
		for (enum event_kind kind = 0; kind < EVENT_KINDS; kind++) {
			struct event event = of_kind(kind);

			with_string(&event, string);
			event.fd = event.rule_index = INT32_MAX - 1;
			event.assoc_id = event.stream = event.ppid = event.bytes = INT64_MAX;
			memset(&event.input, 0xff, sizeof(event.input));
			event.flags = UINT32_MAX;
			event.effect.fd = INT32_MAX;
			event.effect.nonblock = true;
			event.effect.error = INT32_MIN;
			event.effect.latency_ns = UINT64_MAX;
			event.effect.queued = INT64_MAX;
			event.peer = event.local;
			if (kind != EVENT_START && kind != EVENT_STOP && kind != EVENT_DROP)
				events_emit(&event);
		}
	}
	free(string);
}

static void *burst_thread(void *count)
{
	emit((intptr_t)count);
	return NULL;
}

/* What the shim's fork door does in the child. */
static pid_t fork_shimmed(void)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (child == 0) {
		lock_thread = 0;
		events_forked();
	}
	return child;
}

static void burst(const char *arguments)
{
	int processes, threads, status;
	long count;
	pthread_t ids[64];

	if (sscanf(arguments, "%d,%d,%ld", &processes, &threads, &count) != 3 || threads > 64)
		fail(arguments);
	for (int p = 0; p < processes; p++) {
		if (fork_shimmed() > 0)
			continue;
		for (int t = 0; t < threads; t++)
			if (pthread_create(&ids[t], NULL, burst_thread, (void *)(intptr_t)count))
				fail("pthread_create");
		for (int t = 0; t < threads; t++)
			pthread_join(ids[t], NULL);
		events_stop();
		_exit(0);
	}
	for (int p = 0; p < processes; p++)
		if (wait(&status) < 0 || status != 0)
			fail("a child ended badly");
}

static volatile sig_atomic_t handled;

static void on_timer(int signal)
{
	(void)signal;
	handled++;
	emit(1);
}

static void signals(long count)
{
	struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART | SA_NODEFER};
	struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	emit(count);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("%ld\n", count + handled);
}

static int own_fd(void)
{
	for (int fd = 0; fd < 4096; fd++)
		if (events_own_fd(fd))
			return fd;
	return -1;
}

static void take_own(void)
{
	int own = own_fd(), other = open("/dev/null", O_WRONLY), error = events_move_fd(own);

	if (error || events_own_fd(own) || dup2(other, own) != own)
		fail("take");
	close(other);
}

static void steal_own(void)
{
	int own = own_fd(), other = open("victim", O_WRONLY | O_CREAT, 0600);

	if (dup2(other, own) != own)
		fail("steal");
	close(other);
}

static void reuse(int fd)
{
	int victim = open("victim", O_WRONLY | O_CREAT, 0600);

	if (dup2(victim, fd) != fd)
		fail("reuse");
}

static void limit(bool files, unsigned long value)
{
	struct rlimit both = {value, value};

	if (setrlimit(files ? RLIMIT_NOFILE : RLIMIT_FSIZE, &both) < 0)
		fail("setrlimit");
}

static void faults(const char *arguments)
{
	char site[32];
	int count;

	if (sscanf(arguments, "%31[^,],%d", site, &count) != 2)
		fail(arguments);
	for (int i = 0; i < count; i++)
		printf("%d%c", fault_at(site), i == count - 1 ? '\n' : ' ');
}

static void say(const char *text)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};

	for (enum settings_debug level = DEBUG_ERROR; level <= DEBUG_DEBUG; level++) {
		errno = EMFILE;
		diagnose(level, "%s: %s, %d %u %ld %llx %zu %c %.*s%% %m", levels[level], text, -3,
			 4000000000u, -5L, 255ull, sizeof(int), 'c', 2, "abc");
	}
}

static void bench(long count)
{
	struct event event = decision();
	char line[560];
	int null = open("bench.out", O_WRONLY | O_CREAT | O_APPEND, 0600);
	uint64_t begin = now_ns(), middle;

	memset(line, 'x', sizeof(line));
	for (long i = 0; i < count; i++)
		events_emit(&event);
	middle = now_ns();
	for (long i = 0; i < count; i++)
		if (write(null, line, sizeof(line)) < 0)
			fail("write");
	printf("%.0f ns an event, %.0f ns a write of %zu bytes\n",
	       (double)(middle - begin) / (double)count,
	       (double)(now_ns() - middle) / (double)count, sizeof(line));
	close(null);
}

static void print_settings(void)
{
	char buf[100000];

	settings_describe(settings, buf, sizeof(buf));
	printf("{%s,\"passive\":%s}\n", buf, settings->mode == MODE_OFF ? "true" : "false");
}

static int receiver = -1;

static void bind_receiver(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(receiver, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(path);
}

static void drain(int fd)
{
	char buf[65536];
	ssize_t count;

	while ((count = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)count, stdout);
}

/* Both ends: ret[0] is where a reader would be. */
static void open_kind(const char *kind, int ret[2])
{
	if (strcmp(kind, "pty") == 0) {
		ret[0] = posix_openpt(O_RDWR | O_NOCTTY);
		if (ret[0] < 0 || grantpt(ret[0]) || unlockpt(ret[0]))
			fail("posix_openpt");
		ret[1] = open(ptsname(ret[0]), O_RDWR | O_NOCTTY);
	} else if (strcmp(kind, "stream") == 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ret))
			fail("socketpair");
	} else if (pipe(ret)) {
		fail("pipe");
	}
}

/* A process of its own, so that it finds fd 9 when it starts. What came through is printed. */
static void with_fd9(const char *kind, const char *count, bool is_read_end_open)
{
	char word[32];
	int ends[2], status;

	snprintf(word, sizeof(word), "emit:%s", count);
	open_kind(kind, ends);
	fflush(stdout);
	if (fork() == 0) {
		if (ends[1] != 9)
			dup2(ends[1], 9);
		close(ends[0]);
		if (ends[1] != 9)
			close(ends[1]);
		setenv("SCTPEEL_TRACE", "fd:9", 1);
		alarm(20);
		signal(SIGPIPE, SIG_DFL);
		execl("/proc/self/exe", "events_driver", word, NULL);
		_exit(9);
	}
	if (!is_read_end_open)
		close(ends[0]);
	if (wait(&status) < 0 || status != 0)
		fail("the process ended badly");
	if (is_read_end_open) {
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
		drain(ends[0]);
	}
}

static void unread(const char *arguments)
{
	char kind[16] = "";
	const char *comma = strchr(arguments, ',');

	if (!comma || comma - arguments >= (ptrdiff_t)sizeof(kind))
		fail(arguments);
	memcpy(kind, arguments, (size_t)(comma - arguments));
	with_fd9(kind, comma + 1, true);
}

static void *emit_on_and_on(void *unused)
{
	while (events_want(EVENT_DECISION)) {
		emit(1);
		pthread_testcancel();
	}
	return unused;
}

static void cancel(void)
{
	const struct timespec pause = {0, 20000000};
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, emit_on_and_on, NULL))
		fail("pthread_create");
	nanosleep(&pause, NULL);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	if (result != PTHREAD_CANCELED)
		fail("not cancelled");
	emit(100);
}

static void print_date(const char *seconds)
{
	const struct timespec when = {strtol(seconds, NULL, 10), 123456789};
	char buf[64];
	struct line line;

	line_open(&line, buf, sizeof(buf));
	record_time(&line, &when, 9);
	puts(line_done(&line));
}

static void print_address(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
	struct sockaddr *address = (struct sockaddr *)&in6;
	char buf[64];
	struct line line;
	uint16_t port;

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		address = (struct sockaddr *)&in;
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		fail(text);
	line_open(&line, buf, sizeof(buf));
	record_address(&line, address, &port);
	puts(line_done(&line));
}

static void do_word(const char *word);

static void in_child(const char *word)
{
	int status;

	if (fork_shimmed() == 0) {
		do_word(word);
		fflush(stdout);
		events_stop();
		_exit(0);
	}
	if (wait(&status) < 0 || status != 0)
		fail("a child ended badly");
}

static void wait_for_line(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		;
}

static void do_special(const char *word, const char *value)
{
	struct event nothing = EVENT_INIT(EVENT_ERROR), string = of_kind(EVENT_ERROR);

	if (strncmp(word, "text", 4) == 0) {
		with_string(&string, value);
		events_emit(&string);
	} else if (strcmp(word, "unset") == 0) {
		events_emit(&nothing);
	} else if (strcmp(word, "fd:own") == 0) {
		printf("%d\n", own_fd());
	} else if (strcmp(word, "take:own") == 0) {
		take_own();
	} else if (strcmp(word, "steal:own") == 0) {
		steal_own();
	} else if (strcmp(word, "drain") == 0) {
		drain(receiver);
	} else if (strncmp(word, "unbind:", 7) == 0) {
		close(receiver);
		unlink(value);
	} else if (strcmp(word, "cancel") == 0) {
		cancel();
	} else if (strcmp(word, "wipe") == 0) {
		for (char **entry = environ; *entry; entry++)
			memset(*entry, 'X', strlen(*entry));
		memset(program_invocation_short_name, 'X', strlen(program_invocation_short_name));
	} else if (strcmp(word, "line") == 0) {
		wait_for_line();
	} else if (strcmp(word, "errno") == 0) {
		errno = 4711;
		emit(10);
		events_forked();
		if (errno != 4711)
			fail("errno has changed");
	} else {
		fprintf(stderr, "unknown word %s\n", word);
		exit(64);
	}
}

static void do_word(const char *word)
{
	const char *colon = strchr(word, ':'), *value = colon ? colon + 1 : "";
	long number = strtol(value, NULL, 10);
	struct timespec pause = {number / 1000, number % 1000 * 1000000};

#define IS(name) (strncmp(word, name, strlen(name)) == 0)
	if (IS("settings"))
		print_settings();
	else if (IS("emit:"))
		emit(number);
	else if (IS("kinds"))
		kinds();
	else if (IS("worst"))
		worst();
	else if (IS("burst:"))
		burst(value);
	else if (IS("signals:"))
		signals(number);
	else if (IS("message:"))
		events_count_message((uint64_t)number);
	else if (IS("fork:"))
		in_child(value);
	else if (IS("reuse:"))
		reuse((int)number);
	else if (IS("fsize:"))
		limit(false, (unsigned long)number);
	else if (IS("nofile:"))
		limit(true, (unsigned long)number);
	else if (IS("chdir:") && chdir(value) == 0)
		return;
	else if (IS("mkdir:") && mkdir(value, 0700) == 0)
		return;
	else if (IS("bind:"))
		bind_receiver(value);
	else if (IS("unread:"))
		unread(value);
	else if (IS("closed:"))
		with_fd9("pipe", value, false);
	else if (IS("date:"))
		print_date(value);
	else if (IS("address:"))
		print_address(value);
	else if (IS("fault:"))
		faults(value);
	else if (IS("say:"))
		say(value);
	else if (IS("sleep:"))
		nanosleep(&pause, NULL);
	else if (IS("bench:"))
		bench(number);
	else
		do_special(word, value);
#undef IS
}

int main(int argc, char **argv)
{
	libc_resolve();
	peer.sin_port = htons(9487);
	inet_pton(AF_INET, "192.0.2.7", &peer.sin_addr);
	local.sin6_port = htons(38412);
	inet_pton(AF_INET6, "2001:db8::1:0:0:42", &local.sin6_addr);
	setvbuf(stdout, NULL, _IOLBF, 0);
	settings = settings_load();
	events_start(settings);
	for (int i = 1; i < argc; i++)
		do_word(argv[i]);
	events_stop();
	return 0;
}
