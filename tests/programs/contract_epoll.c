/* SPDX-License-Identifier: MIT */
/* contract_epoll: rows W02 and W03. */
#include "contract.h"

/* The number that the program hides in an entry: all 64 bits must come back. */
#define MARK(n) (UINT64_C(0xfeedface00000000) | (uint32_t)(n))

static int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (set < 0)
		die("epoll_create1");
	return set;
}

static int control(int set, int op, int fd, uint32_t events, int mark)
{
	struct epoll_event event = {.events = events, .data.u64 = MARK(mark)};

	return epoll_ctl(set, op, fd, &event);
}

static void watch(int set, int fd, uint32_t events, int mark)
{
	if (control(set, EPOLL_CTL_ADD, fd, events, mark))
		die("EPOLL_CTL_ADD");
}

static const char *event_names(uint32_t events)
{
	return poll_names((int)(events & 0x207f));
}

static int by_mark(const void *a, const void *b)
{
	const struct epoll_event *x = a, *y = b;

	return x->data.u64 < y->data.u64 ? -1 : x->data.u64 > y->data.u64;
}

static void tell_events(const char *label, struct epoll_event *events, int n)
{
	struct line line = {.length = 0};

	if (n > 0)
		qsort(events, (size_t)n, sizeof(*events), by_mark);
	for (int i = 0; i < n; i++)
		add(&line, " %s%d:%s", events[i].data.u64 >> 32 == 0xfeedface ? "" : "damaged ",
		    (int)(uint32_t)events[i].data.u64, event_names(events[i].events));
	if (n < 0)
		tell("%s: %d %s", label, n, errno_name(errno));
	else
		tell("%s: %d%s", label, n, line.text);
}

/* What the set says within so many ms; the order of events is the kernel's affair. */
static int look(const char *label, int set, int ms)
{
	struct epoll_event events[16];
	int n = epoll_wait(set, events, 16, ms);

	tell_events(label, events, n);
	return n;
}

/* A peer's message has arrived, though nobody may have been told. */
static void say(int server, int p, size_t size)
{
	peer_sends(&peers[p], size);
	await_input(server);
}

/* ---- level ---- */

/* Watched before there is anybody, and after. */
static void level(int early)
{
	int set = new_set(), server = open_server();

	if (early)
		watch(set, server, EPOLLIN, 1);
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	for (int k = 0; k < 3; k++) {
		if (k == 1 && !early) {
			say(server, 0, 50);
			watch(set, server, EPOLLIN, 1);
			look("watched with something there", set, 0);
			note_next(server);
		}
		look("nothing", set, 0);
		say(server, 0, 50);
		look("A spoke", set, early ? -1 : 0);
		look("still", set, early ? -1 : 0);
		say(server, 1, 50);
		look("B spoke too", set, early ? -1 : 0);
		note_next(server);
		look("one taken", set, 0);
		note_next(server);
		look("both taken", set, 0);
	}
	tell_notes();
	close_peer(&peers[0]);
	abort_peer(&peers[1]);
	await_end(&peers[0]);
	await_end(&peers[1]);
	look("both gone", set, 20);
	connect_peer(new_peer(), server);
	look("newcomer", set, 0);
	say(server, 2, 50);
	look("newcomer spoke", set, 0);
	hear_all("then", server);
	look("heard", set, 0);
	close(set);
	close_scene(server);
}

static void w02_level(void)
{
	level(1);
	level(0);
}

static void w02_subscribed(void)
{
	int set = new_set(), server = open_scene(2);

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	watch(set, server, EPOLLIN | EPOLLRDHUP | EPOLLPRI, 1);
	look("nothing", set, 0);
	close_peer(&peers[0]);
	await_end(&peers[0]);
	while (look("A closed", set, 0) > 0)
		hear("then", server, MSG_DONTWAIT);
	abort_peer(&peers[1]);
	await_end(&peers[1]);
	while (look("B aborted", set, 0) > 0)
		hear("then", server, MSG_DONTWAIT);
	close(set);
	close_scene(server);
}

