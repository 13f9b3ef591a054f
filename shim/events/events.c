/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sysexits.h>
#include <unistd.h>

#include "../libc.h"
#include "../lock.h"
#include "file_name.h"
#include "live_page.h"
#include "record.h"
#include "sink.h"
#include "statistics.h"

static const struct settings *settings;
static int pid;
static bool is_child; /* of a fork: it says nothing at its end if it did nothing */
uint32_t events_wanted;
uint64_t events_due_ns = UINT64_MAX;
static atomic_uint_fast64_t next_seq;

/* Lost and not yet told by a `drop`; every number of the sequence is in a line or counted here. */
static atomic_uint_fast64_t lost;
static atomic_int lost_error; /* of the first */

static struct {
	atomic_uint_fast64_t messages, bytes, peels, refused, decisions, dropped;
} counts;

static void lose(uint64_t count, int error)
{
	int none = 0;

	atomic_compare_exchange_strong(&lost_error, &none, error);
	atomic_fetch_add(&lost, count);
}

/* Gives the record its place and time and writes it. 0, or the errno that lost it. */
static __attribute__((noinline)) int put(struct record *record)
{
	char buf[1 + RECORD_MAX];
	size_t length;
	int result;

	record->settings = settings;
	record->pid = pid;
	record->tid = (int)lock_self();
	record->seq = atomic_fetch_add(&next_seq, 1);
	record->mono_ns = now_ns();
	clock_gettime(CLOCK_REALTIME, &record->when);
	length = record_format(record, buf + 1);
	result = -sink_write(buf + 1, length, record->mono_ns);
	if (result)
		atomic_fetch_add(&counts.dropped, 1);
	return result;
}

/*
 * Tells what was lost, before anything else is written. False when it cannot: then the event that
 * was to follow is lost in its place, and counted here, so that each costs one number.
 */
static bool tell_lost(void)
{
	const struct event event = EVENT_INIT(EVENT_DROP);
	struct record record = {.event = &event};
	int error;

	record.lost = atomic_exchange(&lost, 0);
	if (record.lost == 0)
		return true;
	record.lost_error = atomic_exchange(&lost_error, 0);
	error = put(&record);
	if (error)
		lose(record.lost + 1, record.lost_error ? record.lost_error : error);
	return error == 0;
}

static void emit(struct record *record)
{
	int kept = errno, cancel, error;

	/* writing is a cancellation point; nothing of ours may be left half done */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (atomic_load_explicit(&lost, memory_order_relaxed) && events_want(EVENT_DROP) &&
	    !tell_lost())
		error = 0;
	else
		error = put(record);
	if (error)
		lose(1, error);
	pthread_setcancelstate(cancel, NULL);
	errno = kept;
}

void events_emit(const struct event *event)
{
	struct record record = {.event = event};

	if (!events_want(event->kind))
		return;
	if (event->kind == EVENT_DECISION)
		atomic_fetch_add_explicit(&counts.decisions, 1, memory_order_relaxed);
	emit(&record);
}

/* argv as the kernel has it: no constructor argument is needed, and it is as ps shows it. */
static ssize_t read_argv(char *buf, size_t size)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = libc.read(fd, buf, size);
	libc.close(fd);
	return length;
}

static void emit_start(void)
{
	const struct event event = EVENT_INIT(EVENT_START);
	char argv[2 * BUDGET_ARGV];
	ssize_t length = read_argv(argv, sizeof(argv));
	struct record record = {.event = &event};

	if (length > 0) {
		record.argv = argv;
		record.argv_length = (size_t)length;
		record.argv_cut = length == (ssize_t)sizeof(argv);
	}
	emit(&record);
}

static const char *remedy(int error)
{
	switch (error) {
	case ELOOP:
		return "links are not followed: name the file itself";
	case EMLINK:
		return "the file has a second name (a hard link): name one that has none";
	case EPERM:
		return "the file is another user's, or may not be changed: name one of your own";
	default:
		return "events are lost until it can be written; associations are peeled";
	}
}

/* A receiver that has not come yet is no mistake; a file that cannot be written is one. */
static void complain(int error)
{
	bool waits = settings->trace_kind == TRACE_UNIX || error == ENXIO;

	if (settings->on_error == ON_ERROR_IGNORE)
		return;
	errno = error;
	diagnose(waits ? DEBUG_INFO : DEBUG_WARN, "SCTPEEL_TRACE: %s: %m\n  %s", settings->trace,
		 waits ? "events are counted until it takes them" : remedy(error));
	if (!waits && settings->on_error == ON_ERROR_ABORT)
		_exit(EX_CONFIG);
}

static void start_trace(void)
{
	int result = sink_open(settings);

	if (result < 0)
		complain(-result);
	__atomic_or_fetch(&events_wanted, settings->trace_events, __ATOMIC_RELEASE);
	if (events_want(EVENT_START))
		emit_start();
}

