/* SPDX-License-Identifier: MIT */
#include "statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../libc.h"
#include "../policy/policy.h"
#include "file_name.h"
#include "outlet.h"

/* Rules beyond these are counted together. */
enum { RULES = 64, BUDGET_LABEL = 160, CHUNK = 4096, LINE_MAX_LABELS = 1024 };

static const char *const verdict_names[COUNTED_VERDICTS] = {"keep", "peel", "hold"};

static struct {
	/* by rule; first those that none matched, last those beyond RULES */
	atomic_uint_fast64_t decisions[1 + RULES + 1][COUNTED_VERDICTS];
	atomic_uint_fast64_t peel_ns;
	/* these two are of now: a fork child goes on from them */
	atomic_int_fast64_t associations, peeled;
} counts;

static const struct settings *settings;
static struct timespec started;
static atomic_flag writing = ATOMIC_FLAG_INIT;
static char path[PATH_MAX], beside[PATH_MAX + 32]; /* of whoever is writing */

/* A file that is being put together, a chunk at a time. */
struct text {
	struct line line;
	int fd, error;
	char buf[CHUNK];
};

void statistics_count_decision(int rule, enum statistics_verdict verdict)
{
	int place = rule < 0 ? 0 : rule < RULES ? rule + 1 : RULES + 1;

	atomic_fetch_add_explicit(&counts.decisions[place][verdict], 1, memory_order_relaxed);
}

void statistics_count_peel(uint64_t latency_ns)
{
	atomic_fetch_add_explicit(&counts.peel_ns, latency_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts.peeled, 1, memory_order_relaxed);
}

void statistics_association_begins(void)
{
	atomic_fetch_add_explicit(&counts.associations, 1, memory_order_relaxed);
}

void statistics_association_arrives(void)
{
	atomic_fetch_add_explicit(&counts.peeled, 1, memory_order_relaxed);
}

void statistics_association_ends(bool peeled)
{
	atomic_fetch_sub_explicit(&counts.associations, 1, memory_order_relaxed);
	if (peeled)
		atomic_fetch_sub_explicit(&counts.peeled, 1, memory_order_relaxed);
}

void statistics_start(const struct settings *given)
{
	settings = given;
	clock_gettime(CLOCK_REALTIME, &started);
}

static void flush(struct text *text)
{
	const char *at = text->line.start;
	size_t left = line_length(&text->line);

	while (left > 0 && !text->error) {
		ssize_t done = quiet_write(text->fd, at, left);

		if (done <= 0) {
			text->error = done < 0 ? (int)-done : ENOSPC;
			break;
		}
		at += done;
		left -= (size_t)done;
	}
	line_open(&text->line, text->buf, sizeof(text->buf));
}

/* The exposition format knows \\, \" and \n in a label, and wants UTF-8. */
static void put_label(struct line *line, const char *value)
{
	char buf[BUDGET_LABEL + 8];
	struct line shown;

	line_open(&shown, buf, sizeof(buf));
	line_quote(&shown, value, strlen(value), BUDGET_LABEL, LINE_SHOWN);
	for (const char *at = line_done(&shown); *at; at++) {
		if (*at == '"' || *at == '\\')
			line_char(line, '\\');
		line_char(line, *at);
	}
}

static void describe(struct text *text, const char *name, const char *type, const char *help)
{
	line_format(&text->line, "# HELP sctpeel_%s %s\n# TYPE sctpeel_%s %s\n", name, help, name,
		    type);
}

/* The name and what each sample has: whose it is. The braces stay open. */
static void begin(struct text *text, const char *name)
{
	if (text->line.end - text->line.at < LINE_MAX_LABELS)
		flush(text);
	line_format(&text->line, "sctpeel_%s{program=\"", name);
	put_label(&text->line, settings->program);
	line_char(&text->line, '"');
	if (file_name_is_own(settings->stats))
		line_format(&text->line, ",pid=\"%d\"", (int)getpid());
}

static void label(struct text *text, const char *name, const char *value)
{
	line_format(&text->line, ",%s=\"", name);
	put_label(&text->line, value);
	line_char(&text->line, '"');
}

static void number(struct text *text, uint64_t value)
{
	line_format(&text->line, "} %llu\n", (unsigned long long)value);
}

static void seconds(struct text *text, uint64_t ns)
{
	char fraction[10] = {0};

	digits_padded(fraction, ns % 1000000000u, 9);
	line_format(&text->line, "} %llu.%s\n", (unsigned long long)(ns / 1000000000u), fraction);
}

static void put_total(struct text *text, const char *name, uint64_t value, const char *help)
{
	describe(text, name, "counter", help);
	begin(text, name);
	number(text, value);
}

