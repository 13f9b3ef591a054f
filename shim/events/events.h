/* SPDX-License-Identifier: MIT */
/*
 * events: what the shim did and why, as lines for people and programs (INTERFACE.md 3).
 *
 * Knows nothing of sockets but their addresses. Emitting never blocks, never fails, allocates
 * nothing and is async-signal-safe: the line is built on the stack and written with one write();
 * a sink that is full, slow or gone costs the event, which is counted and told later (`drop`).
 */
#ifndef SCTPEEL_EVENTS_H
#define SCTPEEL_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "settings.h"

enum event_kind {
	EVENT_START,
	EVENT_STOP,
	EVENT_ASSOC,
	EVENT_DECISION,
	EVENT_PEEL,
	EVENT_ERROR,
	EVENT_DROP,
	EVENT_MSG,
	EVENT_CALL,
	EVENT_KINDS
};
/* Their names in records and SCTPEEL_TRACE_EVENTS, NULL-terminated. */
extern const char *const event_names[EVENT_KINDS + 1];

/* One event. Unset numbers are -1, unset strings NULL; what is unset is left out of the line. */
struct event {
	enum event_kind kind;
	int fd;		  /* socket.fd, as the program knows it */
	int64_t assoc_id; /* sctp.assoc.id */
	int64_t stream;	  /* sctp.stream.id */
	int64_t ppid;	  /* host byte order */
	const struct sockaddr *peer, *local;
	const char *state;   /* assoc: up, down, restart, moved; call: its name, key "call" */
	const char *rule;    /* name */
	int rule_index;	     /* 1-based in the output, 0-based here, -1 unset */
	const char *verdict; /* keep, peel, hold */
	const char *reason;
	const char *by;	    /* peel: "policy" or "program"; up: what it was first seen by */
	const char *detail; /* error: what was tried and what follows */
	bool has_input;
	struct {
		uint64_t bytes, msgs, age_ns, assocs, peeled;
		uint64_t now_ns; /* the moment that windows and times count at, 0 unset */
		uint64_t idle_ns, sndblocked; /* left out when now_ns is unset, when 0 */
	} input;
	bool has_effect;
	struct {
		int fd;			/* -1 when refused */
		bool cloexec, nonblock; /* flags */
		int error;		/* errno, 0 on success */
		uint64_t latency_ns;
		int64_t queued; /* bytes of the first message waiting (FIONREAD), -1 unknown */
	} effect;
	int64_t bytes;	 /* msg: its size */
	int64_t wait_ns; /* msg: from its arrival in this host until it was read */
	bool has_flags;
	uint32_t flags; /* msg: sinfo_flags */
};

#define EVENT_INIT(k)                     \
	((struct event){.kind = (k),      \
			.fd = -1,         \
			.assoc_id = -1,   \
			.stream = -1,     \
			.ppid = -1,       \
			.rule_index = -1, \
			.bytes = -1,      \
			.wait_ns = -1})

/* Opens the sink that the settings name and writes `start`. Once, from the constructor. */
void events_start(const struct settings *settings);
/* Writes what was dropped, the totals (`stop`), and closes the sink. From the destructor. */
void events_stop(void);
/*
 * The process has a one-to-many socket: from now on it has a live page and statistics. A helper
 * program that it starts has none, and must not write over those.
 */
void events_socket_opened(void);
/* In a fork child: pid and sequence numbers of its own; %p opens a file of its own.
 * Async-signal-safe. */
void events_forked(void);
/*
 * The kinds that a sink wants, as a bit set, and who else looks; 0: nobody. Written by events
 * alone.
 */
extern uint32_t events_wanted;
enum { EVENTS_STATS = 1 << 29, EVENTS_LIVE = 1 << 30 };
/* Cheap test before an event is put together: is there a sink that wants this kind? */
static inline bool events_want(enum event_kind kind)
{
	return __atomic_load_n(&events_wanted, __ATOMIC_RELAXED) & 1u << kind;
}
/* Is there a live page to be kept? */
static inline bool events_watched_live(void)
{
	return __atomic_load_n(&events_wanted, __ATOMIC_RELAXED) & EVENTS_LIVE;
}
/* Does anybody want to know of each message? */
static inline bool events_want_messages(void)
{
	return __atomic_load_n(&events_wanted, __ATOMIC_RELAXED) & (1u << EVENT_MSG | EVENTS_LIVE);
}
void events_emit(const struct event *event);
/*
 * A file that a variable names cannot be written: says so on stderr, with what follows from it, and
 * as an `error` event.
 */
void events_trouble(const char *variable, const char *path, const char *consequence, int error);
/* Is this descriptor the sink's? (it is hidden from the program and moves when dup2 hits it) */
bool events_own_fd(int fd);
/* Moves the sink off `fd`, which the program wants for itself. 0, or -errno. */
int events_move_fd(int fd);
/* Totals for `stop` and the statistics, counted by the caller's words. */
void events_count_peel(bool refused, uint64_t latency_ns);
void events_count_message(uint64_t bytes);

/* When the statistics are to be written next; all ones: never. */
extern uint64_t events_due_ns;
void events_tend_slow(uint64_t now_ns);
/*
 * Writes the statistics when it is time. From calls of the program, with no lock held: there is no
 * thread and no timer of ours.
 */
static inline void events_tend(uint64_t now_ns)
{
	if (__builtin_expect(now_ns >= __atomic_load_n(&events_due_ns, __ATOMIC_RELAXED), 0))
		events_tend_slow(now_ns);
}
/* The same where the time is not known: before the program goes to sleep. */
static inline void events_tend_now(void)
{
	if (__builtin_expect(__atomic_load_n(&events_due_ns, __ATOMIC_RELAXED) != UINT64_MAX, 0))
		events_tend_slow(0);
}

#endif