void events_start(const struct settings *given)
{
	int kept = errno;

	settings = given;
	pid = (int)getpid();
	if (settings->mode == MODE_OFF)
		return;
	file_name_prepare(settings, pid);
	live_start(settings);
	if (settings->live)
		__atomic_or_fetch(&events_wanted, EVENTS_LIVE, __ATOMIC_RELEASE);
	if (settings->stats) {
		statistics_start(settings);
		__atomic_or_fetch(&events_wanted, EVENTS_STATS, __ATOMIC_RELEASE);
	}
	if (settings->trace_kind != TRACE_NONE)
		start_trace();
	errno = kept;
}

void events_socket_opened(void)
{
	uint64_t never = UINT64_MAX;

	live_open();
	if (__atomic_load_n(&events_wanted, __ATOMIC_RELAXED) & EVENTS_STATS)
		__atomic_compare_exchange_n(&events_due_ns, &never, 0, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

void events_trouble(const char *variable, const char *path, const char *consequence, int error)
{
	struct event event = EVENT_INIT(EVENT_ERROR);
	char text[256];
	struct line line;

	if (settings->on_error != ON_ERROR_IGNORE) {
		errno = error;
		diagnose(DEBUG_WARN, "%s: %s: %m\n  %s", variable, path, consequence);
	}
	line_open(&line, text, sizeof(text));
	line_format(&line, "%s: %s", variable, consequence);
	event.detail = line_done(&line);
	event.has_effect = true;
	event.effect.fd = -1;
	event.effect.error = error;
	event.effect.queued = -1;
	events_emit(&event);
}

static void read_totals(struct totals *ret)
{
	*ret = (struct totals){
		.messages = atomic_load(&counts.messages),
		.bytes = atomic_load(&counts.bytes),
		.peels = atomic_load(&counts.peels),
		.refused = atomic_load(&counts.refused),
		.decisions = atomic_load(&counts.decisions),
		.dropped = atomic_load(&counts.dropped),
	};
}

/* A failure is told once, until it has worked again. */
static void write_statistics(void)
{
	static atomic_bool told;
	struct totals totals;
	int kept = errno, cancel, result;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	read_totals(&totals);
	result = statistics_write(&totals);
	if (result == 0)
		atomic_store(&told, false);
	else if (result != -EALREADY && !atomic_exchange(&told, true))
		events_trouble("SCTPEEL_STATS", settings->stats, "the statistics are not written",
			       -result);
	pthread_setcancelstate(cancel, NULL);
	errno = kept;
}

void events_tend_slow(uint64_t now)
{
	uint64_t due = __atomic_load_n(&events_due_ns, __ATOMIC_RELAXED);

	if (now == 0)
		now = now_ns();
	/* one thread writes; the others find the next time */
	if (now >= due && due != UINT64_MAX &&
	    __atomic_compare_exchange_n(&events_due_ns, &due, now + settings->stats_interval_ns,
					false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		write_statistics();
}

void events_stop(void)
{
	const struct event event = EVENT_INIT(EVENT_STOP);
	struct totals totals;
	struct record record = {.event = &event, .totals = &totals};
	int kept = errno;
	bool idle = is_child && atomic_load(&next_seq) == 0 && atomic_load(&counts.messages) == 0;

	if (__atomic_exchange_n(&events_due_ns, UINT64_MAX, __ATOMIC_RELAXED) != UINT64_MAX &&
	    !idle)
		write_statistics();
	if (__atomic_load_n(&events_wanted, __ATOMIC_RELAXED) && !idle) {
		read_totals(&totals);
		if (events_want(EVENT_STOP))
			emit(&record);
		else if (events_want(EVENT_DROP))
			tell_lost();
	}
	__atomic_store_n(&events_wanted, 0, __ATOMIC_RELEASE);
	live_stop();
	sink_close();
	errno = kept;
}

void events_forked(void)
{
	int kept = errno;

	pid = (int)getpid();
	is_child = true;
	atomic_store(&next_seq, 0);
	atomic_store(&lost, 0);
	atomic_store(&lost_error, 0);
	atomic_store(&counts.messages, 0);
	atomic_store(&counts.bytes, 0);
	atomic_store(&counts.peels, 0);
	atomic_store(&counts.refused, 0);
	atomic_store(&counts.decisions, 0);
	atomic_store(&counts.dropped, 0);
	file_name_forked(pid);
	live_forked();
	if (!statistics_forked()) {
		__atomic_and_fetch(&events_wanted, ~(uint32_t)EVENTS_STATS, __ATOMIC_RELAXED);
		__atomic_store_n(&events_due_ns, UINT64_MAX, __ATOMIC_RELAXED);
	}
	sink_forked();
	errno = kept;
}

bool events_own_fd(int fd)
{
	return sink_own_fd(fd);
}

int events_move_fd(int fd)
{
	int kept = errno, result = sink_move_fd(fd);

	errno = kept;
	return result;
}

void events_count_peel(bool refused, uint64_t latency_ns)
{
	if (!refused)
		statistics_count_peel(latency_ns);
	atomic_fetch_add_explicit(refused ? &counts.refused : &counts.peels, 1,
				  memory_order_relaxed);
}

void events_count_message(uint64_t bytes)
{
	if (!__atomic_load_n(&events_wanted, __ATOMIC_RELAXED))
		return;
	atomic_fetch_add_explicit(&counts.messages, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts.bytes, bytes, memory_order_relaxed);
}
