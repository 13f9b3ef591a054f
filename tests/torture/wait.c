/* SPDX-License-Identifier: MIT */
/* Every way to wait for input. */
#include "torture.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static bool add(int set, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.fd = fd}};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

static uint32_t events_of(int wait)
{
	static const uint32_t events[] = {
		[WAIT_LEVEL] = EPOLLIN,
		[WAIT_EDGE] = EPOLLIN | EPOLLET,
		[WAIT_ONESHOT] = EPOLLIN | EPOLLONESHOT,
		[WAIT_EXCLUSIVE] = EPOLLIN | EPOLLEXCLUSIVE,
	};

	return events[wait];
}

bool wait_prepare(struct worker *worker)
{
	struct server *server = worker->server;
	int wait = server->set[SET_wait], set;

	worker->epoll = server->epoll;
	if (wait < WAIT_LEVEL || worker->epoll >= 0)
		return true;
	set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0 || !add(set, server->fd, events_of(wait)) || !add(set, server->stop, EPOLLIN))
		return false;
	/* of an exclusive one each thread has a set of its own */
	if (wait != WAIT_EXCLUSIVE)
		server->epoll = set;
	worker->epoll = set;
	return true;
}

static bool by_poll(const struct server *server, bool ppolled)
{
	struct pollfd fds[] = {{.fd = server->fd, .events = POLLIN},
			       {.fd = -1},
			       {.fd = server->stop, .events = POLLIN}};
	struct timespec long_time = {.tv_sec = 1000};
	int n = ppolled ? ppoll(fds, COUNT(fds), &long_time, NULL) : poll(fds, COUNT(fds), -1);

	if (n < 0 && errno != EINTR)
		fail(server->ledger, "poll: %m");
	if (n == 0)
		fail(server->ledger, "poll returned 0 before its time was over");
	if (n > 0 && fds[0].revents & ~POLLIN)
		fail(server->ledger, "poll tells %#x", (unsigned)fds[0].revents);
	return n > 0 && fds[0].revents & POLLIN;
}

static bool by_select(const struct server *server, bool pselected)
{
	int top = (server->fd > server->stop ? server->fd : server->stop) + 1, n;
	fd_set in;

	FD_ZERO(&in);
	FD_SET(server->fd, &in);
	FD_SET(server->stop, &in);
	n = pselected ? pselect(top, &in, NULL, NULL, NULL, NULL)
		      : select(top, &in, NULL, NULL, NULL);
	if (n < 0 && errno != EINTR)
		fail(server->ledger, "select: %m");
	return n > 0 && FD_ISSET(server->fd, &in);
}

static bool by_epoll(const struct worker *worker)
{
	const struct server *server = worker->server;
	struct epoll_event events[2];
	int n = epoll_wait(worker->epoll, events, 1 + (int)(worker->before & 1), -1);
	bool ret = false;

	if (n < 0 && errno != EINTR)
		fail(server->ledger, "epoll_wait: %m");
	if (n == 0)
		fail(server->ledger, "epoll_wait returned 0 without a timeout");
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == server->stop)
			continue;
		if (events[i].data.fd != server->fd || events[i].events != EPOLLIN)
			fail(server->ledger, "epoll_wait tells %#x of %d", events[i].events,
			     events[i].data.fd);
		ret = true;
	}
	return ret;
}

bool wait_for_input(struct worker *worker)
{
	const struct server *server = worker->server;
	int wait = server->set[SET_wait];
	bool readable = false;

	while (!readable && !atomic_load(&server->ledger->stopping)) {
		if (wait == WAIT_NONE)
			return true;
		if (wait == WAIT_POLL || wait == WAIT_PPOLL)
			readable = by_poll(server, wait == WAIT_PPOLL);
		else if (wait == WAIT_SELECT || wait == WAIT_PSELECT)
			readable = by_select(server, wait == WAIT_PSELECT);
		else
			readable = by_epoll(worker);
	}
	return !atomic_load(&server->ledger->stopping);
}

void wait_again(struct worker *worker)
{
	struct server *server = worker->server;
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = server->fd}};

	if (server->set[SET_wait] == WAIT_ONESHOT &&
	    epoll_ctl(worker->epoll, EPOLL_CTL_MOD, server->fd, &event) < 0)
		fail(server->ledger, "epoll_ctl: %m");
}