static void put_process(struct text *text)
{
	static const char *const modes[] = {"enforce", "observe", "off"};

	describe(text, "info", "gauge", "The shim in this program.");
	begin(text, "info");
	label(text, "version", SCTPEEL_VERSION);
	label(text, "mode", modes[settings->mode]);
	label(text, "policy_hash", policy_hash(settings->policy));
	number(text, 1);
	describe(text, "start_time_seconds", "gauge", "When the program started, since 1970.");
	begin(text, "start_time_seconds");
	seconds(text, (uint64_t)started.tv_sec * 1000000000u + (uint64_t)started.tv_nsec);
}

static void put_associations(struct text *text)
{
	int64_t all = atomic_load(&counts.associations), peeled = atomic_load(&counts.peeled);

	describe(text, "associations", "gauge", "Associations known now, by where they live.");
	begin(text, "associations");
	label(text, "place", "shared");
	number(text, all > peeled ? (uint64_t)(all - peeled) : 0);
	begin(text, "associations");
	label(text, "place", "peeled");
	number(text, peeled > 0 ? (uint64_t)peeled : 0);
}

/* Empty for what no rule matched. */
static const char *rule_name(int place)
{
	if (place == 0)
		return "";
	return place > RULES ? "others" : policy_rule_name(settings->policy, place - 1);
}

static void put_decisions(struct text *text)
{
	int rules = policy_rules(settings->policy);

	describe(text, "decisions_total", "counter",
		 "Verdicts that changed for an association, by rule; no rule: none matched.");
	for (int place = 0; place <= rules && place <= RULES + 1; place++)
		for (int verdict = 0; verdict < COUNTED_VERDICTS; verdict++) {
			begin(text, "decisions_total");
			label(text, "rule", rule_name(place));
			label(text, "verdict", verdict_names[verdict]);
			number(text, atomic_load(&counts.decisions[place][verdict]));
		}
}

static void put_peels(struct text *text, const struct totals *totals)
{
	describe(text, "peels_total", "counter", "Peels that the kernel carried out or refused.");
	begin(text, "peels_total");
	label(text, "result", "done");
	number(text, totals->peels);
	begin(text, "peels_total");
	label(text, "result", "refused");
	number(text, totals->refused);
	describe(text, "peel_duration_seconds", "summary", "What a peel took.");
	begin(text, "peel_duration_seconds_sum");
	seconds(text, atomic_load(&counts.peel_ns));
	begin(text, "peel_duration_seconds_count");
	number(text, totals->peels);
}

static int put_all(int fd, const struct totals *totals)
{
	struct text text = {.fd = fd};

	line_open(&text.line, text.buf, sizeof(text.buf));
	put_process(&text);
	put_associations(&text);
	put_total(&text, "received_messages_total", totals->messages,
		  "Messages that the program has received.");
	put_total(&text, "received_bytes_total", totals->bytes, "Bytes in them.");
	put_decisions(&text);
	put_peels(&text, totals);
	put_total(&text, "events_dropped_total", totals->dropped,
		  "Events that the trace did not take.");
	flush(&text);
	return -text.error;
}

/* In a folder where others may write, too, nobody can have put anything under this name. */
static bool set_names(void)
{
	struct line line;
	uint64_t chance = now_ns();

	(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
	if (!file_name_expand(settings->stats, path, sizeof(path)))
		return false;
	line_open(&line, beside, sizeof(beside));
	line_format(&line, "%s.", path);
	line_hex(&line, chance);
	line_done(&line);
	return true;
}

static int replace(const struct totals *totals)
{
	int fd, result;

	if (!set_names())
		return -ENAMETOOLONG;
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	result = put_all(fd, totals);
	if (result == 0 && fchmod(fd, 0644) < 0)
		result = -errno;
	libc.close(fd);
	if (result == 0 && rename(beside, path) < 0)
		result = -errno;
	if (result < 0)
		unlink(beside);
	return result;
}

int statistics_write(const struct totals *totals)
{
	int result;

	if (atomic_flag_test_and_set(&writing))
		return -EALREADY;
	result = replace(totals);
	atomic_flag_clear(&writing);
	return result;
}

bool statistics_forked(void)
{
	atomic_flag_clear(&writing);
	atomic_store(&counts.peel_ns, 0);
	for (int place = 0; place < 1 + RULES + 1; place++)
		for (int verdict = 0; verdict < COUNTED_VERDICTS; verdict++)
			atomic_store(&counts.decisions[place][verdict], 0);
	return settings && settings->stats && file_name_is_own(settings->stats);
}
