/* SPDX-License-Identifier: MIT */
/* contract_sets: rows W01 to W05 and P01, sets of poll, select and epoll at their margins. */
#include "contract.h"

enum { SETS = 300, CHANGES = 300, PIPES = 70, MANY = 1100, FAR = 3000 };

static const char text[1000];

/* ---- epoll ---- */

static void control(int set, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	if (epoll_ctl(set, op, fd, &event))
		die("epoll_ctl %d", op);
}

static int new_set(void)
{
	int set = epoll_create1(0);

	if (set < 0)
		die("epoll_create1");
	return set;
}

static void look(const char *label, int set, int ms)
{
	struct epoll_event events[4];
	int n = epoll_wait(set, events, 4, ms);

	if (n < 0)
		tell("%s: %d %s", label, n, errno_name(errno));
	else if (n == 1)
		tell("%s: %d %s, data %llu", label, n, poll_names((int)(events[0].events & 0x207f)),
		     (unsigned long long)events[0].data.u64);
	else
		tell("%s: %d", label, n);
}

/* ---- threads that change what another waits on ---- */

static volatile bool over;

static void *opens_and_closes(void *unused)
{
	(void)unused;
	while (!over) {
		int fd = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);

		if (fd < 0 || listen(fd, 1))
			die("socket");
		close(fd);
	}
	return NULL;
}

/* A set may get the number that another thread has closed a moment ago. */
static void w02_number_of_closed(void)
{
	int server = open_scene(1), foreign = 0, other = 0;
	struct epoll_event event;
	pthread_t helper;

	peer_sends(&peers[0], 50);
	await_input(server);
	pthread_create(&helper, NULL, opens_and_closes, NULL);
	for (int i = 0; i < SETS; i++) {
		int set = new_set();

		control(set, EPOLL_CTL_ADD, server, EPOLLIN, (uint64_t)i);
		other += epoll_wait(set, &event, 1, 0) != 1;
		foreign += event.data.u64 != (uint64_t)i;
		close(set);
	}
	over = true;
	pthread_join(helper, NULL);
	tell("not one event: %d, data of nobody: %d", other, foreign);
	hear("then", server, 0);
	close_scene(server);
}

enum { MARK = 4711 };

static int watched;
static volatile int events_seen, foreign_seen;

static void *waits(void *unused)
{
	struct epoll_event events[4];

	(void)unused;
	while (!over) {
		int n = epoll_wait(watched, events, 4, 10);

		for (int i = 0; i < n; i++) {
			events_seen++;
			foreign_seen += events[i].data.u64 != MARK;
		}
	}
	return NULL;
}

static void w02_taken_out(void)
{
	int server = open_scene(1);
	pthread_t helper;

	watched = new_set();
	peer_sends(&peers[0], 50);
	await_input(server);
	control(watched, EPOLL_CTL_ADD, server, EPOLLIN, MARK);
	pthread_create(&helper, NULL, waits, NULL);
	for (int i = 0; i < CHANGES || events_seen < 100; i++) {
		control(watched, EPOLL_CTL_DEL, server, 0, 0);
		control(watched, EPOLL_CTL_ADD, server, EPOLLIN, MARK);
		if (i % 10 == 0)
			pause_ms(1);
	}
	over = true;
	pthread_join(helper, NULL);
	tell("data of nobody: %d", foreign_seen);
	close(watched);
	hear("then", server, 0);
	close_scene(server);
}

static struct epoll_event woken_by;
static volatile int woken = -2;

static void *sleeps_for_ever(void *unused)
{
	(void)unused;
	woken = epoll_wait(watched, &woken_by, 1, -1);
	return NULL;
}

