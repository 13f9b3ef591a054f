/* SPDX-License-Identifier: MIT */
#include "readiness.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include "binding.h"
#include "events/events.h"
#include "fanin.h"
#include "source_queue.h"
#include "stalls.h"

enum { READ = POLLIN | POLLRDNORM, WRITE = POLLOUT | POLLWRNORM, ON_STACK = 64, HIDDEN = 2 };

/* A hidden descriptor that is watched for one of the program's entries. */
struct extra {
	uint32_t of; /* index of the program's entry */
	short grants;
};

/* The program's entries, and ours behind them. */
struct watch {
	struct pollfd *fds;
	struct extra *extras;
	nfds_t own, total, room, spare;
	void *mapped;
	size_t mapped_size;
	struct pollfd fds_on_stack[ON_STACK];
	struct extra extras_on_stack[ON_STACK];
};

/* May the kernel's answer about such a number be another than the program's? */
static inline bool differs(uintptr_t word)
{
	return word > FD_BUSY && (fd_kind(word) != FD_ENDPOINT || !settings_never_peel());
}

bool readiness_concerns(struct pollfd *fds, nfds_t nfds)
{
	for (nfds_t i = 0; i < nfds; i++)
		if (fds[i].fd >= 0 && unlikely(differs(fdtable_get(fds[i].fd))))
			return true;
	return false;
}

/* poll may be called in a signal handler: no malloc. */
static bool make_room(struct watch *watch, nfds_t nfds)
{
	nfds_t room = nfds * (1 + HIDDEN);
	size_t each = sizeof(struct pollfd) + sizeof(struct extra);

	watch->fds = watch->fds_on_stack;
	watch->extras = watch->extras_on_stack;
	watch->mapped = NULL;
	watch->room = ON_STACK;
	if (room <= ON_STACK)
		return true;
	watch->mapped_size = room * each;
	watch->mapped = mmap(NULL, watch->mapped_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (watch->mapped == MAP_FAILED) {
		watch->mapped = NULL;
		return false;
	}
	watch->room = room;
	watch->fds = watch->mapped;
	watch->extras = (struct extra *)(void *)(watch->fds + room);
	return true;
}

static void give_back(struct watch *watch)
{
	if (watch->mapped)
		munmap(watch->mapped, watch->mapped_size);
}

static void add(struct watch *watch, nfds_t of, int fd, short events, short grants)
{
	nfds_t at;

	/* RLIMIT_NOFILE counts entries too: first those that the program leaves out */
	while (watch->spare < watch->own && watch->fds[watch->spare].fd >= 0)
		watch->spare++;
	if (watch->spare == watch->own && watch->total == watch->room)
		return;
	at = watch->spare < watch->own ? watch->spare++ : watch->total++;
	watch->extras[at] = (struct extra){(uint32_t)of, grants};
	watch->fds[at] = (struct pollfd){.fd = fd, .events = events};
}

static void add_entry(struct watch *watch, nfds_t i)
{
	int fd = watch->fds[i].fd;
	ENTER(endpoint, fd);

	/* what is hidden is no descriptor of the program's: POLLNVAL */
	watch->fds[i].fd = fd < 0 ? INT_MAX : fd;
	if (!endpoint)
		return;
	if ((watch->fds[i].events & READ) && fanin_hub(endpoint, fd) == 0)
		add(watch, i, GLANCE(endpoint->hub), POLLIN, watch->fds[i].events & READ);
	if (watch->fds[i].events & WRITE)
		PUBLISH(endpoint->asks_room, true);
	if ((watch->fds[i].events & WRITE) &&
	    unlikely(__atomic_load_n(&endpoint->stalled, __ATOMIC_RELAXED) > 0)) {
		add(watch, i, endpoint->stalls, POLLIN, watch->fds[i].events & WRITE);
		watch->fds[i].events &= (short)~WRITE;
	}
}

static void prepare(struct watch *watch, const struct pollfd *fds, nfds_t nfds)
{
	watch->own = watch->total = nfds;
	watch->spare = 0;
	for (nfds_t i = 0; i < nfds; i++)
		watch->fds[i] = (struct pollfd){.fd = fds[i].fd, .events = fds[i].events};
	for (nfds_t i = 0; i < nfds; i++)
		if (fds[i].fd >= 0 && fdtable_get(fds[i].fd) > FD_BUSY)
			add_entry(watch, i);
}

/* What a hidden descriptor's readiness means for the program's entry. */
static short granted(const struct watch *watch, nfds_t extra, short had)
{
	short grants = watch->extras[extra].grants;
	int fd = watch->fds[watch->extras[extra].of].fd;
	ENTER(endpoint, fd);

	if (!endpoint || !watch->fds[extra].revents)
		return 0;
	if (grants & READ)
		return (had & READ) || !fanin_readable(endpoint, fd) ? 0 : grants;
	return stalls_over(endpoint) ? grants : 0;
}

static int count_ready(const struct pollfd *fds, nfds_t nfds)
{
	int ret = 0;

	for (nfds_t i = 0; i < nfds; i++)
		ret += fds[i].revents != 0;
	return ret;
}

static int collect(const struct watch *watch, struct pollfd *fds)
{
	for (nfds_t i = 0; i < watch->own; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
		int fd = fds[i].fd;

		fds[i].revents = fd < 0 ? 0 : watch->fds[i].revents;
		/* bound to a message whose rest is yet to come: what the original has must wait */
		if (fd >= 0 && (fds[i].revents & READ) && fdtable_get(fd) > FD_BUSY) {
			ENTER(endpoint, fd);

			if (endpoint && GLANCE(endpoint->bound) && !fanin_readable(endpoint, fd))
				fds[i].revents &= (short)~READ;
		}
	}
	for (nfds_t i = 0; i < watch->total; i++)
		if ((i >= watch->own || fds[i].fd < 0) && watch->fds[i].revents)
			fds[watch->extras[i].of].revents |=
				granted(watch, i, fds[watch->extras[i].of].revents);
	return count_ready(fds, watch->own);
}

/* Woken for nothing: others could be heard, who must wait for the rest of a half-read message. */
static int nap(const struct pollfd *fds, nfds_t nfds, uint64_t deadline)
{
	for (nfds_t i = 0; i < nfds; i++) {
		int fd = fds[i].fd;

		if (fd < 0 || fdtable_get(fd) <= FD_BUSY)
			continue;
		ENTER(endpoint, fd);

		if (endpoint && GLANCE(endpoint->bound))
			return binding_nap(endpoint, fd, deadline);
	}
	return 0;
}

int readiness_poll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
		   const sigset_t *mask)
{
	struct watch watch __attribute__((cleanup(give_back)));
	struct timespec left = timeout ? *timeout : (struct timespec){0, 0};
	uint64_t deadline = left.tv_sec || left.tv_nsec ? now_ns() + timespec_ns(&left) : 0;

	events_tend_now();
	if (!make_room(&watch, nfds))
		return libc.ppoll(fds, nfds, timeout, mask);
	for (;;) {
		int ret;

		prepare(&watch, fds, nfds);
		ret = libc.ppoll(watch.fds, watch.total, timeout ? &left : NULL, mask);
		if (ret < 0) {
			/* fs/select.c:do_sys_poll tells of none then */
			for (nfds_t i = 0; errno == EINTR && i < nfds; i++)
				fds[i].revents = 0;
			return ret;
		}
		/* 0 after a wake-up: it was a hidden notification, which is gone now */
		if (collect(&watch, fds) > 0 || ret == 0)
			return count_ready(fds, nfds);
		if (timeout && now_ns() >= deadline)
			return 0;
		if (nap(fds, nfds, deadline) < 0)
			return -1;
		if (timeout)
			left = time_until(deadline);
	}
}

