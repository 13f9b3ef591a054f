/* SPDX-License-Identifier: MIT */
/*
 * Drives the live page and the statistics without the rest of the shim, and reads it as sctpeel top
 * does: reads the environment and does what its arguments say, one after the other.
 *
 *   show:N        N more associations
 *   count:N       a message of 100 bytes on each association, N times
 *   forget:N      the N oldest associations end
 *   say:TEXT      TEXT in every string of the newest association
 *   receive:N     N messages of 100 bytes are received, for the statistics
 *   decide:N      one of each verdict by rule N (0-based, -1: none)
 *   peel:NS       a peel that took so long, and a refused one
 *   tend          the program goes to sleep for a moment
 *   alone         as the first word: a program that has no socket
 *   fork:WORD     a child does WORD; waited for
 *   exec:WORD     becomes another run of this program, with WORD
 *   race:N        N looks at a page that a child goes on writing; each slot must be whole
 *   rubbish:N     N pages of random content with a good header, for processes that never were
 *   work:MS       messages on each association every millisecond, for so long
 *   bench:N       prints the nanoseconds that a message takes
 *   fsize:N       RLIMIT_FSIZE
 *   line          waits for a line on standard input
 *   kill          SIGKILL to itself
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/live_files.c"
#include "events/events.h"
#include "events/live_page.h"
#include "events/statistics.h"

enum { MOST = 40000 };

static const struct settings *settings;
static uint32_t places[MOST];
static struct live_slot shown[MOST];
static long first, count;

static void fail(const char *what)
{
	perror(what);
	exit(3);
}

static void show(long more)
{
	for (; more > 0 && count < MOST; more--, count++) {
		uint32_t address = htonl(0x0a000000 + (uint32_t)count);

		shown[count] = (struct live_slot){.state = count % 2 ? LIVE_PEELED : LIVE_SHARED,
						  .fd = 7,
						  .assoc_id = (int32_t)count + 1,
						  .first_seen_ns = now_ns(),
						  .last_seen_ns = now_ns(),
						  .peer = {AF_INET, htons(9999), {0}},
						  .verdict = "keep",
						  .rule = "bulk"};
		memcpy(shown[count].peer.bytes, &address, sizeof(address));
		live_show(&places[count], &shown[count]);
	}
}

static void message(long times)
{
	uint64_t now = now_ns();

	for (long i = 0; i < times; i++)
		for (long j = first; j < count; j++) {
			shown[j].msgs++;
			shown[j].bytes += 100;
			if (!live_count(places[j], shown[j].bytes, shown[j].msgs, now))
				live_show(&places[j], &shown[j]);
		}
}

static void forget(long less)
{
	for (; less > 0 && first < count; less--)
		live_forget(&places[first++]);
}

static void say(const char *text)
{
	struct live_slot *slot = &shown[count - 1];

	strncpy(slot->rule, text, sizeof(slot->rule));
	strncpy(slot->held, text, sizeof(slot->held));
	live_show(&places[count - 1], slot);
}

static void work(long ms)
{
	const struct timespec pause = {0, 1000000};

	for (; ms > 0; ms--) {
		message(1);
		nanosleep(&pause, NULL);
	}
}

/* What is written at once belongs together: bytes are 7, the time is 3 times the messages. */
static _Noreturn void write_on(void)
{
	for (uint64_t i = 1;; i++)
		for (long j = 0; j < count; j++)
			if (!live_count(places[j], 7 * i, i, 3 * i))
				live_show(&places[j], &shown[j]);
}

