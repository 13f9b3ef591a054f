/* SPDX-License-Identifier: MIT */
/* contract_margins: what a program may do at the margins of a receive. */
#include <linux/filter.h>
#include <sched.h>
#include <sys/mman.h>

#include "contract.h"

#ifndef SCTP_SEND_FAILED_EVENT
#define SCTP_SEND_FAILED_EVENT (SCTP_SN_TYPE_BASE + 13)
#endif

/* ---- R03: a name that has less room than it is long ---- */

/* As much room as was asked for, and nothing behind it. */
static void *end_of_page(size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + page, page, PROT_NONE))
		die("pages");
	return at + page - room;
}

static int open_server_in6(void)
{
	struct sockaddr_in address = loopback(1, 0);
	int fd = socket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 5))
		die("server");
	be_prompt(fd);
	subscribe(fd, SUB_DATA);
	return fd;
}

static void hear_with_little_room(int server, socklen_t room, bool by_recvfrom)
{
	void *name = end_of_page(room);
	struct iovec iov = {message_buffer, sizeof(message_buffer)};
	struct msghdr header = {
		.msg_name = name, .msg_namelen = room, .msg_iov = &iov, .msg_iovlen = 1};
	struct sockaddr_storage start = {.ss_family = AF_UNSPEC};
	ssize_t n;

	await_input(server);
	n = by_recvfrom ? recvfrom(server, message_buffer, sizeof(message_buffer), 0, name,
				   &header.msg_namelen)
			: recvmsg(server, &header, 0);
	memcpy(&start, name, room);

	struct peer *peer = room < 4 ? NULL : peer_of_port(port_of(&start));

	tell("room for %u: %zd %s, the name has %u, %s", room, n,
	     message_number(message_buffer, (size_t)n) < 0 ? "damaged" : "whole",
	     header.msg_namelen, peer ? peer->name : "of nobody");
}

static void r03_names_end(void)
{
	static const socklen_t rooms[] = {sizeof(struct sockaddr_in6), 27, 16, 8, 4, 1};
	int server = open_server_in6();

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	greet(server, 2);
	for (size_t i = 0; i < COUNT(rooms); i++)
		for (int p = 0; p < 2; p++) {
			peer_sends(&peers[p], 50);
			hear_with_little_room(server, rooms[i], p);
		}
	close_scene(server);
}

/* ---- N05: a notification that is read in parts ---- */

