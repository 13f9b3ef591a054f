/* SPDX-License-Identifier: MIT */
#include "siblings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "epollset.h"
#include "events/events.h"
#include "exclusion.h"
#include "hidden.h"
#include "line.h"
#include "mailbox.h"
#include "news.h"
#include "peel.h"
#include "source_queue.h"
#include "stalls.h"
#include "values.h"

/* Whoever started this process keeps its sockets for it and uses none (sd_listen_fds(3)). */
static bool is_activated;

/* How long an answer about other processes is good for: each costs a look into /proc. */
static const uint64_t GOOD_NS = 50000000;
/* What has not run so long after the fork never will: the fork failed, or it was killed first. */
static const uint64_t UNBORN_NS = 5000000000;

/* "/proc/PID/fd/NAME" without stdio: this may run in a signal handler. */
static void proc_path(char *to, pid_t pid, const char *rest)
{
	char digits[16];
	size_t n = 0;

	memcpy(to, "/proc/", 6);
	to += 6;
	do
		digits[n++] = (char)('0' + pid % 10);
	while ((pid /= 10) > 0);
	while (n > 0)
		*to++ = digits[--n];
	strcpy(to, rest);
}

/* Has it gone, or is it only hidden: no /proc in this root, or one with hidepid (proc(5))? */
static bool may_be_hidden(pid_t pid)
{
	if (kill(pid, 0) < 0)
		return errno == EPERM;
	return access("/proc/self/stat", F_OK) < 0;
}

/* Of a process whose main thread has ended others may run on: num_threads, the 18th (proc(5)). */
static bool has_threads(const char *state)
{
	for (int i = 0; i < 17 && state; i++) {
		state = strchr(state, ' ');
		state += state != NULL;
	}
	return state && strncmp(state, "1 ", 2) != 0 && strncmp(state, "0 ", 2) != 0;
}

