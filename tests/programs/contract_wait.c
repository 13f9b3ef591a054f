/* SPDX-License-Identifier: MIT */
/* contract_wait: rows W01 and W03, poll and select in all their forms. */
#include "contract.h"

/* The fortified forms, and the aliases that libraries of old use. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t size);

/* ---- every call that waits, in the form "which of in and out, within so many ms" ---- */

static int by_poll(int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};

	return poll(&p, 1, ms) < 0 ? -1 : p.revents;
}

static int by_alias_poll(int fd, int events, int ms)
{
	int (*call)(struct pollfd *, nfds_t, int) =
		(int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_DEFAULT, "__poll");
	struct pollfd p = {.fd = fd, .events = (short)events};

	return (call ? call : poll)(&p, 1, ms) < 0 ? -1 : p.revents;
}

static int by_poll_chk(int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};

	return __poll_chk(&p, 1, ms, sizeof(p)) < 0 ? -1 : p.revents;
}

static struct timespec *nanoseconds(struct timespec *t, int ms)
{
	*t = (struct timespec){ms / 1000, ms % 1000 * 1000000L};
	return ms < 0 ? NULL : t;
}

static int by_ppoll(int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};
	struct timespec t;

	return ppoll(&p, 1, nanoseconds(&t, ms), NULL) < 0 ? -1 : p.revents;
}

static int by_ppoll_chk(int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};
	struct timespec t;

	return __ppoll_chk(&p, 1, nanoseconds(&t, ms), NULL, sizeof(p)) < 0 ? -1 : p.revents;
}

typedef int select_call(int, fd_set *, fd_set *, fd_set *, struct timeval *);

static int with_select(select_call *call, int fd, int events, int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	fd_set in, out, except;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	if (events & POLLIN)
		FD_SET(fd, &in);
	if (events & POLLOUT)
		FD_SET(fd, &out);
	FD_SET(fd, &except);
	if (call(fd + 1, &in, &out, &except, ms < 0 ? NULL : &t) < 0)
		return -1;
	return (FD_ISSET(fd, &in) ? POLLIN : 0) | (FD_ISSET(fd, &out) ? POLLOUT : 0) |
	       (FD_ISSET(fd, &except) ? POLLPRI : 0);
}

static int by_select(int fd, int events, int ms)
{
	return with_select(select, fd, events, ms);
}

static int by_alias_select(int fd, int events, int ms)
{
	select_call *call = (select_call *)dlsym(RTLD_DEFAULT, "__select");

	return with_select(call ? call : select, fd, events, ms);
}

static int plain_pselect(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct timespec t = {timeout ? timeout->tv_sec : 0, timeout ? timeout->tv_usec * 1000 : 0};

	return pselect(n, in, out, except, timeout ? &t : NULL, NULL);
}

static int by_pselect(int fd, int events, int ms)
{
	return with_select(plain_pselect, fd, events, ms);
}

static const struct {
	const char *name;
	int (*call)(int fd, int events, int ms);
} calls[] = {
	{"poll", by_poll},
	{"__poll", by_alias_poll},
	{"__poll_chk", by_poll_chk},
	{"ppoll", by_ppoll},
	{"__ppoll_chk", by_ppoll_chk},
	{"select", by_select},
	{"__select", by_alias_select},
	{"pselect", by_pselect},
};

/* What each call says now. */
static void look(const char *label, int fd)
{
	struct line line = {.length = 0};

	for (size_t i = 0; i < COUNT(calls); i++)
		add(&line, " %s", poll_names(calls[i].call(fd, POLLIN | POLLOUT, 0)));
	tell("%s:%s", label, line.text);
}

/* ---- W01 ---- */

/* Each state of a socket with new and known associations, in each call. */
static void w01_states(void)
{
	int server = open_server();

	look("alone", server);
	connect_peer(new_peer(), server);
	connect_peer(new_peer(), server);
	look("connected", server);
	for (int k = 0; k < 2; k++)
		for (int p = 0; p < 2; p++) {
			peer_sends(&peers[p], 100);
			await_input(server);
			look("a message", server);
			peer_sends(&peers[1 - p], 50);
			look("two messages", server);
			note_next(server);
			look("one taken", server);
			note_next(server);
			look("both taken", server);
			tell_notes();
		}
	send_to_peer(server, &peers[0], 100);
	look("something sent", server);
	close_peer(&peers[0]);
	await_end(&peers[0]);
	look("A closed", server);
	abort_peer(&peers[1]);
	await_end(&peers[1]);
	look("B aborted", server);
	hear("then", server, MSG_DONTWAIT);
	look("still", server);
	connect_peer(new_peer(), server);
	peer_sends(&peers[2], 60);
	await_input(server);
	look("newcomer", server);
	hear_all("newcomer", server);
	look("newcomer taken", server);
	close_scene(server);
}