/* Which bits wished bring which. */
static void w02_bits(void)
{
	static const uint32_t masks[] = {0,
					 EPOLLIN,
					 EPOLLPRI,
					 EPOLLOUT,
					 EPOLLERR,
					 EPOLLHUP,
					 EPOLLRDNORM,
					 EPOLLRDBAND,
					 EPOLLWRNORM,
					 EPOLLWRBAND,
					 EPOLLMSG,
					 EPOLLRDHUP,
					 EPOLLIN | EPOLLOUT | EPOLLRDHUP,
					 EPOLLIN | EPOLLWAKEUP,
					 EPOLLIN | EPOLLEXCLUSIVE,
					 0x7fffff};
	int server = open_scene(1);

	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < COUNT(masks); i++) {
			int set = new_set();
			struct epoll_event event = {0};

			watch(set, server, masks[i], (int)i);
			int n = epoll_wait(set, &event, 1, 0);

			tell("%#x: %d %#x", masks[i], n, event.events);
			close(set);
		}
		say(server, 0, 60);
	}
	close_scene(server);
}

/* Changes of what is watched, and of the mark, before and after there is something. */
static void w02_changes(void)
{
	int set = new_set(), server = open_scene(2);

	watch(set, server, EPOLLOUT, 1);
	look("out", set, 0);
	OUTCOME("to in", control(set, EPOLL_CTL_MOD, server, EPOLLIN, 2));
	look("in", set, 0);
	say(server, 0, 50);
	look("in", set, 0);
	OUTCOME("to in and out", control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLOUT, 3));
	look("in and out", set, 0);
	OUTCOME("to nothing", control(set, EPOLL_CTL_MOD, server, 0, 4));
	look("nothing", set, 0);
	OUTCOME("to in", control(set, EPOLL_CTL_MOD, server, EPOLLIN, 5));
	look("in", set, 0);
	OUTCOME("remove", control(set, EPOLL_CTL_DEL, server, 0, 0));
	look("removed", set, 0);
	say(server, 1, 50);
	look("still removed", set, 0);
	OUTCOME("add", control(set, EPOLL_CTL_ADD, server, EPOLLIN, 6));
	look("in", set, 0);
	note_next(server);
	look("in", set, 0);
	note_next(server);
	look("nothing left", set, 0);
	OUTCOME("remove without event", epoll_ctl(set, EPOLL_CTL_DEL, server, NULL));
	tell_notes();
	close(set);
	close_scene(server);
}