/* The set was empty when the thread fell asleep. */
static void w03_asleep_before_all(void)
{
	int server = open_scene(2);
	pthread_t helper;

	watched = new_set();
	pthread_create(&helper, NULL, sleeps_for_ever, NULL);
	pause_ms(300);
	control(watched, EPOLL_CTL_ADD, server, EPOLLIN, MARK);
	abort_peer(&peers[0]);
	await_end(&peers[0]);
	pause_ms(300);
	tell("%s", woken == -2 ? "asleep" : "awake");
	peer_sends(&peers[1], 50);
	pthread_join(helper, NULL);
	tell("%d event, data %llu", woken, (unsigned long long)woken_by.data.u64);
	hear("then", server, 0);
	close(watched);
	close_scene(server);
}

/* ---- times ---- */

static void w02_quiet_end_in_time(void)
{
	int set = new_set(), server = open_scene_with_companion(2, true);

	control(set, EPOLL_CTL_ADD, server, EPOLLIN, MARK);
	order(CLOSE, &peers[0], 50);
	order_messages(&peers[1], 400, 1, 60);
	look("asleep", set, 30000);
	hear("then", server, 0);
	close(set);
	close_scene(server);
}

/* Something is there, but the time is looked at first. */
static void w02_no_times(void)
{
	static const struct timespec times[] = {{-1, 0}, {0, -1000000}, {0, 1000000000}, {0, 0}};
	int set = new_set(), server = open_scene(1);
	struct epoll_event event;

	control(set, EPOLL_CTL_ADD, server, EPOLLIN, MARK);
	peer_sends(&peers[0], 50);
	await_input(server);
	for (size_t i = 0; i < COUNT(times); i++)
		OUTCOME("epoll_pwait2", epoll_pwait2(set, &event, 1, &times[i], NULL));
	hear("then", server, 0);
	close(set);
	close_scene(server);
}

/* ---- numbers ---- */

static void limit_numbers(rlim_t most)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = most;
	if (limit.rlim_max < most)
		limit.rlim_max = most;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE");
}

static void leave_no_number(void)
{
	int first = dup(STDOUT_FILENO);

	close(first);
	limit_numbers((rlim_t)first);
}

/* There is no number left when the socket joins the set. */
static void w02_joins_in_need(void)
{
	int set = new_set(), server = open_server();
	struct rlimit limit;

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	getrlimit(RLIMIT_NOFILE, &limit);
	leave_no_number();
	OUTCOME("dup", dup(STDOUT_FILENO));
	control(set, EPOLL_CTL_ADD, server, EPOLLIN, MARK);
	limit_numbers(limit.rlim_cur);
	for (int i = 0; i < 6; i++) {
		peer_sends(&peers[i & 1], 50);
		await_input(server);
		look("a message", set, 0);
		hear("it", server, 0);
	}
	close(set);
	close_scene(server);
}

/* The number that the socket was added by is closed, then another's. */
static void w02_second_number(void)
{
	int server = open_scene(2), set = new_set(), second;

	control(set, EPOLL_CTL_ADD, server, EPOLLIN, 1);
	second = fcntl(set, F_DUPFD, 0);
	for (int k = 0; k < 2; k++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = 2};
		int other;

		close(set);
		other = k ? dup(STDOUT_FILENO) : -1;
		OUTCOME("change", epoll_ctl(second, EPOLL_CTL_MOD, server, &event));
		peer_sends(&peers[k], 50);
		await_input(server);
		look("a message", second, 0);
		hear("it", server, 0);
		look("nothing", second, 0);
		OUTCOME("take out", epoll_ctl(second, EPOLL_CTL_DEL, server, NULL));
		OUTCOME("again", epoll_ctl(second, EPOLL_CTL_DEL, server, NULL));
		set = second;
		control(set, EPOLL_CTL_ADD, server, EPOLLIN, 3);
		second = fcntl(set, F_DUPFD, 0);
		close(other);
	}
	close(set);
	close(second);
	close_scene(server);
}