/* The letter after the name in /proc/PID/stat; a zombie holds nothing any more. */
bool siblings_alive(pid_t pid)
{
	char path[64], buf[512];
	const char *state;
	ssize_t n;
	int fd;

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return false;
	proc_path(path, pid, "/stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT || may_be_hidden(pid);
	n = libc.read(fd, buf, sizeof(buf) - 1);
	libc.close(fd);
	buf[n > 0 ? n : 0] = '\0';
	state = strrchr(buf, ')');
	return !state || !state[1] || (state[2] != 'Z' && state[2] != 'X') ||
	       has_threads(state + 2);
}

/* getdents64 by hand: opendir allocates. */
struct folder_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static bool links_to(int dir, const char *name, const char *socket)
{
	char link[64];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

	if (n <= 0)
		return false;
	link[n] = '\0';
	return strcmp(link, socket) == 0;
}

/* Has the process this socket open, under whatever number? Yes if that cannot be seen. */
static bool has_open(pid_t pid, const char *socket)
{
	char path[64], buf[2048] __attribute__((aligned(8)));
	bool ret = false;
	long n;
	int dir;

	proc_path(path, pid, "/fd");
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return (errno != ENOENT && errno != ESRCH) || may_be_hidden(pid);
	while (!ret &&
	       (n = libc.syscall(SYS_getdents64, dir, (long)buf, sizeof(buf), 0, 0, 0)) > 0) {
		for (long at = 0; at < n && !ret;) {
			const struct folder_entry *entry =
				(const struct folder_entry *)(const void *)(buf + at);

			ret = links_to(dir, entry->name, socket);
			at += entry->size;
		}
	}
	libc.close(dir);
	return ret;
}

/* "socket:[INODE]", as /proc shows it. */
static void name_socket(const struct endpoint *endpoint, char socket[64])
{
	char path[64], name[16];
	ssize_t n;

	proc_path(name, (pid_t)endpoint->number, "");
	proc_path(path, getpid(), "/fd/");
	strcat(path, name + 6);
	n = readlink(path, socket, 63);
	socket[n > 0 ? n : 0] = '\0';
}

/* One that has executed another program and still has the socket: nothing of ours reaches it. */
static pid_t find_stranger(struct endpoint *endpoint)
{
	char socket[64];

	name_socket(endpoint, socket);
	for (int i = 0; i < HOLDERS; i++) {
		struct holder *holder = &endpoint->commons->holders[i];
		pid_t pid = __atomic_load_n(&holder->pid, __ATOMIC_ACQUIRE);

		if (pid == 0 || holder->state == HOLDER_RUNS)
			continue;
		if (has_open(pid, socket))
			return pid;
		__atomic_store_n(&holder->pid, 0, __ATOMIC_RELEASE);
	}
	return 0;
}

static void name_stranger(struct endpoint *endpoint, pid_t pid)
{
	struct line line;

	if (pid == 0) {
		endpoint->strangers[0] = '\0';
		return;
	}
	line_open(&line, endpoint->strangers, sizeof(endpoint->strangers));
	line_string(&line, "shared with process ");
	line_unsigned(&line, (uint64_t)pid);
	line_string(&line, ", which runs another program");
	line_done(&line);
}

/*
 * By posix_spawn or vfork it may have started others that have the socket too, and nobody of them
 * has met us.
 */
static bool starter_has(struct endpoint *endpoint)
{
	uint64_t now = now_ns();
	int kept = errno;
	char socket[64];

	if (is_activated)
		return false;

	if (endpoint->strangers_ns == 0 || now - endpoint->strangers_ns >= GOOD_NS) {
		name_socket(endpoint, socket);
		endpoint->sets_shared = has_open(getppid(), socket);
		endpoint->strangers_ns = now;
	}
	errno = kept;
	return endpoint->sets_shared;
}

const char *siblings_hold(struct endpoint *endpoint)
{
	uint64_t now;
	int kept = errno;

	if (!endpoint->commons && endpoint->forked)
		return "shared with another process";
	if (!endpoint->commons)
		return endpoint->inherited && starter_has(endpoint)
			       ? "shared with the process that started this one"
			       : NULL;
	if (__atomic_load_n(&endpoint->commons->held, __ATOMIC_ACQUIRE))
		return "held by another process that shares the socket";
	now = now_ns();
	if (endpoint->strangers_ns == 0 || now - endpoint->strangers_ns >= GOOD_NS) {
		name_stranger(endpoint, find_stranger(endpoint));
		endpoint->sets_shared =
			endpoint->commons->sets_inherited && !siblings_alone(endpoint);
		endpoint->strangers_ns = now;
	}
	errno = kept;
	if (endpoint->sets_shared)
		return "shared with another process, and so is an epoll set that it is in";
	if (endpoint->strangers[0])
		return endpoint->strangers;
	return mailbox_has_room(endpoint) ? NULL
					  : "no room to tell the processes that share the socket";
}

uint32_t siblings_count(const struct endpoint *endpoint)
{
	if (!endpoint->commons)
		return endpoint->associations.count;
	return endpoint->commons->count + endpoint->associations.peeled;
}

/* A child is no holder before it runs, which may be later than what its parent does next. */
static bool awaits_child(const struct commons *commons)
{
	return __atomic_load_n(&commons->born, __ATOMIC_ACQUIRE) !=
		       __atomic_load_n(&commons->forks, __ATOMIC_RELAXED) &&
	       now_ns() - __atomic_load_n(&commons->forked_ns, __ATOMIC_RELAXED) < UNBORN_NS;
}

bool siblings_alone(const struct endpoint *endpoint)
{
	pid_t self = getpid();

	if (endpoint->commons && awaits_child(endpoint->commons))
		return false;
	for (int i = 0; endpoint->commons && i < HOLDERS; i++) {
		pid_t pid = __atomic_load_n(&endpoint->commons->holders[i].pid, __ATOMIC_ACQUIRE);

		if (pid != 0 && pid != self && siblings_alive(pid))
			return false;
	}
	return true;
}

void siblings_executes(struct endpoint *endpoint, bool executes)
{
	if (endpoint->commons && endpoint->holder)
		endpoint->holder->state = executes ? HOLDER_EXECUTED : HOLDER_RUNS;
}

/* ------------------------------------------------------------------ fork */

/* Before the first fork: all that the processes will need to go on together. */
static void share(struct endpoint *endpoint)
{
	int kept = errno;

	if (endpoint->commons || endpoint->forked || settings_never_peel() ||
	    settings_get()->mode != MODE_ENFORCE || endpoint->numbers == 0 ||
	    !lock_take(&endpoint->lock))
		return;
	if (mailbox_make(endpoint) && !commons_make(endpoint))
		mailbox_close(endpoint);
	if (endpoint->commons)
		fanin_share(endpoint, endpoint->number);
	lock_release(&endpoint->lock);
	errno = kept;
}

static void share_pinned(struct endpoint *endpoint)
{
	struct endpoint *pinned __attribute__((cleanup(endpoint_leave))) = endpoint_pin(endpoint);

	if (pinned)
		share(pinned);
}

/* Has one of the holders died since it was last asked? A fork is often for one that was killed. */
static bool buries_dead(struct commons *commons)
{
	bool ret = false;

	for (int i = 0; i < HOLDERS; i++) {
		struct holder *holder = &commons->holders[i];
		pid_t pid = __atomic_load_n(&holder->pid, __ATOMIC_ACQUIRE);

		if (pid == 0 || pid == getpid() || siblings_alive(pid))
			continue;
		__atomic_store_n(&holder->pid, 0, __ATOMIC_RELEASE);
		ret = true;
	}
	return ret;
}

/* A peel that another thread is at would leave its descriptor with a child that does not know it.
 */
static void lock_one(struct endpoint *endpoint)
{
	bool taken;

	while ((taken = lock_take(&endpoint->lock)) && peel_is_anothers(endpoint)) {
		lock_release(&endpoint->lock);
		peel_let_end(endpoint);
	}
	/* not by a handler that interrupted its own thread in there */
	endpoint->locked_for_fork = taken;
	endpoint->forked = true;
	endpoint->strangers_ns = 0;
	if (!endpoint->commons)
		return;
	/* a parent that only forks has read of no association; its child will, and then looks */
	endpoint->doubts_ends = buries_dead(endpoint->commons);
	if (endpoint->doubts_ends)
		news_check_ends(endpoint);
	__atomic_store_n(&endpoint->commons->forked_ns, now_ns(), __ATOMIC_RELAXED);
	__atomic_add_fetch(&endpoint->commons->forks, 1, __ATOMIC_RELAXED);
	if (endpoint->registrations && !endpoint->commons->sets_inherited) {
		endpoint->commons->sets_inherited = true;
		fanin_leave_mail(endpoint);
	}
}

static void unlock_one(struct endpoint *endpoint)
{
	if (endpoint->locked_for_fork)
		lock_release(&endpoint->lock);
}

/*
 * Only the thread that forked goes on; what the others were in the middle of is undone here. What
 * it was in the middle of itself, when a handler forked, it will end.
 */
static void claim_one(struct endpoint *endpoint)
{
	endpoint->lock.owner = 0;
	endpoint->peeling += endpoint->peeling & 1;
	if (endpoint_inside == 0) {
		endpoint->exclusives = endpoint->blocked_in_original = 0;
		endpoint->pins = 1;
	}
	endpoint->hub_inherited = endpoint->hub >= 0;
	/* the parent's; sets of the program that it is in are the parent's as well */
	endpoint->stalls_inherited = endpoint->stalls >= 0 && endpoint->registrations;
	/* a record that is only being made has no numbers yet, and nothing in it means anything */
	if (endpoint->numbers > 0 && !endpoint->stalls_inherited) {
		hidden_close(&endpoint->stalls);
		endpoint->stalled = 0;
	}
	for (struct association *a = endpoint->associations.first; a; a = a->next) {
		if (endpoint_inside == 0)
			a->users = a->readers = 0;
		if (a->source.queue == QUEUE_DEFERRED)
			a->source.queue = QUEUE_NONE;
	}
	if (!endpoint->commons)
		return;
	(void)commons_claim(endpoint);
	__atomic_add_fetch(&endpoint->commons->born, 1, __ATOMIC_RELEASE);
}

static void before_fork(void)
{
	endpoint_for_each(share_pinned);
	epollset_before_fork();
	endpoint_before_fork();
	endpoint_for_each(lock_one);
}

static void parent_after(void)
{
	endpoint_for_each(unlock_one);
	endpoint_after_fork(false);
	epollset_after_fork(false);
}

/* What the parent met is still so, but the child waits for its end by a set of its own. */
static void stall_anew(struct endpoint *endpoint)
{
	for (struct association *a = endpoint->associations.first; a; a = a->next) {
		if (!a->blocked || endpoint->stalls_inherited)
			continue;
		a->blocked = false;
		stalls_ask(endpoint, a);
	}
}

static void child_after(void)
{
	lock_thread = 0;
	endpoint_set_process();
	endpoint_for_each(claim_one);
	endpoint_after_fork(true);
	epollset_after_fork(true);
	endpoint_for_each(stall_anew);
	events_forked();
}

void siblings_start(void)
{
	const char *whose = secure_getenv("LISTEN_PID");
	uint64_t pid;

	is_activated = whose && value_count((struct word){whose, strlen(whose)}, &pid) &&
		       pid == (uint64_t)getpid();
	pthread_atfork(before_fork, parent_after, child_after);
}