/* The ends of associations, to a program that wants to know of them. */
static void w01_ends(void)
{
	int server = open_scene(3);

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	close_peer(&peers[0]);
	await_end(&peers[0]);
	look("A closed", server);
	hear_all("A closed", server);
	look("heard", server);
	abort_peer(&peers[1]);
	await_end(&peers[1]);
	look("B aborted", server);
	hear_all("B aborted", server);
	look("heard", server);
	peer_sends(&peers[2], 50);
	close_peer(&peers[2]);
	await_end(&peers[2]);
	look("C spoke and closed", server);
	hear_all("C spoke and closed", server);
	look("heard", server);
	close_scene(server);
}

/* Which bits of events bring which of revents. */
static void w01_bits(void)
{
	static const int masks[] = {0,	     POLLIN,	 POLLPRI,    POLLOUT,
				    POLLERR, POLLHUP,	 POLLNVAL,   POLLRDNORM,
				    POLLMSG, POLLWRNORM, POLLRDBAND, POLLWRBAND,
				    0x7fff,  POLLRDHUP,	 POLLREMOVE, POLLIN | POLLRDNORM};
	int server = open_scene(1);

	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < COUNT(masks); i++) {
			struct pollfd p = {.fd = server, .events = (short)masks[i], .revents = 77};
			int n = poll(&p, 1, 0);

			tell("%#x: %d, revents %#x, events %#x", (unsigned)masks[i], n,
			     (unsigned)p.revents, (unsigned)p.events);
		}
		if (k == 0) {
			peer_sends(&peers[0], 60);
			await_input(server);
		}
	}
	close_scene(server);
}

/* Asleep until a known association speaks, a new one comes, or time is over. */
static void w01_sleeps(void)
{
	int server = open_scene_with_companion(3, false);

	for (int p = 0; p < 2; p++) {
		order_messages(&peers[p], 0, 1, 50);
		hear("greeting", server, 0);
	}
	for (size_t i = 0; i < COUNT(calls); i++)
		for (int k = 0; k < 2; k++) {
			int p = k == 0 ? 0 : i == 0 ? 2 : 1;
			int timeout = i % 2 ? -1 : 5000;
			double began = now();

			order_messages(&peers[p], 100, 1, 60);

			int ready = calls[i].call(server, POLLIN, timeout);

			tell("%s: %s %s", calls[i].name, poll_names(ready),
			     how_long(now() - began));
			hear("then", server, MSG_DONTWAIT);
			hear("then", server, MSG_DONTWAIT);
		}
	close_scene(server);
}

static void w01_timeouts(void)
{
	static const int times[] = {0, 1, 150};
	int server = open_scene(2);

	for (size_t i = 0; i < COUNT(calls); i++)
		for (size_t k = 0; k < COUNT(times); k++) {
			double took = 1000;
			int ready = 0;

			/* the shortest of three: a busy machine makes a wait late, but not each */
			for (int try = 0; try < 3; try++) {
				double began = now(), it_took;

				ready |= calls[i].call(server, POLLIN, times[k]);
				it_took = now() - began;
				took = it_took < took ? it_took : took;
			}
			tell("%s %d ms: %s %s%s", calls[i].name, times[k], poll_names(ready),
			     how_long(took), took * 1000 >= times[k] ? "" : " too early");
		}
	close_scene(server);
}