/* ------------------------------------------------------------------ select */

static bool in_set(const fd_set *set, int fd)
{
	const unsigned long *words = (const unsigned long *)(const void *)set;
	unsigned int bits = 8 * sizeof(*words);

	return set && (words[(unsigned int)fd / bits] >> ((unsigned int)fd % bits)) & 1;
}

static void put_in_set(fd_set *set, int fd)
{
	unsigned long *words = (unsigned long *)(void *)set;
	unsigned int bits = 8 * sizeof(*words);

	words[(unsigned int)fd / bits] |= 1ul << ((unsigned int)fd % bits);
}

static void clear_set(fd_set *set, int nfds)
{
	size_t bits = 8 * sizeof(unsigned long);

	memset(set, 0, ((size_t)nfds + bits - 1) / bits * sizeof(unsigned long));
}

bool readiness_concerns_sets(int nfds, const fd_set *in, const fd_set *out, const fd_set *except)
{
	for (int fd = 0; fd < nfds && fd < fdtable_end(); fd++)
		if (unlikely(differs(fdtable_get(fd))) &&
		    (in_set(in, fd) || in_set(out, fd) || in_set(except, fd)))
			return true;
	return false;
}

/* fs/select.c: what counts as readable, writable and exceptional. */
enum {
	SELECT_IN = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR,
	SELECT_OUT = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR,
	SELECT_EXCEPT = POLLPRI,
};

static int to_sets(const struct pollfd *fds, nfds_t n, int nfds, fd_set *in, fd_set *out,
		   fd_set *except)
{
	struct {
		fd_set *set;
		short asked, counts;
	} sets[] = {{in, POLLIN, SELECT_IN},
		    {out, POLLOUT, SELECT_OUT},
		    {except, POLLPRI, SELECT_EXCEPT}};
	int ret = 0;

	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents & POLLNVAL) {
			errno = EBADF;
			return -1;
		}
	for (int s = 0; s < 3; s++) {
		if (!sets[s].set)
			continue;
		clear_set(sets[s].set, nfds);
		for (nfds_t i = 0; i < n; i++)
			if ((fds[i].events & sets[s].asked) && (fds[i].revents & sets[s].counts)) {
				put_in_set(sets[s].set, fds[i].fd);
				ret++;
			}
	}
	return ret;
}

int readiness_select(int nfds, fd_set *in, fd_set *out, fd_set *except,
		     const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd on_stack[FD_SETSIZE], *fds = on_stack;
	size_t size = (size_t)nfds * sizeof(*fds);
	nfds_t n = 0;
	int ret;

	if (nfds > FD_SETSIZE) {
		fds = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (fds == MAP_FAILED)
			return libc.pselect(nfds, in, out, except, timeout, mask);
	}

	for (int fd = 0; fd < nfds; fd++) {
		short events = (short)((in_set(in, fd) ? POLLIN : 0) |
				       (out && in_set(out, fd) ? POLLOUT : 0) |
				       (in_set(except, fd) ? POLLPRI : 0));

		if (!events)
			continue;
		fds[n++] = (struct pollfd){.fd = fd, .events = events};
	}
	ret = readiness_poll(fds, n, timeout, mask);
	if (ret >= 0)
		ret = to_sets(fds, n, nfds, in, out, except);
	if (fds != on_stack)
		munmap(fds, size);
	return ret;
}