/* Its kernel no longer hears us. */
static void deafen(struct peer *peer)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &nothing};

	if (setsockopt(peer->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		die("SO_ATTACH_FILTER");
}

/* Every second byte of it begins what looks like an SCTP_ASSOC_CHANGE. */
static void fail_a_message(int server, struct peer *peer)
{
	const uint16_t type = SCTP_ASSOC_CHANGE;
	struct sending s = {.id = peer->id, .carrier = SNDRCV};
	char bytes[300];

	for (size_t i = 0; i < sizeof(bytes); i += sizeof(type))
		memcpy(bytes + i, &type, sizeof(type));
	deafen(peer);
	OUTCOME("send", send_bytes(server, &s, bytes, sizeof(bytes)));
	abort_peer(peer);
	await_end(peer);
}

/* Its header has ids, which vary; what follows, the failed message, is told. */
static bool hear_part(int server, size_t size, size_t header)
{
	static struct receipt *r;
	static size_t before;
	struct line line = {.length = 0};

	r = r ? r : new_receipt();
	r->capacity = size;
	if (take(r, server, MSG_DONTWAIT) < 0) {
		tell("then: %s", errno_name(r->error));
		return false;
	}
	describe(&line, r);
	if (before >= header)
		add(&line, ", begins with %02x%02x", (uint8_t)r->data[0], (uint8_t)r->data[1]);
	tell("part:%s", line.text);
	before = r->header.msg_flags & MSG_EOR ? 0 : before + (size_t)r->size;
	return true;
}

/* What the program does between the parts changes nothing. */
static void do_something_else(int server, sctp_assoc_t id)
{
	struct sctp_status status = {.sstat_assoc_id = id};
	struct sending s = {.id = id, .carrier = SNDRCV};
	socklen_t length = sizeof(status);

	tell("poll: %s", poll_names(poll_now(server)));
	OUTCOME("send", send_bytes(server, &s, "x", 1));
	OUTCOME("option", getsockopt(server, SOL_SCTP, SCTP_STATUS, &status, &length));
}

static void n05_in_parts(void)
{
	static const struct {
		int type;
		size_t header;
	} types[] = {{SCTP_SEND_FAILED, sizeof(struct sctp_send_failed)},
		     {SCTP_SEND_FAILED_EVENT, sizeof(struct sctp_send_failed_event)}};
	static const size_t sizes[] = {64, 96, 2, 0};

	for (size_t i = 0; i < COUNT(types) * COUNT(sizes); i++) {
		int server = open_scene(2), type = types[i % 2].type;
		size_t size = sizes[i / 2];
		sctp_assoc_t id = peers[0].id;
		struct sctp_event event = {
			.se_assoc_id = SCTP_ALL_ASSOC, .se_type = (uint16_t)type, .se_on = 1};

		tell("== type %#x, parts of %zu", type, size);
		if (setsockopt(server, SOL_SCTP, SCTP_EVENT, &event, sizeof(event)))
			die("SCTP_EVENT");
		fail_a_message(server, &peers[0]);
		while (hear_part(server, size ? size : 64, types[i % 2].header))
			if (size == 0)
				do_something_else(server, id);
		peer_sends(&peers[1], 50);
		hear("B", server, 0);
		close_scene(server);
	}
}

/* ---- N03: room for nothing ---- */

static void hear_into_nothing(const char *label, int server)
{
	struct receipt *r = new_receipt();
	struct line line = {.length = 0};

	r->capacity = 0;
	take(r, server, MSG_DONTWAIT);
	describe(&line, r);
	tell("%s, into nothing:%s", label, line.text);
	free(r);
}

static void n03_into_nothing(void)
{
	for (int how = 0; how < 4; how++) {
		int server = open_scene(2);

		tell("== %s, %s", how & 1 ? "abort" : "close", how & 2 ? "data" : "no events");
		subscribe(server, how & 2 ? SUB_DATA : 0);
		if (how & 1)
			abort_peer(&peers[0]);
		else
			close_peer(&peers[0]);
		await_end(&peers[0]);
		hear_into_nothing("the end", server);
		hear_into_nothing("again", server);
		peer_sends(&peers[1], 50);
		await_input(server);
		hear_into_nothing("B", server);
		hear("B", server, 0);
		hear_into_nothing("then", server);
		close_scene(server);
	}
}

/* ---- T03: what stops, continues or doubles a sleeper ---- */

static char state_of(pid_t pid)
{
	char path[40], text[400];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strrchr(text, ')');
	return at && at[1] ? at[2] : '?';
}

/* A few looks, for it may sleep for a moment on its way. It ends the wait, too, if it has ended. */
static void await_state(pid_t pid, char state)
{
	int seen = 0;

	for (int i = 0; i < 1000 && seen < 5; i++) {
		seen = state_of(pid) == state ? seen + 1 : 0;
		pause_ms(10);
	}
}

static void do_nothing(int number)
{
	(void)number;
}

static void on_signal(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigaction(number, &action, NULL);
}

/* A helper that shares nothing with the program but the peers' sockets and a pipe. */
static void start_helper(void (*run)(int), int ends[2])
{
	if (pipe(ends))
		die("pipe");
	fflush(stdout);
	if (fork() == 0) {
		alarm(context_minutes() * 60);
		close(ends[1]);
		run(ends[0]);
		_exit(0);
	}
	close(ends[0]);
}

enum { STOPS = 3 };

static void stop_and_continue(int orders)
{
	char order;

	peers[0].sent = 1;
	for (int i = 0; i < STOPS && read(orders, &order, 1) == 1; i++) {
		await_state(getppid(), 'S');
		kill(getppid(), SIGSTOP);
		await_state(getppid(), 'T');
		kill(getppid(), SIGCONT);
		await_state(getppid(), 'S');
		peer_sends(&peers[0], 50);
	}
}

static void t03_stopped(void)
{
	struct receipt *r = new_receipt();
	int orders[2], server;

	on_signal(SIGTERM, do_nothing, 0);
	new_peer();
	start_helper(stop_and_continue, orders);
	server = open_server();
	connect_peer(&peers[0], server);
	greet(server, 1);
	for (int i = 0; i < STOPS; i++) {
		struct line line = {.length = 0};

		if (write(orders[1], "x", 1) != 1)
			die("order");
		take_by_recvmsg(r, server, 0);
		describe(&line, r);
		tell("stopped and continued:%s", line.text);
	}
	wait(NULL);
	close(orders[1]);
	close_scene(server);
}

/* ---- T03 P01: a handler that forks ---- */

static volatile pid_t twin;
static int twin_line;

static void double_myself(int number)
{
	pid_t child = fork();

	(void)number;
	twin = child;
	if (child == 0)
		alarm(context_minutes() * 20);
	else if (write(twin_line, &child, sizeof(child)) != sizeof(child))
		_exit(98);
}

/* One message for each of the two. */
static void double_the_sleeper(int line)
{
	char greeted;
	pid_t child;

	if (read(line, &greeted, 1) != 1)
		return;
	await_state(getppid(), 'S');
	kill(getppid(), SIGUSR1);
	if (read(line, &child, sizeof(child)) != sizeof(child))
		return;
	await_state(getppid(), 'S');
	await_state(child, 'S');
	for (int p = 0; p < 2; p++) {
		peers[p].sent = (unsigned)greeted;
		peer_sends(&peers[p], 50);
	}
}

static void receive_once_and_answer(int server)
{
	struct receipt *r = new_receipt();
	struct sending s = {.carrier = SNDRCV};
	struct peer *peer;

	if (take_by_recvmsg(r, server, 0) < 0)
		die("receive of %s", twin ? "the first" : "the twin");
	learn(r);
	peer = peer_of_port(port_of(&r->name));
	s.id = peer ? peer->id : -1;
	if (send_bytes(server, &s, r->data, (size_t)r->size) != r->size)
		die("answer of %s", twin ? "the first" : "the twin");
	free(r);
}

static void two_of_one(char greeted)
{
	int ends[2], server, status = 0;

	for (int p = 0; p < 2; p++)
		new_peer();
	start_helper(double_the_sleeper, ends);
	twin_line = ends[1];
	server = open_server();
	for (int p = 0; p < 2; p++)
		connect_peer(&peers[p], server);
	if (greeted)
		greet(server, 2);
	if (write(twin_line, &greeted, 1) != 1)
		die("order");
	receive_once_and_answer(server);
	if (twin == 0)
		_exit(7);
	waitpid(twin, &status, 0);
	tell("the twin: %s %d", WIFEXITED(status) ? "exits with" : "is killed by",
	     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	for (int p = 0; p < 2; p++)
		peer_hears(&peers[p]);
	wait(NULL);
	for (int p = 0; p < 2; p++) {
		peers[p].sent = 5;
		peer_sends(&peers[p], 40);
		hear("alone again", server, 0);
	}
	close(twin_line);
	close_scene(server);
}

static void t03_doubled(void)
{
	/* the handlers must agree, or no library can know which one it was */
	on_signal(SIGPIPE, count_sigpipe, SA_RESTART);
	on_signal(SIGUSR1, double_myself, SA_RESTART);
	tell("== nothing was heard before");
	two_of_one(0);
	tell("== all were heard before");
	two_of_one(1);
}

/* ---- F01: no file can be had ---- */

/* Root for all its life; what the limit was it is again in the end, whatever becomes of us. */
static void keep_the_limit(int line)
{
	int fd = open("/proc/sys/fs/file-max", O_RDWR | O_CLOEXEC);
	char before[40], command;
	ssize_t n = read(fd, before, sizeof(before));

	if (n <= 0)
		die("file-max");
	for (int i = 0; i < 3 && read(line, &command, 1) == 1; i++) {
		if (command == 'l' && pwrite(fd, "1\n", 2, 0) != 2)
			break;
		if (command == 'r' && pwrite(fd, before, (size_t)n, 0) != n)
			break;
		if (write(line, &command, 1) != 1)
			break;
	}
	if (pwrite(fd, before, (size_t)n, 0) != n)
		die("file-max stays low");
}

static void set_limit(int line, char command)
{
	char done = 0;

	if (write(line, &command, 1) != 1 || read(line, &done, 1) != 1 || done != command)
		die("limit %c", command);
}

static int start_keeper(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		die("socketpair");
	fflush(stdout);
	if (fork() == 0) {
		close(ends[0]);
		keep_the_limit(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

/* All that it says arrives, and it hears the answer. */
static void talk(int server, struct peer *peer, int count)
{
	for (int i = 0; i < count; i++) {
		peer_sends(peer, 50);
		await_input(server);
		hear("heard", server, MSG_DONTWAIT);
	}
	OUTCOME("answer", send_to_peer(server, peer, 60));
	peer_hears(peer);
}

static void f01_no_file(void)
{
	int keeper = start_keeper(), server = open_scene(1);

	connect_peer(new_peer(), server);
	if (setresuid(65534, 65534, 65534))
		die("setresuid");
	set_limit(keeper, 'l');
	OUTCOME("a file", open("/dev/null", O_RDONLY));
	talk(server, &peers[1], 5);
	talk(server, &peers[0], 2);
	set_limit(keeper, 'r');
	talk(server, &peers[1], 2);
	talk(server, &peers[0], 2);
	close(keeper);
	wait(NULL);
	close_scene(server);
}

/* ---- D03: the standard descriptors are closed ---- */

static struct {
	pthread_t thread;
	bool over;
	int written[3];
} strays;

static void *write_strays(void *unused)
{
	while (!__atomic_load_n(&strays.over, __ATOMIC_ACQUIRE)) {
		for (int fd = 0; fd < 3; fd++)
			strays.written[fd] += write(fd, "stray", 5) >= 0;
		pause_ms(1);
	}
	return unused;
}

static void without_standard_descriptors(void (*act)(int), int server)
{
	int kept[3];

	fflush(stdout);
	for (int fd = 0; fd < 3; fd++) {
		kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		close(fd);
	}
	strays.over = false;
	if (pthread_create(&strays.thread, NULL, write_strays, NULL))
		_exit(98);
	act(server);
	__atomic_store_n(&strays.over, true, __ATOMIC_RELEASE);
	pthread_join(strays.thread, NULL);
	for (int fd = 0; fd < 3; fd++) {
		dup2(kept[fd], fd);
		close(kept[fd]);
	}
}

static struct receipt *quietly_heard;

static void hear_quietly(int server)
{
	take(quietly_heard, server, 0);
	pause_ms(20);
}

static void d03_strays(void)
{
	int server = open_scene(1);

	quietly_heard = new_receipt();
	sigpipes = 0;
	for (int i = 0; i < 3; i++) {
		struct peer *peer = new_peer();
		struct line line = {.length = 0};

		connect_peer(peer, server);
		peer_sends(peer, 50);
		await_input(server);
		without_standard_descriptors(hear_quietly, server);
		describe(&line, quietly_heard);
		tell("heard:%s", line.text);
		OUTCOME("answer", send_to_peer(server, peer, 40));
		peer_hears(peer);
		peer_hears_nothing_more(peer);
	}
	for (int fd = 0; fd < 3; fd++)
		tell("write to %d: %s", fd, strays.written[fd] ? "went somewhere" : "fails");
	tell("%d SIGPIPE", (int)sigpipes);
	close_scene(server);
}

/* ---- R05: a message that is given up ---- */

/* More than the window, whose beginning is there. */
static void say_what_is_given_up(int server, struct peer *peer)
{
	const size_t size = 120000;
	const uint32_t ttl_ms = 2000;

	set_int(peer->fd, SOL_SOCKET, SO_SNDBUF, 400000);
	make_message(message_buffer, peer->name, peer->sent++, size);
	if (sctp_sendmsg(peer->fd, message_buffer, size, NULL, 0, 0, SCTP_PR_SCTP_TTL, 0, ttl_ms,
			 0) != (int)size)
		die("%s sends", peer->name);
	await_input(server);
	pause_ms(ttl_ms * 3 / 2);
}

/* In each turn a minute passes for who has preloads/minutes.c. */
static bool hears_in_the_end(int server, const struct peer *peer)
{
	struct receipt *r = new_receipt();
	bool ret = false;

	for (int i = 0; i < 100 && !ret; i++) {
		while (!ret && take(r, server, MSG_DONTWAIT) >= 0) {
			ret = peer_of_port(port_of(&r->name)) == peer;
			if (!ret && r->header.msg_flags & MSG_EOR)
				tell("all of it came");
		}
		sched_yield();
		pause_ms(ret ? 0 : 100);
	}
	free(r);
	return ret;
}

static void r05_given_up(void)
{
	int server = open_scene(2);
	struct receipt *r = new_receipt();

	set_int(server, SOL_SOCKET, SO_RCVBUF, 20000);
	for (int p = 2; p < 4; p++) {
		/* a message in many chunks can come in part */
		struct sctp_assoc_value chunk = {.assoc_value = 1000};

		if (setsockopt(new_peer()->fd, SOL_SCTP, SCTP_MAXSEG, &chunk, sizeof(chunk)))
			die("SCTP_MAXSEG");
		connect_peer(&peers[p], server);
	}
	greet(server, 2);
	say_what_is_given_up(server, &peers[2]);
	r->capacity = 24;
	take(r, server, MSG_DONTWAIT);
	tell("%zd, %s", r->size, r->header.msg_flags & MSG_EOR ? "all" : "a part");
	peer_sends(&peers[3], 50);
	tell("D is %s", hears_in_the_end(server, &peers[3]) ? "heard" : "never heard");
	hear("then", server, MSG_DONTWAIT);
	free(r);
	close_scene(server);
}

/* ---- N04: the old end in a crowd ---- */

enum { CROWD = 200 };

static void connect_again(struct peer *peer, int server)
{
	struct sockaddr_in from = loopback(1, peer->port), to = loopback(1, local_port(server));

	peer->fd = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	be_prompt(peer->fd);
	subscribe(peer->fd, SUB_DATA);
	if (bind(peer->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(peer->fd, (struct sockaddr *)&to, sizeof(to)))
		die("%s again", peer->name);
}

static void describe_life(struct line *line, struct receipt *r, sctp_assoc_t old)
{
	const union sctp_notification *n = (const void *)r->data;
	struct sctp_sndrcvinfo info = {.sinfo_assoc_id = 0};
	struct cmsghdr *c = CMSG_FIRSTHDR(&r->header);

	if (r->header.msg_flags & MSG_NOTIFICATION) {
		add(line, "%s: %s", n->sn_assoc_change.sac_assoc_id == old ? "old" : "new",
		    state_name(n->sn_assoc_change.sac_state));
		return;
	}
	if (c)
		memcpy(&info, CMSG_DATA(c), sizeof(info));
	add(line, "%s:", info.sinfo_assoc_id == old ? "old" : "new");
	add_message(line, r->data, (size_t)r->size);
}

static void hear_the_crowd(int server, const struct peer *of, sctp_assoc_t old)
{
	struct receipt *r = new_receipt();
	int others = 0;

	while (take(r, server, MSG_DONTWAIT) >= 0) {
		struct line line = {.length = 0};

		if (peer_of_port(port_of(&r->name)) != of) {
			others++;
			continue;
		}
		describe_life(&line, r, old);
		tell("%s", line.text);
	}
	tell("%d of others", others);
	free(r);
}

static void n04_crowd(void)
{
	for (int unread = 0; unread < 2; unread++) {
		int server = open_scene(CROWD);
		struct peer *peer = &peers[CROWD - 1];
		sctp_assoc_t old = peer->id;

		subscribe(server, SUB_DATA | SUB_ASSOC);
		/* so that the original is the first that became readable */
		connect_peer(new_peer(), server);
		for (int p = 0; p < CROWD - 1; p++)
			peer_sends(&peers[p], 40);
		if (unread)
			peer_sends(peer, 40);
		close_peer(peer);
		await_end(peer);
		connect_again(peer, server);
		peer_sends(peer, 50);
		hear_the_crowd(server, peer, old);
		close_scene(server);
	}
}

static const struct test tests[] = {
	{"r03-names-end", r03_names_end},
	{"n05-in-parts", n05_in_parts},
	{"n03-into-nothing", n03_into_nothing},
	{"t03-stopped", t03_stopped},
	{"t03-doubled", t03_doubled},
	{"f01-no-file", f01_no_file},
	{"d03-strays", d03_strays},
	{"r05-given-up", r05_given_up},
	{"n04-crowd", n04_crowd},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