/* select tells what is left of its time, pselect and ppoll do not. Odd times get their errors. */
static void w01_times_left(void)
{
	struct timespec ns = {5, 5}, odd = {0, 1000000000}, negative = {-1, 0};
	struct timeval us = {5, 5}, odd_us = {0, 3000000}, negative_us = {0, -1};
	struct pollfd p = {.events = POLLIN}, *volatile nowhere = (struct pollfd *)8;
	volatile nfds_t too_many = 1U << 30;
	int server = open_scene(2);
	fd_set in;

	p.fd = server;
	for (int k = 0; k < 2; k++) {
		if (k == 1) {
			us = (struct timeval){0, 50000};
			ns = (struct timespec){0, 50000001};
		} else {
			peer_sends(&peers[0], 50);
			await_input(server);
		}
		FD_ZERO(&in);
		FD_SET(server, &in);
		OUTCOME("select", select(server + 1, &in, NULL, NULL, &us));
		tell("left: %s", us.tv_sec >= 4			     ? "most"
				 : us.tv_sec == 0 && us.tv_usec == 0 ? "nothing"
								     : "?");
		FD_ZERO(&in);
		FD_SET(server, &in);
		OUTCOME("pselect", pselect(server + 1, &in, NULL, NULL, &ns, NULL));
		tell("left: %s", ns.tv_nsec == (k ? 50000001 : 5) ? "all" : "?");
		OUTCOME("ppoll", ppoll(&p, 1, &ns, NULL));
		tell("left: %s", ns.tv_nsec == (k ? 50000001 : 5) ? "all" : "?");
		hear_all("then", server);
	}
	OUTCOME("ppoll, too many ns", ppoll(&p, 1, &odd, NULL));
	OUTCOME("ppoll, negative time", ppoll(&p, 1, &negative, NULL));
	OUTCOME("pselect, too many ns", pselect(server + 1, &in, NULL, NULL, &odd, NULL));
	FD_SET(server, &in);
	OUTCOME("select, negative time", select(server + 1, &in, NULL, NULL, &negative_us));
	peer_sends(&peers[0], 50);
	await_input(server);
	OUTCOME("select, too many us", select(server + 1, &in, NULL, NULL, &odd_us));
	OUTCOME("select, negative count", select(-1, &in, NULL, NULL, &us));
	OUTCOME("poll nowhere", poll(nowhere, 1, 0));
	OUTCOME("poll, nothing", poll(NULL, 0, 1));
	OUTCOME("poll, too many", poll(&p, too_many, 0));
	close_scene(server);
}

/* Pointers into nowhere, beside a socket that is ready (times are read by libc, not the kernel). */
static void w01_nowhere(void)
{
	int server = open_scene(2);
	void *volatile nowhere = (void *)8;
	struct pollfd p = {.fd = server, .events = POLLIN};
	struct timespec none = {0, 0};
	fd_set in;

	for (int k = 0; k < 2; k++) {
		FD_ZERO(&in);
		FD_SET(server, &in);
		OUTCOME("ppoll, mask nowhere", ppoll(&p, 1, &none, nowhere));
		OUTCOME("ppoll, set nowhere", ppoll(nowhere, 1, &none, NULL));
		OUTCOME("select, set nowhere", select(server + 1, nowhere, NULL, NULL, NULL));
		OUTCOME("pselect, mask nowhere",
			pselect(server + 1, &in, NULL, NULL, &none, nowhere));
		OUTCOME("pselect, other set nowhere",
			pselect(server + 1, &in, NULL, nowhere, &none, NULL));
		peer_sends(&peers[0], 50);
		await_input(server);
	}
	hear_all("then", server);
	close_scene(server);
}

static void tell_set(const char *label, struct pollfd *set, nfds_t n, int timeout)
{
	struct line line = {.length = 0};
	int found;

	for (nfds_t i = 0; i < n; i++)
		set[i].revents = 0x1111;
	found = poll(set, n, timeout);
	for (nfds_t i = 0; i < n; i++)
		add(&line, " %d:%s", set[i].fd, poll_names(set[i].revents));
	tell("%s: %d%s", label, found, line.text);
}

static void select_set(const char *label, const int *fds, size_t n)
{
	struct timeval none = {0, 0};
	struct line line = {.length = 0};
	fd_set in, out;
	int top = 0, found;

	FD_ZERO(&in);
	FD_ZERO(&out);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0) {
			FD_SET(fds[i], &in);
			FD_SET(fds[i], &out);
			top = fds[i] > top ? fds[i] : top;
		}
	found = select(top + 1, &in, &out, NULL, &none);
	for (int i = 0; i <= top; i++)
		if (FD_ISSET(i, &in) || FD_ISSET(i, &out))
			add(&line, " %d:%s%s", i, FD_ISSET(i, &in) ? "i" : "",
			    FD_ISSET(i, &out) ? "o" : "");
	tell("%s: select %d%s", label, found, line.text);
}

