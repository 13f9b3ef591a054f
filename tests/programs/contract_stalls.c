/* SPDX-License-Identifier: MIT */
/* contract_stalls: rows S08 and W04, peers that take nothing for a while. */
#include "contract.h"

static const char text[1000];

static struct sending to_peer(const struct peer *peer, int flags)
{
	return (struct sending){.id = peer->id, .carrier = SNDRCV, .message_flags = flags};
}

static ssize_t send_text(int fd, const struct peer *peer, int flags)
{
	struct sending s = to_peer(peer, flags);

	return send_bytes(fd, &s, text, sizeof(text));
}

/* Until no acknowledgement that is still under way makes room. */
static int fill(int fd, const struct peer *peer)
{
	int n = 0, error = 0;

	for (int full = 0; full < 5;)
		if (send_text(fd, peer, MSG_DONTWAIT) == (ssize_t)sizeof(text)) {
			n++;
			full = 0;
		} else {
			error = errno;
			full++;
			pause_ms(10);
		}
	errno = error;
	return n;
}

static int drain(const struct peer *peer, int count)
{
	static char room[sizeof(text)];
	int n = 0;

	while (n < count && recv(peer->fd, room, sizeof(room), 0) == (ssize_t)sizeof(room))
		n++;
	return n;
}

static int open_small_scene(int count)
{
	struct sctp_rtoinfo soon = {.srto_initial = 100, .srto_max = 200, .srto_min = 50};
	int server = open_scene(count);

	/* what a full peer dropped goes out again soon */
	for (int p = 0; p < count; p++) {
		soon.srto_assoc_id = peers[p].id;
		if (setsockopt(server, SOL_SCTP, SCTP_RTOINFO, &soon, sizeof(soon)))
			die("SCTP_RTOINFO");
	}
	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	return server;
}

/* ---- S08 ---- */

/* Only for the shim: on one socket a stalled peer stops the sends to all. */
static void s08_others(void)
{
	int server = open_small_scene(3), n = fill(server, &peers[0]);

	tell("A: %s", n > 0 ? errno_name(errno) : "never filled");
	for (int p = 1; p < 3; p++)
		for (int flags = MSG_DONTWAIT; flags >= 0; flags -= MSG_DONTWAIT) {
			struct line line = {.length = 0};

			add(&line, "to %s", peers[p].name);
			OUTCOME(line.text, send_text(server, &peers[p], flags));
			tell("%s has it: %d", peers[p].name, drain(&peers[p], 1));
		}
	OUTCOME("to A", send_text(server, &peers[0], MSG_DONTWAIT));
	tell("A has all: %d", drain(&peers[0], n) == n);
	OUTCOME("to A", send_text(server, &peers[0], 0));
	tell("A has it: %d", drain(&peers[0], 1));
	close_scene(server);
}

/* A send that blocks ends with its time, and nothing of it has gone out. */
static void s08_timeout(void)
{
	int server = open_small_scene(1), n;

	for (int round = 0; round < 2; round++) {
		n = fill(server, &peers[0]);
		set_timeout(server, SO_SNDTIMEO, 150);

		double began = now();

		OUTCOME("full", send_text(server, &peers[0], 0));
		tell("%s", how_long(now() - began));
		set_timeout(server, SO_SNDTIMEO, 5000);
		tell("all: %d", drain(&peers[0], n) == n);
		peer_hears_nothing_more(&peers[0]);
		OUTCOME("again", send_text(server, &peers[0], 0));
		tell("it: %d", drain(&peers[0], 1));
	}
	close_scene(server);
}

/* ---- W04 ---- */

static void look(const char *label, int set, int ms)
{
	struct epoll_event events[4];
	int n = epoll_wait(set, events, 4, ms);

	if (n == 1)
		tell("%s: %d %s", label, n, poll_names((int)(events[0].events & 0x207f)));
	else
		tell("%s: %d", label, n);
}

static void control(int set, int op, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	if (epoll_ctl(set, op, fd, &event))
		die("epoll_ctl");
}

/* Writable, full, drained; the peer that stalls is A, then B. */
static void stall_in_set(uint32_t manner, bool nested)
{
	int server = open_small_scene(2), inner = epoll_create1(0), set = inner, n;

	tell("== manner %#x%s", manner, nested ? ", nested" : "");
	control(inner, EPOLL_CTL_ADD, server, EPOLLOUT | manner);
	if (nested) {
		set = epoll_create1(0);
		control(set, EPOLL_CTL_ADD, inner, EPOLLIN);
	}
	for (int p = 0; p < 2; p++) {
		look("writable", set, 0);
		n = fill(server, &peers[p]);
		if (manner & EPOLLONESHOT)
			control(inner, EPOLL_CTL_MOD, server, EPOLLOUT | manner);
		look("full", set, 100);
		tell("all: %d", drain(&peers[p], n) == n);
		look("drained", set, 5000);
		OUTCOME("send", send_text(server, &peers[p], MSG_DONTWAIT));
		tell("it: %d", drain(&peers[p], 1));
		if (manner & EPOLLONESHOT)
			control(inner, EPOLL_CTL_MOD, server, EPOLLOUT | manner);
		if (manner & EPOLLET)
			control(inner, EPOLL_CTL_MOD, server, EPOLLOUT | manner);
	}
	if (nested)
		close(set);
	close(inner);
	close_scene(server);
}

static void w04_sets(void)
{
	static const uint32_t manners[] = {0, EPOLLET, EPOLLONESHOT, EPOLLONESHOT | EPOLLET};

	for (size_t i = 0; i < COUNT(manners); i++)
		stall_in_set(manners[i], false);
	stall_in_set(0, true);
}

/* The program's way: it waits for both, and asks for room only when it was refused. */
static void w04_loop(void)
{
	int server = open_small_scene(2), set = epoll_create1(0), sent = 0, woken = 0;
	struct receipt *r = new_receipt();
	struct epoll_event event;

	control(set, EPOLL_CTL_ADD, server, EPOLLIN | EPOLLOUT | EPOLLET);
	while (sent < 200) {
		while (sent < 200 && send_text(server, &peers[0], MSG_DONTWAIT) > 0)
			sent++;
		if (sent == 200)
			break;
		drain(&peers[0], 5);
		peer_sends(&peers[1], 50);
		woken += epoll_wait(set, &event, 1, 5000) == 1;
		if (woken > 2000)
			die("a busy loop");
		while (take(r, server, MSG_DONTWAIT) > 0)
			;
	}
	tell("%d sent", sent);
	free(r);
	close(set);
	close_scene(server);
}

static const struct test tests[] = {
	{"s08-others", s08_others},
	{"s08-timeout", s08_timeout},
	{"w04-sets", w04_sets},
	{"w04-loop", w04_loop},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