/* A socket is no set, and stays what it is. */
static void w02_no_set(void)
{
	int server = open_scene(2), other = open_server();
	struct epoll_event event = {.events = EPOLLIN};

	connect_peer(new_peer(), other);
	greet(other, 1);
	OUTCOME("a socket as a set", epoll_ctl(server, EPOLL_CTL_ADD, other, &event));
	OUTCOME("itself as a set", epoll_ctl(server, EPOLL_CTL_ADD, server, &event));
	OUTCOME("no number", epoll_ctl(-1, EPOLL_CTL_ADD, server, &event));
	for (int p = 0; p < 3; p++) {
		peer_sends(&peers[p], 50);
		await_input(p < 2 ? server : other);
		hear("then", p < 2 ? server : other, MSG_DONTWAIT);
	}
	close(other);
	close_scene(server);
}

/* Many are ready before the socket, and it is ready in two ways. */
static void w02_behind_many(void)
{
	int server = open_scene(1), set = new_set(), ends[2], ours = 0, others = 0, n;
	struct epoll_event events[200];
	uint32_t told = 0;

	if (pipe(ends) || write(ends[1], "", 1) != 1)
		die("pipe");
	for (int i = 0; i < PIPES; i++)
		control(set, EPOLL_CTL_ADD, dup(ends[0]), EPOLLIN, 1);
	control(set, EPOLL_CTL_ADD, server, EPOLLIN | EPOLLOUT, 2);
	peer_sends(&peers[0], 50);
	await_input(server);
	for (int k = 0; k < 3; k++) {
		ours = others = 0;
		n = epoll_wait(set, events, 200, 0);
		for (int i = 0; i < n; i++) {
			ours += events[i].data.u64 == 2;
			others += events[i].data.u64 == 1;
			told |= events[i].data.u64 == 2 ? events[i].events : 0;
		}
		tell("%d: %d others, it %d times, %s", n, others, ours, poll_names((int)told));
	}
	hear("then", server, 0);
	close(set);
	close_scene(server);
}

/* ---- poll and select ---- */

/* As many entries as there may be numbers; all but one are not in use. */
static void w01_all_entries(void)
{
	struct pollfd fds[64];
	int server = open_scene(1);

	peer_sends(&peers[0], 50);
	await_input(server);
	limit_numbers(COUNT(fds));
	for (int k = 0; k < 3; k++) {
		int at = k * 63 / 2;

		for (size_t i = 0; i < COUNT(fds); i++)
			fds[i] = (struct pollfd){.fd = -1, .events = POLLIN, .revents = 77};
		fds[at] = (struct pollfd){.fd = server, .events = POLLIN | POLLOUT};
		OUTCOME("poll", poll(fds, COUNT(fds), 0));
		tell("%s, another %d", poll_names(fds[at].revents), fds[at ? 0 : 1].revents);
	}
	hear("then", server, 0);
	close_scene(server);
}

/* A set as large as programs have it, with whatever else is on the stack behind it. */
struct on_stack {
	fd_set set;
	unsigned char behind[65536 / 8];
};

static void select_all(const char *label, int fd)
{
	struct on_stack s;
	struct timeval none = {0, 0};
	bool kept = true;

	memset(&s, 0xff, sizeof(s));
	FD_ZERO(&s.set);
	FD_SET(fd, &s.set);
	OUTCOME(label, select(getdtablesize(), &s.set, NULL, NULL, &none));
	for (size_t i = 0; i < sizeof(s.behind); i++)
		kept &= s.behind[i] == 0xff;
	tell("%s%s", FD_ISSET(fd, &s.set) ? "it is" : "it is not",
	     kept ? "" : ", what is behind has changed");
}

static void w01_as_many_as_can_be(void)
{
	int server, ends[2];

	limit_numbers(65536);
	server = open_scene(2);
	if (pipe(ends))
		die("pipe");
	for (int k = 0; k < 2; k++) {
		select_all("the socket", server);
		select_all("a pipe", ends[0]);
		peer_sends(&peers[0], 50);
		await_input(server);
		if (k == 0 && write(ends[1], "", 1) != 1)
			die("pipe");
	}
	hear("then", server, 0);
	close_scene(server);
}