/* Several sockets, pipes, the same one twice, numbers that are negative, closed or not ready. */
static void w01_sets(void)
{
	int server = open_scene(2), pipes[2], other, twin, closed;

	other = open_server();
	connect_peer(new_peer(), other);
	greet(other, 1);
	twin = dup(server);
	if (pipe(pipes))
		die("pipe");
	closed = dup(pipes[0]);
	close(closed);

	struct pollfd set[] = {{server, POLLIN, 0},
			       {-1, POLLIN, 0},
			       {other, POLLIN | POLLOUT, 0},
			       {server, POLLIN | POLLOUT, 0},
			       {pipes[0], POLLIN, 0},
			       {pipes[1], POLLOUT, 0},
			       {twin, POLLIN, 0},
			       {-77, POLLOUT, 0},
			       {peers[0].fd, POLLIN | POLLOUT, 0},
			       {server, 0, 0},
			       {closed, POLLIN, 0}};
	const int fds[] = {server, other, pipes[0], pipes[1], twin, peers[0].fd};

	tell_set("nothing", set, COUNT(set), 0);
	select_set("nothing", fds, COUNT(fds));
	for (int p = 0; p < 3; p++) {
		peer_sends(&peers[p], 50);
		await_input(p < 2 ? server : other);
		tell_set(peers[p].name, set, COUNT(set), -1);
		select_set(peers[p].name, fds, COUNT(fds));
	}
	if (write(pipes[1], "x", 1) != 1)
		die("pipe");
	tell_set("pipe", set, COUNT(set) - 1, 5000);
	select_set("pipe", fds, COUNT(fds));
	note_next(server);
	tell_set("one read", set, COUNT(set), 0);
	note_next(twin);
	tell_set("two read", set, COUNT(set), 0);
	note_next(other);
	tell_set("three read", set, COUNT(set), 0);
	select_set("three read", fds, COUNT(fds));
	tell_notes();
	OUTCOME("select on a closed number", by_select(closed, POLLIN, 0));
	OUTCOME("poll on a closed number", by_poll(closed, POLLIN, 0));
	tell_set("only nobody", (struct pollfd[]){{-1, POLLIN, 0}, {-5, POLLIN, 0}}, 2, 50);
	close(other);
	close(twin);
	close_scene(server);
}

/* Asleep on two sockets, a pipe and a negative number: any of them ends the sleep. */
static void w01_sleeps_in_sets(void)
{
	int server, other, pipes[2];

	if (pipe(pipes))
		die("pipe");
	server = open_scene_with_companion(2, true);
	other = open_server();
	order_messages(&peers[0], 0, 1, 50);
	hear("greeting", server, 0);

	struct pollfd set[] = {
		{server, POLLIN, 0}, {-1, 0, 0}, {other, POLLIN, 0}, {pipes[0], POLLIN, 0}};
	double began = now();

	order_messages(&peers[1], 100, 1, 50);
	tell_set("asleep", set, COUNT(set), -1);
	tell("%s", how_long(now() - began));
	hear("then", server, 0);
	connect_peer(new_peer(), other);
	peer_sends(&peers[2], 50);
	await_input(other);
	tell_set("other", set, COUNT(set), -1);
	hear("then", other, 0);
	peer_sends(&peers[2], 50);
	await_input(other);
	order_messages(&peers[0], 100, 1, 50);
	tell_set("other again", set, COUNT(set), -1);
	hear("then", other, 0);
	tell_set("server again", set, COUNT(set), -1);
	hear("then", server, 0);
	if (write(pipes[1], "x", 1) != 1)
		die("pipe");
	tell_set("pipe", set, COUNT(set), -1);
	close(other);
	close_scene(server);
}

/* ---- signals ---- */

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void catch_alarms(int flags)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};

	sigaction(SIGUSR1, &action, NULL);
}