static void race(long looks)
{
	struct live_folder folder = {.path = settings->live};
	long whole = 0, torn = 0;
	pid_t child = fork();

	if (child == 0) {
		events_forked();
		write_on();
	}
	for (long i = 0; i < looks; i++) {
		live_folder_look(&folder);
		for (size_t f = 0; f < folder.count; f++)
			for (uint32_t j = 0; j < folder.files[f]->now.used; j++) {
				const struct live_slot *slot = &folder.files[f]->now.slots[j];

				if (slot->state == LIVE_FREE || slot->msgs == 0)
					continue;
				if (slot->bytes == 7 * slot->msgs &&
				    slot->last_seen_ns == 3 * slot->msgs)
					whole++;
				else
					torn++;
			}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	live_folder_end(&folder);
	printf("%s, %ld torn\n", whole > 0 ? "seen" : "nothing seen", torn);
}

static void rubbish(long pages)
{
	srandom(1);
	for (long i = 0; i < pages; i++) {
		char name[PATH_MAX];
		struct {
			struct live_header header;
			char fill[LIVE_HEADER_SIZE - sizeof(struct live_header)];
			struct live_slot slots[16];
		} page;
		char *bytes = (char *)&page;
		int fd;

		for (size_t j = 0; j < sizeof(page); j++)
			bytes[j] = (char)(random() % 4 ? random() : 0x1b);
		memcpy(page.header.magic, LIVE_MAGIC, sizeof(page.header.magic));
		page.header.version = LIVE_VERSION;
		page.header.header_size = LIVE_HEADER_SIZE;
		page.header.slot_size = sizeof(struct live_slot);
		page.header.slots = LIVE_SLOTS;
		page.header.used = i % 3 ? UINT32_MAX : 16;
		for (size_t j = 0; j < 16; j++) {
			page.slots[j].sequence &= ~1u;
			page.slots[j].state = 1 + j % 2;
		}
		snprintf(name, sizeof(name), "%s/x.%ld" LIVE_SUFFIX, settings->live, 5000000 + i);
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || write(fd, &page, sizeof(page) - (size_t)i % 300) < 0)
			fail(name);
		close(fd);
	}
}

static void bench(long times)
{
	uint64_t began = now_ns();

	for (long i = 0; i < times; i++)
		if (!live_count(places[i % count], (uint64_t)i, (uint64_t)i, began))
			fail("live_count");
	printf("%.1f ns\n", (double)(now_ns() - began) / (double)times);
}

static void receive(long messages)
{
	for (long i = 0; i < messages; i++) {
		events_count_message(100);
		events_tend(now_ns());
	}
}

static void decide(int rule)
{
	for (int verdict = 0; verdict < COUNTED_VERDICTS; verdict++)
		statistics_count_decision(rule, (enum statistics_verdict)verdict);
}

static void peel(uint64_t ns)
{
	events_count_peel(false, ns);
	events_count_peel(true, 0);
}

static void act(char *word);

static void in_child(char *word)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		events_forked();
		act(word);
		events_stop();
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(child, &status, 0) < 0 || status != 0)
		fail("the child");
}

static void wait_for_line(void)
{
	char c;

	puts("waits");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		;
}

static void act(char *word)
{
	char *value = strchr(word, ':');
	long number;

	if (value)
		*value++ = '\0';
	number = value ? strtol(value, NULL, 10) : 0;
	if (!strcmp(word, "show")) {
		show(number);
	} else if (!strcmp(word, "count")) {
		message(number);
	} else if (!strcmp(word, "forget")) {
		forget(number);
	} else if (!strcmp(word, "say")) {
		say(value);
	} else if (!strcmp(word, "fork")) {
		in_child(value);
	} else if (!strcmp(word, "exec")) {
		execl("/proc/self/exe", program_invocation_name, value, "line", NULL);
	} else if (!strcmp(word, "race")) {
		race(number);
	} else if (!strcmp(word, "rubbish")) {
		rubbish(number);
	} else if (!strcmp(word, "work")) {
		work(number);
	} else if (!strcmp(word, "bench")) {
		bench(number);
	} else if (!strcmp(word, "fsize")) {
		struct rlimit limit = {(rlim_t)number, (rlim_t)number};

		setrlimit(RLIMIT_FSIZE, &limit);
	} else if (!strcmp(word, "receive")) {
		receive(number);
	} else if (!strcmp(word, "decide")) {
		decide((int)number);
	} else if (!strcmp(word, "peel")) {
		peel((uint64_t)number);
	} else if (!strcmp(word, "tend")) {
		events_tend_now();
	} else if (!strcmp(word, "line")) {
		wait_for_line();
	} else if (!strcmp(word, "kill")) {
		kill(getpid(), SIGKILL);
	} else {
		fprintf(stderr, "live_driver: unknown word '%s'\n", word);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	settings = settings_load();
	events_start(settings);
	if (argc < 2 || strcmp(argv[1], "alone") != 0)
		events_socket_opened();
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "alone") != 0)
			act(argv[i]);
	events_stop();
	return 0;
}