/* Sets of any size: the bits by hand, for FD_SET looks at the size. */
static void put(unsigned char *set, int fd)
{
	set[fd / 8] |= (unsigned char)(1 << fd % 8);
}

static int select_many(unsigned char *set, int nfds)
{
	struct timeval none = {0, 0};

	return select(nfds, (fd_set *)(void *)set, NULL, NULL, &none);
}

static void w01_more_than_fit(void)
{
	_Alignas(fd_set) unsigned char set[8192 / 8];
	int server, ends[2], fds[MANY];

	limit_numbers(8192);
	server = open_scene(1);
	if (pipe(ends))
		die("pipe");
	for (int i = 0; i < MANY; i++)
		fds[i] = dup(ends[0]);
	for (int k = 0; k < 3; k++) {
		memset(set, 0, sizeof(set));
		put(set, server);
		for (int i = 0; i < MANY; i++)
			put(set, fds[i]);
		OUTCOME("select", select_many(set, fds[MANY - 1] + 1));
		tell("it is%s", set[server / 8] >> server % 8 & 1 ? "" : " not");
		if (k == 0) {
			peer_sends(&peers[0], 50);
			await_input(server);
		} else if (write(ends[1], "", 1) != 1) {
			die("pipe");
		}
	}
	hear("then", server, 0);
	close_scene(server);
}

/* Number 3000, and nothing below it for long. */
static void w01_far_up(void)
{
	_Alignas(fd_set) unsigned char set[8192 / 8];
	int server;

	limit_numbers(8192);
	server = open_scene(1);
	if (dup2(server, FAR) != FAR)
		die("dup2");
	for (int k = 0; k < 2; k++) {
		memset(set, 0, sizeof(set));
		put(set, FAR);
		OUTCOME("select", select_many(set, FAR + 1));
		tell("it is%s", set[FAR / 8] >> FAR % 8 & 1 ? "" : " not");
		if (k == 0) {
			peer_sends(&peers[0], 50);
			await_input(server);
		}
	}
	hear("then", server, 0);
	close(FAR);
	close_scene(server);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

/* One may come before the wait has begun. */
static void *signals_often(void *thread)
{
	while (!over) {
		pause_ms(100);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	}
	return NULL;
}

static void w01_interrupted_set(void)
{
	struct sigaction action = {.sa_handler = count_signal};
	pthread_t me = pthread_self(), helper;
	struct timespec time = {60, 0};
	int server = open_scene(2);

	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&helper, NULL, signals_often, &me);
	for (int k = 0; k < 2; k++) {
		struct pollfd fds[] = {{server, POLLIN, POLLIN},
				       {-1, POLLIN, POLLIN},
				       {server, POLLPRI, POLLNVAL}};

		OUTCOME("poll", k ? ppoll(fds, 3, &time, NULL) : poll(fds, 3, 60000));
		tell("%d %d %d", fds[0].revents, fds[1].revents, fds[2].revents);
	}
	over = true;
	pthread_join(helper, NULL);
	close_scene(server);
}

/* ---- signals for what comes ---- */

static bool is_told(void)
{
	for (int i = 0; i < 1000 && signals == 0; i++)
		pause_ms(10);
	return signals > 0;
}

static void hear_signals(int server)
{
	for (int i = 0; i < 4; i++) {
		signals = 0;
		peer_sends(&peers[i & 1], 50);
		await_input(server);
		tell("%s", is_told() ? "told" : "not told");
		hear("message", server, 0);
	}
}

static void handle_signals(void)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};

	sigaction(SIGIO, &action, NULL);
}