static void *signals_later(void *thread)
{
	pause_ms(100);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

/* poll and select never restart, whatever the handler's flags say. */
static void w01_interrupted(void)
{
	int server = open_scene(2);
	pthread_t me = pthread_self(), helper;

	for (int restart = 0; restart < 2; restart++) {
		catch_alarms(restart ? SA_RESTART : 0);
		for (size_t i = 0; i < COUNT(calls); i++) {
			double began = now();

			alarms = 0;
			pthread_create(&helper, NULL, signals_later, &me);
			errno = 0;
			int ready = calls[i].call(server, POLLIN, 5000);

			tell("%s, restart %d: %d %s, %d signals, %s", calls[i].name, restart, ready,
			     errno_name(errno), (int)alarms, how_long(now() - began));
			pthread_join(helper, NULL);
		}
	}
	peer_sends(&peers[0], 50);
	hear("then", server, 0);
	close_scene(server);
}

/* A blocked signal comes in exactly while ppoll or pselect sleep, and is blocked again after. */
static void w01_masks(void)
{
	int server = open_scene(2);
	struct pollfd p = {.fd = server, .events = POLLIN};
	struct timespec long_time = {5, 0}, no_time = {0, 0};
	sigset_t usr1, none, now_blocked;
	fd_set in;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	catch_alarms(0);
	for (int k = 0; k < 3; k++) {
		if (k == 1) {
			peer_sends(&peers[0], 50);
			await_input(server);
		}
		const struct timespec *time = k == 2 ? &no_time : &long_time;

		alarms = 0;
		raise(SIGUSR1);
		OUTCOME("ppoll", ppoll(&p, 1, time, &none));
		tell("%d signals", (int)alarms);
		raise(SIGUSR1);
		FD_ZERO(&in);
		FD_SET(server, &in);
		OUTCOME("pselect", pselect(server + 1, &in, NULL, NULL, time, &none));
		tell("%d signals", (int)alarms);
		raise(SIGUSR1);
		OUTCOME("__ppoll_chk", __ppoll_chk(&p, 1, time, &none, sizeof(p)));
		tell("%d signals", (int)alarms);
		raise(SIGUSR1);
		OUTCOME("ppoll that blocks it", ppoll(&p, 1, &no_time, &usr1));
		tell("%d signals", (int)alarms);
		OUTCOME("poll", poll(&p, 1, 0));
		tell("%d signals", (int)alarms);
		pthread_sigmask(SIG_SETMASK, NULL, &now_blocked);
		tell("blocked again: %d", sigismember(&now_blocked, SIGUSR1));
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
		tell("%d signals", (int)alarms);
		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
		hear_all("then", server);
	}
	close_scene(server);
}

/* ---- W03 ---- */

/* Many short sleeps: each ends, and what ended it can be received. */
static void w03_ping_pong(void)
{
	int server = open_scene_with_companion(3, false), empty = 0, late = 0, wrong = 0;
	struct receipt *r = new_receipt();
	unsigned random = 1;

	for (int k = 0; k < 400; k++) {
		random = random * 1103515245 + 12345;

		struct peer *peer = &peers[random >> 16 & 1 ? 0 : k > 200 ? 2 : 1];
		size_t i = (random >> 20) % COUNT(calls);

		order_messages(peer, (long)(random >> 8) % 3, 1, 60);
		if (!(calls[i].call(server, POLLIN, 5000) & POLLIN))
			late++;
		if (take(r, server, MSG_DONTWAIT) < 0)
			empty++;
		else
			wrong += !is_next(r);
	}
	tell_taken();
	tell("%d wrong messages", wrong);
	tell("%d sleeps too long, %d wake-ups for nothing", late, empty);
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

/* Associations that end quietly, to a program that asked for nothing, wake nobody. */
static void w03_quiet_ends(void)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		int server = open_scene_with_companion(3, true);
		double began = now();

		order(CLOSE, &peers[0], 30);
		order(ABORT, &peers[1], 10);
		int ready = calls[i].call(server, POLLIN, 120);

		tell("%s: %s %s", calls[i].name, poll_names(ready), how_long(now() - began));
		order_messages(&peers[2], 0, 1, 60);
		ready = calls[i].call(server, POLLIN, 5000);
		tell("%s: %s", calls[i].name, poll_names(ready));
		hear("then", server, 0);
		close_scene(server);
	}
}

/*
 * Ends, messages and newcomers mixed; whenever poll says that there is something, a receive that
 * may sleep must not. Without subscriptions, so that the ends are nothing to the program.
 */