static void w02_errors(void)
{
	int set = new_set(), other = new_set(), server = open_scene(2), file;
	struct epoll_event event[2] = {{.events = EPOLLIN}};
	struct epoll_event *volatile nowhere = (struct epoll_event *)8;
	volatile int bad = 77777, minus = -1;

	OUTCOME("change what is not there", control(set, EPOLL_CTL_MOD, server, EPOLLIN, 1));
	OUTCOME("remove what is not there", control(set, EPOLL_CTL_DEL, server, EPOLLIN, 1));
	OUTCOME("add", control(set, EPOLL_CTL_ADD, server, EPOLLIN, 1));
	OUTCOME("add again", control(set, EPOLL_CTL_ADD, server, EPOLLIN, 2));
	OUTCOME("add without event", epoll_ctl(other, EPOLL_CTL_ADD, server, NULL));
	OUTCOME("no such operation", control(set, 77, server, EPOLLIN, 1));
	OUTCOME("a bad number", control(set, EPOLL_CTL_ADD, bad, EPOLLIN, 1));
	OUTCOME("a bad set", control(bad, EPOLL_CTL_ADD, server, EPOLLIN, 1));
	OUTCOME("the socket as set", control(server, EPOLL_CTL_ADD, set, EPOLLIN, 1));
	OUTCOME("itself", control(set, EPOLL_CTL_ADD, set, EPOLLIN, 1));
	file = open("/proc/self/exe", O_RDONLY);
	OUTCOME("a file", control(set, EPOLL_CTL_ADD, file, EPOLLIN, 1));
	OUTCOME("exclusive and one-shot",
		control(other, EPOLL_CTL_ADD, server, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
	OUTCOME("exclusive and RDHUP",
		control(other, EPOLL_CTL_ADD, server, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
	OUTCOME("exclusive later",
		control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLEXCLUSIVE, 1));
	OUTCOME("exclusive",
		control(other, EPOLL_CTL_ADD, server, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 1));
	OUTCOME("change of exclusive", control(other, EPOLL_CTL_MOD, server, EPOLLIN, 1));
	OUTCOME("wait for none", epoll_wait(set, event, 0, 0));
	OUTCOME("wait for -1", epoll_wait(set, event, minus, 0));
	OUTCOME("wait on a bad set", epoll_wait(bad, event, 1, 0));
	OUTCOME("wait on the socket", epoll_wait(server, event, 1, 0));
	say(server, 0, 50);
	OUTCOME("wait into nowhere", epoll_wait(set, nowhere, 1, 0));
	look("and still", set, 0);
	close(other);
	close(set);
	close_scene(server);
}

/* ---- edges ---- */

/*
 * Reading part of what is there is no edge. Should there be one all the same, because what is left
 * has moved, it must not be for nothing.
 */
static void no_edge_for_nothing(int set, int server)
{
	struct epoll_event event;

	if (epoll_wait(set, &event, 1, 0) == 1 && !(poll_now(server) & POLLIN))
		tell("an edge for nothing");
}

/* Each arrival is an edge. */
static void w02_edge(void)
{
	int set = new_set(), server = open_server();

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	watch(set, server, EPOLLIN | EPOLLET, 1);
	look("nothing", set, 0);
	for (int round = 0; round < 3; round++) {
		for (int p = 0; p < 2; p++) {
			peer_sends(&peers[p], 50);
			look("spoke", set, 1000);
			look("no new edge", set, 0);
			peer_sends(&peers[p], 50);
			look("spoke again", set, 1000);
			note_next(server);
			no_edge_for_nothing(set, server);
			note_next(server);
			look("both taken", set, 0);
		}
		for (int p = 0; p < 2; p++)
			peer_sends(&peers[p], 50);
		await_input(server);
		look("both spoke", set, 1000);
		note_next(server);
		no_edge_for_nothing(set, server);
		peer_sends(&peers[0], 60);
		look("A spoke again", set, 1000);
		for (int k = 0; k < 3; k++)
			note_next(server);
		look("all taken", set, 0);
	}
	tell_notes();
	hear("then", server, MSG_DONTWAIT);
	close(set);
	close_scene(server);
}

/* Adding and changing with something there is an edge too. */
static void w02_edge_changes(void)
{
	int set = new_set(), server = open_scene(2);

	say(server, 0, 50);
	watch(set, server, EPOLLIN | EPOLLET, 1);
	look("added", set, 0);
	look("no new edge", set, 0);
	control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLET, 2);
	look("changed", set, 0);
	look("no new edge", set, 0);
	control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLOUT | EPOLLET, 3);
	look("in and out", set, 0);
	look("no new edge", set, 0);
	note_next(server);
	look("taken", set, 0);
	say(server, 1, 50);
	look("B spoke", set, 0);
	look("no new edge", set, 0);
	control(set, EPOLL_CTL_MOD, server, EPOLLIN, 4);
	look("level", set, 0);
	look("level", set, 0);
	note_next(server);
	look("taken", set, 0);
	tell_notes();
	close(set);
	close_scene(server);
}

/* The usual loop: wait for an edge, read until there is nothing. Nothing may be left behind. */
static void w02_edge_loop(void)
{
	int set = new_set(), server, wrong = 0, got = 0, empty = 0;
	struct receipt *r = new_receipt();
	struct epoll_event event;

	server = open_scene_with_companion(4, false);
	watch(set, server, EPOLLIN | EPOLLET, 1);
	for (int k = 0; k < 40; k++)
		for (int p = 0; p < 4; p++)
			order_messages(&peers[(p * 3 + k) % 4], k % 5 == p, 2, 60);
	while (got < 320 && epoll_wait(set, &event, 1, 3000) == 1) {
		if (take(r, server, MSG_DONTWAIT) < 0)
			empty++;
		for (; r->size >= 0; take(r, server, MSG_DONTWAIT)) {
			wrong += !is_next(r);
			got++;
		}
	}
	tell_taken();
	tell("%d messages, %d wrong", got, wrong);
	tell("edges for nothing: %s", empty > 320 ? "too many" : "few");
	look("then", set, 0);
	close(set);
	close_scene(server);
}

/* ---- one-shot ---- */

static void w02_oneshot(void)
{
	int set = new_set(), server = open_server();

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	watch(set, server, EPOLLIN | EPOLLONESHOT, 1);
	for (int round = 0; round < 3; round++)
		for (int p = 0; p < 2; p++) {
			look("nothing", set, 0);
			say(server, p, 50);
			look("spoke", set, 0);
			look("disarmed", set, 0);
			say(server, 1 - p, 50);
			look("still disarmed", set, 0);
			control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLONESHOT, 2 + p);
			look("armed", set, 0);
			look("disarmed", set, 0);
			note_next(server);
			control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLONESHOT | EPOLLET, 4);
			look("armed, with edges", set, 0);
			note_next(server);
			control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLONESHOT, 5);
		}
	/* told of one thing, it is disarmed for the other too */
	look("nothing", set, 0);
	control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 6);
	look("writable", set, 0);
	say(server, 0, 50);
	look("readable, and disarmed", set, 0);
	control(set, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 7);
	look("both", set, 0);
	look("disarmed", set, 0);
	note_next(server);
	tell_notes();
	close(set);
	close_scene(server);
}