/* What this image does first to the socket that it was given is to ask for signals. */
static void given_socket(int server)
{
	struct sockaddr_in address = loopback(1, 0);

	handle_signals();
	if (fcntl(server, F_SETFL, O_ASYNC) || fcntl(server, F_SETOWN, getpid()))
		die("O_ASYNC");
	if (bind(server, (struct sockaddr *)&address, sizeof(address)) || listen(server, 100))
		die("given socket");
	subscribe(server, SUB_DATA);
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	greet(server, 2);
	hear_signals(server);
	close_scene(server);
}

/* The socket is made past libc, as by somebody who is another program. */
static void w05_given(void)
{
	static char name[] = "contract_sets", test[] = "w05-given";
	char *arguments[] = {name, test, NULL}, number[12];
	const char *given = getenv("CONTRACT_FD");

	if (given) {
		given_socket(atoi(given));
		return;
	}
	snprintf(number, sizeof(number), "%ld",
		 syscall(SYS_socket, AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP));
	setenv("CONTRACT_FD", number, 1);
	execv("/proc/self/exe", arguments);
	die("execv");
}

static void w05_after_the_peel(void)
{
	int server = open_scene(2);

	handle_signals();
	if (fcntl(server, F_SETOWN, getpid()) || fcntl(server, F_SETFL, O_ASYNC))
		die("O_ASYNC");
	hear_signals(server);
	close_scene(server);
}

/* ---- peers that take nothing for a while ---- */

static ssize_t send_text(int fd, const struct peer *peer, int flags)
{
	struct sending s = {.id = peer->id, .carrier = SNDRCV, .message_flags = flags};

	return send_bytes(fd, &s, text, sizeof(text));
}

/* Until no acknowledgement that is still under way makes room. */
static int fill(int fd, const struct peer *peer)
{
	int n = 0;

	for (int full = 0; full < 10;)
		if (send_text(fd, peer, MSG_DONTWAIT) == (ssize_t)sizeof(text)) {
			n++;
			full = 0;
		} else {
			full++;
			pause_ms(10);
		}
	return n;
}

static bool drain(const struct peer *peer, int count)
{
	static char room[sizeof(text)];
	int n = 0;

	while (n < count && recv(peer->fd, room, sizeof(room), 0) == (ssize_t)sizeof(room))
		n++;
	return n == count;
}

static int open_small_scene(void)
{
	struct sctp_rtoinfo soon = {.srto_initial = 100, .srto_max = 200, .srto_min = 50};
	int server = open_scene(1);

	/* what a full peer dropped goes out again soon */
	soon.srto_assoc_id = peers[0].id;
	if (setsockopt(server, SOL_SCTP, SCTP_RTOINFO, &soon, sizeof(soon)))
		die("SCTP_RTOINFO");
	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	return server;
}

static bool has_room(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, ms) == 1 && p.revents == POLLOUT;
}

static bool set_has_room(int set, int ms)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, ms) == 1 && event.events == EPOLLOUT;
}

/* Sends as long as there is room: none of them blocks. */
static int send_while(bool (*room)(int fd, int ms), int asked, int server)
{
	struct sigaction action = {.sa_handler = count_signal}, before;
	unsigned left = alarm(0);
	int n = 0;

	sigaction(SIGALRM, &action, &before);
	while (room(asked, 500)) {
		alarm(20);
		if (send_text(server, &peers[0], 0) != (ssize_t)sizeof(text)) {
			tell("a send that was to have room: %s", errno_name(errno));
			break;
		}
		n++;
	}
	sigaction(SIGALRM, &before, NULL);
	alarm(left);
	return n;
}

static void w04_room_is_room(void)
{
	int server = open_small_scene(), set = new_set(), n;

	n = send_while(has_room, server, server);
	tell("poll: some %d, full", n > 0);
	tell("all: %d", drain(&peers[0], n));
	tell("room: %d", has_room(server, 30000));
	control(set, EPOLL_CTL_ADD, server, EPOLLOUT, MARK);
	n = send_while(set_has_room, set, server);
	tell("epoll: some %d, full", n > 0);
	tell("all: %d", drain(&peers[0], n));
	tell("room: %d", set_has_room(set, 30000));
	close(set);
	close_scene(server);
}