static void w03_churn(void)
{
	int server = open_server(), slept = 0, heard = 0;
	struct receipt *r = new_receipt();

	set_timeout(server, SO_RCVTIMEO, 1000);
	for (int k = 0; k < 60; k++) {
		connect_peer(new_peer(), server);
		peer_sends(&peers[k], 60);
		if (k >= 2)
			peer_sends(&peers[k - 1], 70);
		if (k >= 3 && k % 2)
			close_peer(&peers[k - 3]);
		else if (k >= 3)
			abort_peer(&peers[k - 3]);
		while (poll_now(server) & POLLIN) {
			double began = now();

			take(r, server, 0);
			slept += now() - began > 0.5;
			heard += r->size > 0;
		}
	}
	tell("%d messages, %d sleeps in receives", heard, slept);
	close_scene(server);
}

/* The same to a program that subscribed: each notification is there when poll says so. */
static void w03_subscribed_churn(void)
{
	int server = open_server(), counts[2] = {0, 0}, empty = 0;
	struct receipt *r = new_receipt();

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	for (int k = 0; k < 60; k++) {
		connect_peer(new_peer(), server);
		peer_sends(&peers[k], 60);
		if (k >= 3 && k % 2)
			close_peer(&peers[k - 3]);
		else if (k >= 3)
			abort_peer(&peers[k - 3]);
		if (k >= 3)
			await_end(&peers[k - 3]);
		while (poll_now(server) & POLLIN) {
			if (take(r, server, MSG_DONTWAIT) < 0)
				empty++;
			else
				counts[!!(r->header.msg_flags & MSG_NOTIFICATION)]++;
		}
	}
	tell("%d messages, %d notifications, %d times nothing", counts[0], counts[1], empty);
	close_scene(server);
}

/* ---- W04: writable again ---- */

static void w04_room(void)
{
	int server = open_scene(2), n = 0;
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};
	struct pollfd p = {.fd = server, .events = POLLOUT};

	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	while (send_bytes(server, &s, message_buffer, 1000) == 1000)
		n++;
	OUTCOME("full", poll(&p, 1, 100));
	while (n > 0 && recv(peers[0].fd, message_buffer, 1000, 0) == 1000)
		n--;
	OUTCOME("drained", poll(&p, 1, 5000));
	tell("%s", poll_names(p.revents));
	OUTCOME("send", send_bytes(server, &s, message_buffer, 1000));
	close_scene(server);
}

/* ---- W05: signals ---- */

static volatile sig_atomic_t told, told_fd;

static void take_note(int number, siginfo_t *info, void *unused)
{
	(void)number;
	(void)unused;
	told++;
	told_fd = info->si_fd;
}

static void w05_signals(void)
{
	struct sigaction action = {.sa_sigaction = take_note, .sa_flags = SA_SIGINFO | SA_RESTART};
	int server = open_server();

	sigaction(SIGRTMIN, &action, NULL);
	fcntl(server, F_SETOWN, getpid());
	fcntl(server, F_SETSIG, SIGRTMIN);
	fcntl(server, F_SETFL, O_ASYNC);
	for (int i = 0; i < 2; i++)
		connect_peer(new_peer(), server);
	greet(server, 2);
	for (int i = 0; i < 4; i++) {
		told = 0;
		peer_sends(&peers[i & 1], 50);
		await_input(server);
		tell("%s, %s", told > 0 ? "told" : "not told",
		     told_fd == server ? "its number" : "?");
		hear("message", server, 0);
	}
	close_scene(server);
}

static const struct test tests[] = {
	{"w01-states", w01_states},
	{"w01-ends", w01_ends},
	{"w01-bits", w01_bits},
	{"w01-sleeps", w01_sleeps},
	{"w01-timeouts", w01_timeouts},
	{"w01-times-left", w01_times_left},
	{"w01-nowhere", w01_nowhere},
	{"w01-sets", w01_sets},
	{"w01-sleeps-in-sets", w01_sleeps_in_sets},
	{"w01-interrupted", w01_interrupted},
	{"w01-masks", w01_masks},
	{"w03-ping-pong", w03_ping_pong},
	{"w03-quiet-ends", w03_quiet_ends},
	{"w03-churn", w03_churn},
	{"w03-subscribed-churn", w03_subscribed_churn},
	{"w04-room", w04_room},
	{"w05-signals", w05_signals},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