/* ---- several threads ---- */

#define WORKERS 4

static struct {
	int set, server;
	uint32_t rearm; /* 0: level or exclusive */
	pthread_mutex_t lock;
	int received, doubled;
	int goal;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *worker(void *unused)
{
	struct receipt *r = new_receipt();
	struct epoll_event event;

	(void)unused;
	for (;;) {
		int n = epoll_wait(work.set, &event, 1, 50);

		pthread_mutex_lock(&work.lock);
		if (work.received >= work.goal) {
			pthread_mutex_unlock(&work.lock);
			break;
		}
		/* so that one association's messages are counted in their order */
		if (n == 1 && take(r, work.server, MSG_DONTWAIT) > 0) {
			work.doubled += !is_next(r);
			work.received++;
		}
		pthread_mutex_unlock(&work.lock);
		if (n == 1 && work.rearm)
			control(work.set, EPOLL_CTL_MOD, work.server, work.rearm, 1);
	}
	free(r);
	return NULL;
}

static void with_workers(const char *label, uint32_t events, uint32_t rearm)
{
	pthread_t threads[WORKERS];

	work.set = new_set();
	work.server = open_scene_with_companion(3, false);
	work.rearm = rearm;
	work.received = work.doubled = 0;
	work.goal = 150;
	watch(work.set, work.server, events, 1);
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	for (int k = 0; k < 50; k++)
		for (int p = 0; p < 3; p++)
			order_messages(&peers[p], k % 7 == p, 1, 60);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	tell("%s: %d messages, %d wrong", label, work.received, work.doubled);
	tell_taken();
	hear("then", work.server, MSG_DONTWAIT);
	close(work.set);
	close_scene(work.server);
}

static void w02_threads(void)
{
	with_workers("level", EPOLLIN, 0);
	with_workers("one-shot", EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLONESHOT);
	with_workers("one-shot edges", EPOLLIN | EPOLLONESHOT | EPOLLET,
		     EPOLLIN | EPOLLONESHOT | EPOLLET);
	with_workers("exclusive", EPOLLIN | EPOLLEXCLUSIVE, 0);
}

/* Two threads asleep, armed once: one event for one thread. */
static void *sleeper(void *result)
{
	struct epoll_event event;

	*(int *)result = epoll_wait(work.set, &event, 1, 400);
	return NULL;
}

static void w02_oneshot_wakes_one(void)
{
	pthread_t threads[2];
	int results[2];

	work.set = new_set();
	work.server = open_scene_with_companion(2, true);
	for (int p = 0; p < 2; p++) {
		watch(work.set, work.server, EPOLLIN | EPOLLONESHOT, 1);
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, sleeper, &results[i]);
		order_messages(&peers[p], 100, 1, 50);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		tell("woken: %d", results[0] + results[1]);
		hear("then", work.server, MSG_DONTWAIT);
		control(work.set, EPOLL_CTL_DEL, work.server, 0, 0);
	}
	close(work.set);
	close_scene(work.server);
}

