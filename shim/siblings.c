/* SPDX-License-Identifier: MIT */
#include "siblings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "endpoint.h"
#include "events/events.h"

enum { HOLDERS = 1000 };

/* In memory that fork children share. A slot is a pid, 0: free. */
struct holders {
	uint32_t forks;
	pid_t pids[HOLDERS];
};

/* How long an answer about other processes is good for: each costs a look into /proc. */
static const uint64_t GOOD_NS = 50000000;

void siblings_opened(struct endpoint *endpoint)
{
	void *shared = mmap(NULL, sizeof(struct holders), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* without the page a fork cannot be followed: hold from the first one on (forked below) */
	endpoint->holders = shared == MAP_FAILED ? NULL : shared;
	if (endpoint->holders)
		endpoint->holders->pids[0] = getpid();
}

static void remove_pid(struct holders *holders, pid_t pid)
{
	for (int i = 0; i < HOLDERS; i++)
		if (__atomic_load_n(&holders->pids[i], __ATOMIC_RELAXED) == pid)
			__atomic_store_n(&holders->pids[i], 0, __ATOMIC_RELEASE);
}

void siblings_closed(struct endpoint *endpoint)
{
	if (endpoint->holders)
		remove_pid(endpoint->holders, getpid());
}

void siblings_forget(struct endpoint *endpoint)
{
	if (endpoint->holders)
		munmap(endpoint->holders, sizeof(struct holders));
	endpoint->holders = NULL;
}

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

/* getdents64 by hand: opendir allocates. */
struct entry {
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

/* Has the process this socket open, under whatever number? Gone, or another user's: as it seems. */
static bool has_open(pid_t pid, const char *socket)
{
	char path[64], buf[2048] __attribute__((aligned(8)));
	bool ret = false;
	long n;
	int dir;

	proc_path(path, pid, "/fd");
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno != ENOENT && errno != ESRCH;
	while (!ret &&
	       (n = libc.syscall(SYS_getdents64, dir, (long)buf, sizeof(buf), 0, 0, 0)) > 0) {
		for (long at = 0; at < n && !ret;) {
			const struct entry *entry = (const struct entry *)(const void *)(buf + at);

			ret = links_to(dir, entry->name, socket);
			at += entry->size;
		}
	}
	libc.close(dir);
	return ret;
}

static bool look(struct endpoint *endpoint)
{
	struct holders *holders = endpoint->holders;
	char path[64], name[16], socket[64];
	pid_t self = getpid();
	ssize_t n;

	proc_path(name, (pid_t)endpoint->number, "");
	proc_path(path, self, "/fd/");
	strcat(path, name + 6);
	n = readlink(path, socket, sizeof(socket) - 1);
	if (n <= 0)
		return true;
	socket[n] = '\0';
	for (int i = 0; i < HOLDERS; i++) {
		pid_t pid = __atomic_load_n(&holders->pids[i], __ATOMIC_ACQUIRE);

		if (pid == 0 || pid == self)
			continue;
		if (has_open(pid, socket))
			return true;
		__atomic_store_n(&holders->pids[i], 0, __ATOMIC_RELEASE);
	}
	return false;
}

bool siblings_share(struct endpoint *endpoint)
{
	int kept = errno;
	uint64_t now;

	if (likely(endpoint->holders && endpoint->holders->forks == 0))
		return false;
	if (!endpoint->holders)
		return endpoint->forked;
	now = now_ns();
	if (now - endpoint->siblings_ns >= GOOD_NS || endpoint->siblings_ns == 0) {
		endpoint->siblings_shared = look(endpoint);
		endpoint->siblings_ns = now;
	}
	errno = kept;
	return endpoint->siblings_shared;
}

/* ------------------------------------------------------------------ fork */

static void lock_one(struct endpoint *endpoint)
{
	(void)lock_take(&endpoint->lock);
	endpoint->forked = true;
	if (endpoint->holders)
		__atomic_add_fetch(&endpoint->holders->forks, 1, __ATOMIC_RELEASE);
	/* the child's first look must see the parent, and the parent's the child */
	endpoint->siblings_ns = 0;
}

static void unlock_one(struct endpoint *endpoint)
{
	lock_release(&endpoint->lock);
}

/* Only the thread that forked goes on; what the others were in the middle of is undone here. */
static void claim_one(struct endpoint *endpoint)
{
	pid_t none;

	endpoint->lock.owner = 0;
	endpoint->exclusives = endpoint->blocked_in_original = 0;
	endpoint->peeling += endpoint->peeling & 1;
	endpoint->pins = 1;
	endpoint->hub_inherited = endpoint->hub >= 0;
	endpoint->stalls_inherited = endpoint->stalls >= 0;
	for (struct association *a = endpoint->associations.first; a; a = a->next)
		a->users = 0;
	for (int i = 0; endpoint->holders && i < HOLDERS; i++) {
		none = 0;
		if (__atomic_compare_exchange_n(&endpoint->holders->pids[i], &none, getpid(), false,
						__ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return;
	}
}

static void before_fork(void)
{
	endpoint_for_each(lock_one);
}

static void parent_after(void)
{
	endpoint_for_each(unlock_one);
}

static void child_after(void)
{
	lock_thread = 0;
	endpoint_set_process();
	endpoint_for_each(claim_one);
	events_forked();
}

void siblings_start(void)
{
	pthread_atfork(before_fork, parent_after, child_after);
}