/* It is closed between two stalls, or in one; the set knows the socket by the second number. */
static void stall_and_close(bool in_stall)
{
	int server = open_small_scene(), second = dup(server), set = new_set(), n;

	tell("== closed %s", in_stall ? "in a stall" : "between stalls");
	control(set, EPOLL_CTL_ADD, second, EPOLLOUT, MARK);
	n = fill(server, &peers[0]);
	look("full", set, 100);
	if (in_stall)
		close(server);
	look("full", set, 100);
	tell("all: %d", drain(&peers[0], n));
	look("drained", set, 30000);
	if (!in_stall)
		close(server);
	for (int k = 0; k < 2; k++) {
		n = fill(second, &peers[0]);
		look("full again", set, 100);
		tell("poll: %d", has_room(second, 0));
		tell("all: %d", drain(&peers[0], n));
		look("drained", set, 30000);
	}
	close(set);
	close_scene(second);
}

static void w04_first_number_goes(void)
{
	stall_and_close(false);
	stall_and_close(true);
}

/* The parent has had a stall, which is over; the child has one of its own. */
static void p01_stall_of_the_child(void)
{
	int server = open_small_scene(), n = fill(server, &peers[0]);

	tell("full: room %d", has_room(server, 100));
	tell("all: %d", drain(&peers[0], n));
	tell("room: %d", has_room(server, 30000));
	if (fork() == 0) {
		n = fill(server, &peers[0]);
		OUTCOME("child sends", send_text(server, &peers[0], MSG_DONTWAIT));
		tell("room: %d", has_room(server, 100));
		tell("all: %d", drain(&peers[0], n));
		tell("room: %d", has_room(server, 30000));
		_exit(0);
	}
	wait(NULL);
	close_scene(server);
}

static void succeed(pid_t parent, int server)
{
	for (int i = 0; i < 3000 && getppid() == parent; i++)
		pause_ms(10);
	tell("the parent is gone: %d", getppid() != parent);
	tell("room: %d", has_room(server, 100));
	abort_peer(&peers[0]);
	tell("room after the abort: %d", has_room(server, 20000));
}

/* A stall that began in a process that is no more ends in its successor. */
static void p01_stall_outlives(void)
{
	int line[2], server;
	pid_t parent;
	char byte;

	if (pipe(line))
		die("pipe");
	if (fork() == 0) {
		server = open_small_scene();
		fill(server, &peers[0]);
		tell("room: %d", has_room(server, 100));
		parent = getpid();
		if (fork() == 0)
			succeed(parent, server);
		_exit(0);
	}
	close(line[1]);
	/* both have it open until they end */
	while (read(line[0], &byte, 1) > 0)
		;
	wait(NULL);
}

static const struct test tests[] = {
	{"w01-all-entries", w01_all_entries},
	{"w01-as-many-as-can-be", w01_as_many_as_can_be},
	{"w01-more-than-fit", w01_more_than_fit},
	{"w01-far-up", w01_far_up},
	{"w01-interrupted-set", w01_interrupted_set},
	{"w02-number-of-closed", w02_number_of_closed},
	{"w02-taken-out", w02_taken_out},
	{"w02-quiet-end-in-time", w02_quiet_end_in_time},
	{"w02-no-times", w02_no_times},
	{"w02-joins-in-need", w02_joins_in_need},
	{"w02-second-number", w02_second_number},
	{"w02-no-set", w02_no_set},
	{"w02-behind-many", w02_behind_many},
	{"w03-asleep-before-all", w03_asleep_before_all},
	{"w04-room-is-room", w04_room_is_room},
	{"w04-first-number-goes", w04_first_number_goes},
	{"w05-given", w05_given},
	{"w05-after-the-peel", w05_after_the_peel},
	{"p01-stall-of-the-child", p01_stall_of_the_child},
	{"p01-stall-outlives", p01_stall_outlives},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