/* ---- several entries, sets in sets ---- */

static void w02_one_at_a_time(void)
{
	int set = new_set(), server = open_scene(2), pipes[2];
	struct epoll_event event;
	bool seen[3] = {false, false, false};

	if (pipe(pipes) || write(pipes[1], "x", 1) != 1)
		die("pipe");
	watch(set, server, EPOLLIN, 0);
	watch(set, pipes[0], EPOLLIN, 1);
	watch(set, pipes[1], EPOLLOUT, 2);
	say(server, 0, 50);
	say(server, 1, 50);
	for (int k = 0; k < 6; k++) {
		int n = epoll_wait(set, &event, 1, 0);

		if (n != 1)
			tell("%d", n);
		else
			seen[event.data.u64 & 3] = true;
	}
	tell("all in turn: %d %d %d", seen[0], seen[1], seen[2]);
	look("all", set, 0);
	note_next(server);
	note_next(server);
	tell_notes();
	hear_all("then", server);
	look("without", set, 0);
	close(set);
	close_scene(server);
}

static void w02_several_sets(void)
{
	int sets[4], server = open_server();

	for (int i = 0; i < 4; i++)
		sets[i] = new_set();
	watch(sets[0], server, EPOLLIN, 1);
	watch(sets[1], server, EPOLLIN | EPOLLET, 2);
	watch(sets[2], server, EPOLLIN | EPOLLONESHOT, 3);
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	for (int k = 0; k < 4; k++) {
		if (k == 2)
			watch(sets[3], server, EPOLLIN | EPOLLEXCLUSIVE, 4);
		say(server, k % 2, 50);
		for (int i = 0; i < 4; i++)
			look("a set", sets[i], 0);
		for (int i = 0; i < 4; i++)
			look("a set, again", sets[i], 0);
		hear("then", server, 0);
		for (int i = 0; i < 4; i++)
			look("a set, after", sets[i], 0);
		control(sets[2], EPOLL_CTL_MOD, server, EPOLLIN | EPOLLONESHOT, 3);
	}
	for (int i = 0; i < 4; i++)
		close(sets[i]);
	close_scene(server);
}

/* A set in a set, in poll and in select. */
static void nested_look(const char *label, int inner, int outer)
{
	struct pollfd p[] = {{inner, POLLIN, 0}, {outer, POLLIN | POLLOUT, 0}};
	struct timeval none = {0, 0};
	fd_set in;
	int n = poll(p, 2, 0);

	FD_ZERO(&in);
	FD_SET(inner, &in);
	tell("%s: poll %d, %s, %s, select %d", label, n, poll_names(p[0].revents),
	     poll_names(p[1].revents), select(inner + 1, &in, NULL, NULL, &none));
	look("outer", outer, 0);
	look("inner", inner, 0);
}

static void w02_nested(void)
{
	int inner = new_set(), outer = new_set(), server = open_server();

	watch(outer, inner, EPOLLIN, 10);
	watch(inner, server, EPOLLIN, 1);
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	nested_look("nothing", inner, outer);
	for (int round = 0; round < 2; round++)
		for (int p = 0; p < 2; p++) {
			peer_sends(&peers[p], 50);
			look("outer wakes", outer, 1000);
			nested_look("spoke", inner, outer);
			hear("then", server, 0);
			nested_look("heard", inner, outer);
		}
	watch(outer, server, EPOLLIN, 11);
	say(server, 0, 50);
	nested_look("both ways", inner, outer);
	hear("then", server, 0);
	OUTCOME("remove the inner", control(outer, EPOLL_CTL_DEL, inner, 0, 0));
	say(server, 1, 50);
	nested_look("one way", inner, outer);
	close(outer);
	close(inner);
	close_scene(server);
}

/* Asleep in a set, and in a set within a set, until an association speaks that lives elsewhere. */
static void w02_sleeps(void)
{
	int inner = new_set(), outer = new_set(), set = new_set(), server, sets[3];
	static const char *const names[] = {"set", "outer", "poll of a set"};

	server = open_scene_with_companion(3, false);
	watch(outer, inner, EPOLLIN, 10);
	watch(inner, server, EPOLLIN, 1);
	watch(set, server, EPOLLIN, 2);
	sets[0] = set;
	sets[1] = outer;
	sets[2] = inner;
	for (int k = 0; k < 9; k++) {
		double began = now();

		order_messages(&peers[k % 3], 100, 1, 50);
		if (k / 3 < 2) {
			look(names[k / 3], sets[k / 3], 3000);
		} else {
			struct pollfd p = {.fd = inner, .events = POLLIN};
			int n = poll(&p, 1, 3000);

			tell("%s: %d %s", names[2], n, poll_names(p.revents));
		}
		tell("%s", how_long(now() - began));
		hear("then", server, MSG_DONTWAIT);
	}
	close(set);
	close(outer);
	close(inner);
	close_scene(server);
}

/* ---- numbers ---- */

/* The same socket under two numbers: two entries, two events. */
static void w02_twins(void)
{
	int set = new_set(), server = open_scene(2), twin = dup(server);

	watch(set, server, EPOLLIN, 1);
	watch(set, twin, EPOLLIN, 2);
	say(server, 0, 50);
	look("both", set, 0);
	control(set, EPOLL_CTL_DEL, twin, 0, 0);
	look("one", set, 0);
	watch(set, twin, EPOLLIN, 3);
	hear("then", twin, 0);
	look("heard", set, 0);
	close(twin);
	say(server, 1, 50);
	look("twin closed", set, 0);
	hear("then", server, 0);
	look("heard", set, 0);
	close(set);
	close_scene(server);
}

/* The set forgets what is closed; the next socket of that number is another one. */
static void w02_closed(void)
{
	int set = new_set(), server = open_scene(2), other;

	watch(set, server, EPOLLIN, 1);
	say(server, 0, 50);
	look("watched", set, 0);
	close(server);
	look("closed", set, 0);
	for (int p = 0; p < 2; p++)
		close_peer(&peers[p]);
	other = open_server();
	tell("same number: %d", other == server);
	connect_peer(new_peer(), other);
	peer_sends(&peers[2], 50);
	await_input(other);
	look("not watched", set, 0);
	OUTCOME("change", control(set, EPOLL_CTL_MOD, other, EPOLLIN, 2));
	OUTCOME("add", control(set, EPOLL_CTL_ADD, other, EPOLLIN, 3));
	look("watched", set, 0);
	hear("then", other, 0);
	look("heard", set, 0);
	peer_sends(&peers[2], 50);
	look("watched", set, 1000);
	close(set);
	close_scene(other);
}

/* ---- the other two calls ---- */

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void w02_pwait(void)
{
	int set = new_set(), server = open_scene(1);
	struct sigaction action = {.sa_handler = on_signal};
	struct timespec second = {1, 0}, none = {0, 0}, short_time = {0, 100000000}, odd = {0, -1};
	struct epoll_event events[4];
	sigset_t usr1, empty;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&empty);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	watch(set, server, EPOLLIN, 1);
	for (int k = 0; k < 2; k++) {
		signals = 0;
		raise(SIGUSR1);
		OUTCOME("epoll_pwait that blocks", epoll_pwait(set, events, 4, 0, &usr1));
		OUTCOME("epoll_pwait", epoll_pwait(set, events, 4, 1000, &empty));
		tell("%d signals", (int)signals);
		raise(SIGUSR1);
		OUTCOME("epoll_pwait2 that blocks", epoll_pwait2(set, events, 4, &none, &usr1));
		OUTCOME("epoll_pwait2", epoll_pwait2(set, events, 4, &second, &empty));
		tell("%d signals", (int)signals);
		OUTCOME("epoll_wait", epoll_wait(set, events, 4, 0));
		sigprocmask(SIG_UNBLOCK, &usr1, NULL);
		sigprocmask(SIG_BLOCK, &usr1, NULL);
		say(server, 0, 50);
	}
	OUTCOME("epoll_pwait, no mask", epoll_pwait(set, events, 4, -1, NULL));
	OUTCOME("epoll_pwait2, no time", epoll_pwait2(set, events, 4, NULL, NULL));
	hear_all("then", server);

	double began = now();

	OUTCOME("epoll_pwait2, 0.1 s", epoll_pwait2(set, events, 4, &short_time, NULL));
	tell("%s", how_long(now() - began));
	OUTCOME("epoll_pwait2, odd time", epoll_pwait2(set, events, 4, &odd, NULL));
	began = now();
	OUTCOME("epoll_wait, 0.1 s", epoll_wait(set, events, 4, 100));
	tell("%s", how_long(now() - began));
	close(set);
	close_scene(server);
}

static void *signals_later(void *thread)
{
	pause_ms(100);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

static void w02_interrupted(void)
{
	int set = new_set(), server = open_scene(1);
	pthread_t me = pthread_self(), helper;
	struct epoll_event event;

	watch(set, server, EPOLLIN, 1);
	for (int restart = 0; restart < 2; restart++) {
		struct sigaction action = {.sa_handler = on_signal,
					   .sa_flags = restart ? SA_RESTART : 0};

		sigaction(SIGUSR1, &action, NULL);
		signals = 0;
		pthread_create(&helper, NULL, signals_later, &me);
		OUTCOME("epoll_wait", epoll_wait(set, &event, 1, 3000));
		tell("%d signals", (int)signals);
		pthread_join(helper, NULL);
	}
	say(server, 0, 50);
	look("then", set, 0);
	close(set);
	close_scene(server);
}

/* Older ways to make a set, with the socket added by one thread while another sleeps in it. */
static void *adds_later(void *unused)
{
	(void)unused;
	pause_ms(100);
	watch(work.set, work.server, EPOLLIN, 7);
	return NULL;
}

static void w02_added_while_asleep(void)
{
	pthread_t helper;

	work.set = epoll_create(1);
	work.server = open_scene_with_companion(2, true);
	for (int k = 0; k < 2; k++) {
		if (k == 0)
			order_messages(&peers[0], 0, 1, 50);
		else
			order_messages(&peers[1], 200, 1, 50);
		pthread_create(&helper, NULL, adds_later, NULL);
		look("asleep", work.set, 3000);
		hear("then", work.server, 0);
		pthread_join(helper, NULL);
		control(work.set, EPOLL_CTL_DEL, work.server, 0, 0);
	}
	close(work.set);
	close_scene(work.server);
}

/* ---- W03 ---- */

/* Associations that end quietly wake no set, whatever way it is watched. */
static void w03_quiet_in_sets(void)
{
	static const uint32_t manners[] = {0, EPOLLET, EPOLLONESHOT};

	for (size_t m = 0; m < COUNT(manners); m++) {
		int set = new_set(), server = open_scene_with_companion(3, true);

		tell("== manner %#x", manners[m]);
		watch(set, server, EPOLLIN | manners[m], 1);
		order(CLOSE, &peers[0], 30);
		order(ABORT, &peers[1], 10);
		look("two end", set, 150);
		order_messages(&peers[2], 0, 1, 60);
		look("the third speaks", set, 5000);
		hear("then", server, 0);
		close(set);
		close_scene(server);
	}
}

static const struct test tests[] = {
	{"w02-level", w02_level},
	{"w02-subscribed", w02_subscribed},
	{"w02-bits", w02_bits},
	{"w02-changes", w02_changes},
	{"w02-errors", w02_errors},
	{"w02-edge", w02_edge},
	{"w02-edge-changes", w02_edge_changes},
	{"w02-edge-loop", w02_edge_loop},
	{"w02-oneshot", w02_oneshot},
	{"w02-oneshot-wakes-one", w02_oneshot_wakes_one},
	{"w02-threads", w02_threads},
	{"w02-one-at-a-time", w02_one_at_a_time},
	{"w02-several-sets", w02_several_sets},
	{"w02-nested", w02_nested},
	{"w02-sleeps", w02_sleeps},
	{"w02-twins", w02_twins},
	{"w02-closed", w02_closed},
	{"w02-pwait", w02_pwait},
	{"w02-interrupted", w02_interrupted},
	{"w02-added-while-asleep", w02_added_while_asleep},
	{"w03-quiet-in-sets", w03_quiet_in_sets},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
