/* SPDX-License-Identifier: MIT */
/* contract_descriptors: rows D01 to D04 and D07, numbers and what they stand for. */
#include <linux/close_range.h>
#include <spawn.h>

#include "contract.h"

/* All still works under this number: both ways, with all peers. */
static void still_works(const char *label, int fd)
{
	struct line line = {.length = 0};
	struct receipt *r = new_receipt();

	add(&line, "%s (%d):", label, fd);
	for (int p = 0; p < peer_count; p++) {
		char buffer[100];

		if (peers[p].fd < 0)
			continue;
		peer_sends(&peers[p], 50);
		if (take(r, fd, 0) < 0)
			add(&line, " %s", errno_name(errno));
		else
			add_message(&line, r->data, (size_t)r->size);
		if (send_to_peer(fd, &peers[p], 40) != 40)
			add(&line, " send %s", errno_name(errno));
		else if (recv(peers[p].fd, buffer, sizeof(buffer), 0) != 40)
			add(&line, " %s hears nothing", peers[p].name);
	}
	tell("%s", line.text);
	free(r);
}

static void all_hear(void)
{
	for (int p = 0; p < peer_count; p++)
		if (peers[p].fd >= 0)
			peer_hears(&peers[p]);
}

/* ---- D01: several numbers for one socket ---- */

static int dup_any(int fd)
{
	return dup(fd);
}

static int dup_to_50(int fd)
{
	return dup2(fd, 50);
}

static int dup_to_51_cloexec(int fd)
{
	return dup3(fd, 51, O_CLOEXEC);
}

static int dup_over_another(int fd)
{
	return dup2(fd, open("/dev/null", O_RDONLY));
}

static int dup_from_60(int fd)
{
	return fcntl(fd, F_DUPFD, 60);
}

static int dup_from_70_cloexec(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 70);
}

static int dup_by_alias(int fd)
{
	int (*call)(int, int) = (int (*)(int, int))dlsym(RTLD_DEFAULT, "__dup2");

	return (call ? call : dup2)(fd, 80);
}

static const struct {
	const char *name;
	int (*call)(int fd);
} dups[] = {{"dup", dup_any},
	    {"dup2", dup_to_50},
	    {"dup3", dup_to_51_cloexec},
	    {"dup2 over another", dup_over_another},
	    {"F_DUPFD", dup_from_60},
	    {"F_DUPFD_CLOEXEC", dup_from_70_cloexec},
	    {"__dup2", dup_by_alias}};

/* Made early or late; the first number closed; the last close ends it. */
static void d01_dups(void)
{
	for (size_t i = 0; i < COUNT(dups); i++)
		for (int early = 0; early < 2; early++) {
			int server = open_server(), twin = -1;

			tell("== %s, %s", dups[i].name, early ? "early" : "late");
			if (early)
				twin = dups[i].call(server);
			for (int p = 0; p < 2; p++)
				connect_peer(new_peer(), server);
			greet(server, 2);
			if (!early)
				twin = dups[i].call(server);
			tell("flags %#x", (unsigned)fcntl(twin, F_GETFD));
			still_works("server", server);
			still_works("twin", twin);
			OUTCOME("close", close(server));
			OUTCOME("close again", close(server));
			still_works("twin alone", twin);
			connect_peer(new_peer(), twin);
			greet(twin, 1);
			still_works("twin, newcomer", twin);
			OUTCOME("close the last", close(twin));
			all_hear();
			close_scene(-1);
		}
}

/* A chain of them, closed in any order; each has the flags of the one open socket. */
static void d01_chain(void)
{
	int numbers[8];

	numbers[0] = open_scene(2);
	for (int i = 1; i < 8; i++)
		numbers[i] = dup(numbers[(i * 3) % i]);
	fcntl(numbers[3], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 8; i++)
		tell("%d: status %#x", numbers[i], (unsigned)fcntl(numbers[i], F_GETFL));
	hear("nothing there", numbers[6], 0);
	fcntl(numbers[7], F_SETFL, 0);
	for (int i = 0; i < 7; i++) {
		close(numbers[(i * 3) % 8]);
		still_works("the rest", numbers[21 % 8]);
	}
	close(numbers[21 % 8]);
	all_hear();
	close_scene(-1);
}

/* What is put over the number of a socket ends it, or does not if there is another number. */
static void d01_overwritten(void)
{
	for (int twins = 0; twins < 2; twins++)
		for (int how = 0; how < 3; how++) {
			int server = open_scene(2), twin = twins ? dup(server) : -1;
			int file = open("/dev/null", O_RDONLY), other = -1;

			tell("== how %d, twins %d", how, twins);
			if (how == 2) {
				other = open_server();
				connect_peer(new_peer(), other);
				greet(other, 1);
			}
			OUTCOME("over it", how == 0   ? dup2(file, server)
					   : how == 1 ? dup3(file, server, O_CLOEXEC)
						      : dup2(other, server));
			if (how < 2) {
				OUTCOME("receive", recv(server, message_buffer, 10, MSG_DONTWAIT));
				OUTCOME("read", read(server, message_buffer, 10));
			}
			if (twins) {
				peers[2].fd = how == 2 ? -2 - peers[2].fd : peers[2].fd;
				still_works("twin", twin);
				peers[2].fd = how == 2 ? -2 - peers[2].fd : peers[2].fd;
				close(twin);
			}
			for (int p = 0; p < 2; p++) {
				peer_hears(&peers[p]);
				close_peer(&peers[p]);
			}
			if (how == 2) {
				still_works("the other, by its new number", server);
				close(other);
			}
			close(file);
			close_scene(server);
		}
}

static void d01_errors(void)
{
	int server = open_scene(1);
	volatile int bad = 900, minus = -1, beyond = 100000;

	OUTCOME("dup2 to itself", dup2(server, server));
	OUTCOME("dup3 to itself", dup3(server, server, 0));
	OUTCOME("dup3, bad flags", dup3(server, 50, 0x77));
	OUTCOME("dup2 to -1", dup2(server, minus));
	OUTCOME("dup2 beyond the limit", dup2(server, beyond));
	OUTCOME("dup of nothing", dup(bad));
	OUTCOME("dup2 of nothing", dup2(bad, server));
	OUTCOME("F_DUPFD beyond the limit", fcntl(server, F_DUPFD, beyond));
	OUTCOME("F_DUPFD from -1", fcntl(server, F_DUPFD, minus));
	still_works("server", server);
	close_scene(server);
}

/* ---- D02: close ---- */

static void d02_close(void)
{
	static const struct linger lingers[] = {{0, 0}, {1, 0}, {1, 3}, {0, 5}};

	for (size_t i = 0; i < COUNT(lingers); i++)
		for (int late = 0; late < 2; late++) {
			int server = open_server();
			in_port_t port = local_port(server);
			double began;

			tell("== linger %d %d, %s", lingers[i].l_onoff, lingers[i].l_linger,
			     late ? "late" : "early");
			if (!late)
				setsockopt(server, SOL_SOCKET, SO_LINGER, &lingers[i],
					   sizeof(lingers[i]));
			for (int p = 0; p < 3; p++)
				connect_peer(new_peer(), server);
			greet(server, 3);
			connect_peer(new_peer(), server); /* one that never spoke */
			if (late)
				setsockopt(server, SOL_SOCKET, SO_LINGER, &lingers[i],
					   sizeof(lingers[i]));
			if (lingers[i].l_onoff == 0 || lingers[i].l_linger)
				for (int k = 0; k < 5; k++)
					send_to_peer(server, &peers[1], 200);
			began = now();
			OUTCOME("close", close(server));
			tell("%s", how_long(now() - began));
			OUTCOME("close again", close(server));
			for (int k = 0; k < 5; k++)
				if (lingers[i].l_onoff == 0 || lingers[i].l_linger)
					peer_hears(&peers[1]);
			all_hear();
			for (int p = 0; p < peer_count; p++)
				close_peer(&peers[p]);
			await_associations(port, 0, 0);
			tell("all gone");
			close_scene(-1);
		}
}

/* An unread message: its own association is aborted (natively all others, too). */
static void d02_unread(void)
{
	for (int size = 50; size <= 100; size += 50) {
		int server = open_scene(1);

		peer_sends(&peers[0], (size_t)size);
		await_input(server);
		if (size == 100)
			OUTCOME("half of it", recv(server, message_buffer, 50, 0));
		close(server);
		peer_hears(&peers[0]);
		close_scene(-1);
	}
}

/* The port is free again, at once or when the kernel says so. */
static void d02_port(void)
{
	int server = open_scene(2), next;
	struct sockaddr_in own = loopback(1, local_port(server));

	close(server);
	all_hear();
	for (int p = 0; p < 2; p++)
		close_peer(&peers[p]);
	await_associations(own.sin_port, 0, 0);
	next = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	OUTCOME("bind again", bind(next, (struct sockaddr *)&own, sizeof(own)));
	OUTCOME("listen", listen(next, 5));
	subscribe(next, SUB_DATA);
	connect_peer(new_peer(), next);
	greet(next, 1);
	still_works("the next server", next);
	close_scene(next);
}

/* ---- D03: numbers ---- */

static void d03_lowest(void)
{
	int server, before[3], after;

	tell("first: %d", before[0] = open("/dev/null", O_RDONLY));
	server = open_scene(3);
	tell("server: %d", server);
	for (int p = 0; p < 3; p++)
		tell("%s: %d", peers[p].name, peers[p].fd);
	for (int i = 1; i < 3; i++)
		tell("file: %d", before[i] = open("/dev/null", O_RDONLY));
	close(before[0]);
	connect_peer(new_peer(), server);
	tell("D: %d", peers[3].fd);
	greet(server, 1);
	tell("file: %d", after = open("/dev/null", O_RDONLY));
	close(before[1]);
	abort_peer(&peers[0]);
	await_end(&peers[0]);
	hear("A has ended", server, MSG_DONTWAIT);
	for (int i = 0; i < 4; i++)
		tell("file: %d", open("/dev/null", O_RDONLY));
	tell("from 100: %d", fcntl(after, F_DUPFD, 100));
	tell("from 100: %d", fcntl(after, F_DUPFD, 100));
	tell("from 900: %d", fcntl(after, F_DUPFD, 900));
	still_works("server", server);
	close_scene(server);
}

/* Programs that close all that they do not know: only their own closes succeed. */
static void d03_close_all(void)
{
	int server = open_scene(3), own = 0, strange = 0;

	for (int p = 0; p < 3; p++) /* out of the way: these are ours to keep */
		if (dup2(peers[p].fd, 200 + p) < 0 || close(peers[p].fd))
			die("dup2");
	for (int p = 0; p < 3; p++)
		peers[p].fd = 200 + p;
	for (int i = 0; i < 5; i++)
		(void)!open("/dev/null", O_RDONLY);
	for (int fd = 3; fd < 1024; fd++) {
		if (fd == server || (fd >= 200 && fd <= 202))
			continue;
		errno = 0;
		if (close(fd) == 0)
			own++;
		else if (errno != EBADF)
			strange++;
	}
	tell("%d closed, %d strange", own, strange);
	still_works("server", server);
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("newcomer", server);
	close_scene(server);
}

/* The same by what /proc/self/fd shows. */
static void d03_close_listed(void)
{
	int server = open_scene(2), closed = 0;
	int files[3];
	DIR *folder;
	struct dirent *entry;

	for (int i = 0; i < 3; i++)
		files[i] = open("/dev/null", O_RDONLY);
	folder = opendir("/proc/self/fd");
	while ((entry = readdir(folder))) {
		int fd = atoi(entry->d_name);

		if (fd < 3 || fd == server || fd == dirfd(folder) || fd == peers[0].fd ||
		    fd == peers[1].fd)
			continue;
		closed += close(fd) == 0;
	}
	closedir(folder);
	tell("%d closed", closed);
	OUTCOME("a file", close(files[0]));
	still_works("server", server);
	close_scene(server);
}

/* close_range and closefrom, in all their forms. */
static void d03_ranges(void)
{
	int server = open_scene(2), first, files[4];

	for (int p = 0; p < 2; p++) {
		if (dup2(peers[p].fd, 20 + p) < 0 || close(peers[p].fd))
			die("dup2");
		peers[p].fd = 20 + p;
	}
	for (int i = 0; i < 4; i++)
		files[i] = open("/dev/null", O_RDONLY);
	first = files[0];
	OUTCOME("a few", close_range((unsigned)files[1], (unsigned)files[2], 0));
	OUTCOME("first", close(files[0]));
	OUTCOME("second", close(files[1]));
	OUTCOME("third", close(files[2]));
	OUTCOME("fourth", close(files[3]));
	still_works("server", server);
	for (int i = 0; i < 4; i++)
		files[i] = fcntl(server, F_DUPFD, 100 + i * 10);
	OUTCOME("to the end, on exec", close_range(22, ~0U, CLOSE_RANGE_CLOEXEC));
	tell("flags %#x %#x", (unsigned)fcntl(files[0], F_GETFD), (unsigned)fcntl(server, F_GETFD));
	still_works("a twin", files[2]);
	OUTCOME("to the end, unshared", close_range(115, ~0U, CLOSE_RANGE_UNSHARE));
	still_works("a twin", files[1]);
	OUTCOME("closed", fcntl(files[2], F_GETFD));
	OUTCOME("all beyond", close_range(22, ~0U, 0));
	OUTCOME("closed", fcntl(files[0], F_GETFD));
	still_works("server", server);
	OUTCOME("backwards", close_range(30, 20, 0));
	OUTCOME("bad flags", close_range(30, 40, 0x77));
	files[0] = fcntl(server, F_DUPFD, 300);
	closefrom(22);
	OUTCOME("closefrom", fcntl(files[0], F_GETFD));
	still_works("server", server);
	OUTCOME("the server, too", close_range((unsigned)server, (unsigned)server, 0));
	all_hear();
	(void)first;
	close_scene(-1);
}

/* Numbers that the program does not have are nothing to it, whatever it tries. */
static void d03_not_ours(void)
{
	int server = open_scene(3), wrong = 0, set = epoll_create1(0), tries = 0;
	struct epoll_event event = {.events = EPOLLIN};
	char buffer[10];
	int value;

	for (int fd = 30; fd < 1024; fd++) {
		struct pollfd p = {fd, POLLIN, 0};
		socklen_t length = sizeof(value);
		struct sockaddr_in to = loopback(1, peers[0].port);
		struct msghdr header = {.msg_iovlen = 0};
		fd_set in;

		if (fd > 60 && fd < 900)
			continue;
#define MUST_FAIL(call)                                                            \
	do {                                                                       \
		errno = 0;                                                         \
		tries++;                                                           \
		if ((call) != -1 || errno != EBADF)                                \
			wrong++, tell("%d: %s: %s", fd, #call, errno_name(errno)); \
	} while (0)
		MUST_FAIL(read(fd, buffer, 1));
		MUST_FAIL(recv(fd, buffer, 1, MSG_DONTWAIT));
		MUST_FAIL(recvmsg(fd, &header, MSG_DONTWAIT));
		MUST_FAIL(write(fd, "x", 1));
		MUST_FAIL(send(fd, "x", 1, 0));
		MUST_FAIL(sendmsg(fd, &header, 0));
		MUST_FAIL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
		MUST_FAIL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
		MUST_FAIL(sctp_peeloff(fd, peers[0].id));
		MUST_FAIL(connect(fd, (struct sockaddr *)&to, sizeof(to)));
		MUST_FAIL(listen(fd, 1));
		MUST_FAIL(shutdown(fd, SHUT_RDWR));
		MUST_FAIL(ioctl(fd, FIONREAD, &value));
		MUST_FAIL(fcntl(fd, F_GETFD));
		MUST_FAIL(fcntl(fd, F_GETFL));
		MUST_FAIL(fcntl(fd, F_SETFD, 0));
		MUST_FAIL(fcntl(fd, F_DUPFD, 3));
		MUST_FAIL(dup(fd));
		MUST_FAIL(dup2(fd, 29));
		MUST_FAIL(dup3(fd, 29, 0));
		MUST_FAIL(close(fd));
		MUST_FAIL(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
		MUST_FAIL(epoll_wait(fd, &event, 1, 0));
		if (poll(&p, 1, 0) != 1 || p.revents != POLLNVAL)
			wrong++, tell("%d: poll %s", fd, poll_names(p.revents));
		FD_ZERO(&in);
		FD_SET(fd, &in);
		if (fd <= 60) /* beyond its table of files the kernel's select sees nothing */
			MUST_FAIL(select(fd + 1, &in, NULL, NULL, &(struct timeval){0, 0}));
#undef MUST_FAIL
	}
	tell("%d tries, %d wrong", tries, wrong);
	close(set);
	still_works("server", server);
	close_scene(server);
}

/* Files put onto every high number, one after the other, stay until closed; nothing else suffers.
 */
static void d03_high_numbers(void)
{
	int server = open_scene(3), file = open("/dev/null", O_RDONLY), wrong = 0;
	struct rlimit limit;

	for (int fd = 1023; fd >= 960; fd--) {
		if (dup2(file, fd) != fd || read(fd, message_buffer, 1) != 0)
			wrong++;
		if (fd % 16 == 0)
			still_works("server", server);
	}
	connect_peer(new_peer(), server);
	greet(server, 1);
	for (int fd = 960; fd < 1024; fd++)
		if (read(fd, message_buffer, 1) != 0 || close(fd))
			wrong++;
	still_works("server", server);
	for (int fd = 1000; fd < 1024; fd++)
		if (fcntl(file, F_DUPFD, 1000) < 0)
			break;
	closefrom(1000);
	tell("%d wrong", wrong);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 40;
	setrlimit(RLIMIT_NOFILE, &limit);
	still_works("lower limit", server);
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("newcomer", server);
	close_scene(server);
}

/* Children that close everything, by fork, vfork and posix_spawn, close nothing of ours. */
static void d03_children(void)
{
	int server = open_scene(2), status;
	extern char **environ;
	char *const arguments[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"exit 7"}, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		closefrom(3);
		_exit(1);
	}
	waitpid(child, &status, 0);
	tell("fork: %d", WEXITSTATUS(status));
	still_works("server", server);
	child = vfork();
	if (child == 0) {
		close(server);
		dup2(0, server);
		_exit(2);
	}
	waitpid(child, &status, 0);
	tell("vfork: %d", WEXITSTATUS(status));
	still_works("server", server);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclose(&actions, server);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ);
	waitpid(child, &status, 0);
	tell("posix_spawn: %d", WEXITSTATUS(status));
	posix_spawn_file_actions_destroy(&actions);
	still_works("server", server);
	tell("system: %d", WEXITSTATUS(system("exit 5")));
	still_works("server", server);
	close_scene(server);
}

/* What a program that is executed finds open: the socket if it is meant to, nothing of ours. */
static void d03_executed(void)
{
	int server = open_scene(2), status = 0;

	for (int p = 0; p < 2; p++)
		fcntl(peers[p].fd, F_SETFD, FD_CLOEXEC);
	fcntl(server, F_SETFD, FD_CLOEXEC);
	fflush(stdout);
	status = system("cd /proc/self/fd && for fd in [0-9]*; do [ $fd -gt 9 ] || "
			"echo open: $fd; done; ls -l /proc/self/fd | grep -c socket");
	tell("%d", WEXITSTATUS(status));
	still_works("server", server);
	close_scene(server);
}

/* ---- D04: states that the peeled ones follow ---- */

static void d04_nonblocking(void)
{
	int server = open_scene(2), twin = dup(server), on = 1, off = 0;

	set_timeout(server, SO_RCVTIMEO, 100);
	for (int how = 0; how < 3; how++) {
		double began = now();

		if (how == 1)
			ioctl(twin, FIONBIO, &on);
		else
			fcntl(how == 0 ? server : twin, F_SETFL,
			      fcntl(server, F_GETFL) | O_NONBLOCK);
		tell("status %#x", (unsigned)fcntl(server, F_GETFL));
		hear("nothing", server, 0);
		OUTCOME("read", read(twin, message_buffer, 10));
		tell("%s", how_long(now() - began));
		still_works("server", server);
		began = now();
		if (how == 1)
			ioctl(server, FIONBIO, &off);
		else
			fcntl(server, F_SETFL, 0);
		tell("status %#x", (unsigned)fcntl(twin, F_GETFL));
		hear("nothing", server, 0);
		tell("%s", how_long(now() - began));
		still_works("server", server);
	}
	fcntl(server, F_SETFD, FD_CLOEXEC);
	tell("flags %#x %#x", (unsigned)fcntl(server, F_GETFD), (unsigned)fcntl(twin, F_GETFD));
	ioctl(twin, FIOCLEX);
	ioctl(server, FIONCLEX);
	tell("flags %#x %#x", (unsigned)fcntl(server, F_GETFD), (unsigned)fcntl(twin, F_GETFD));
	close(twin);
	close_scene(server);
}

/* A send that would sleep, on an association that is peeled. */
/* Nobody says O_NONBLOCK but socket itself. */
static void d04_nonblocking_born(void)
{
	struct sockaddr_in address = loopback(1, 0);
	int server = socket(AF_INET, SOCK_SEQPACKET | SOCK_NONBLOCK, IPPROTO_SCTP);

	if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(server, 10))
		die("server");
	be_prompt(server);
	subscribe(server, SUB_DATA);
	set_timeout(server, SO_RCVTIMEO, 3000); /* so that the test ends */
	connect_peer(new_peer(), server);
	connect_peer(new_peer(), server);
	for (int i = 0; i < 3; i++) {
		double began = now();

		hear("nothing", server, 0);
		OUTCOME("read", read(server, message_buffer, 10));
		tell("%s", how_long(now() - began));
		peer_sends(&peers[i % 2], 50);
		hear("a message", server, 0);
	}
	close_scene(server);
}

static void d04_nonblocking_send(void)
{
	int server = open_scene(1);
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV};
	int sent = 0;

	fcntl(server, F_SETFL, O_NONBLOCK);
	while (sent < 5000 && send_bytes(server, &s, message_buffer, 1000) == 1000)
		sent++;
	OUTCOME("full", send_bytes(server, &s, message_buffer, 1000));
	tell("%s", sent < 5000 ? "after some" : "never");
	close_scene(server);
}

/* shutdown does to a one-to-many socket what it does, which is little. */
static void d04_shutdown(void)
{
	static const int hows[] = {SHUT_WR, SHUT_RD, SHUT_RDWR, 77};

	for (size_t i = 0; i < COUNT(hows); i++) {
		int server = open_scene(2);

		OUTCOME("shutdown", shutdown(server, hows[i]));
		tell("poll: %s", poll_names(poll_now(server)));
		still_works("server", server);
		close_scene(server);
	}
}

static void d04_shutdown_client(void)
{
	static const int hows[] = {SHUT_WR, SHUT_RD, SHUT_RDWR};

	for (size_t i = 0; i < COUNT(hows); i++)
		for (int waiting = 0; waiting < 2; waiting++) {
			int client = open_client_with_companion(2);

			tell("== how %d, waiting %d", hows[i], waiting);
			if (waiting) {
				order_messages(&peers[0], 0, 2, 50);
				await_companion();
			}
			set_timeout(client, SO_RCVTIMEO, 100);
			OUTCOME("shutdown", shutdown(client, hows[i]));
			for (int k = 0; k < 4; k++) {
				tell("poll: %s", poll_names(poll_now(client)));
				hear("receive", client, 0);
			}
			order_messages(&peers[1], 0, 1, 50);
			await_companion();
			tell("poll: %s", poll_names(poll_now(client)));
			hear("receive", client, 0);
			OUTCOME("to A", send_to_peer(client, &peers[0], 50));
			close_scene(client);
		}
}

/* No longer listening: nobody new, but the old ones go on; then listening again. */
static void d04_listen(void)
{
	int server = open_scene(2), late = bound_socket(SOCK_STREAM);
	struct sockaddr_in to = loopback(1, local_port(server));

	OUTCOME("listen 0", listen(server, 0));
	OUTCOME("a newcomer", connect(late, (struct sockaddr *)&to, sizeof(to)));
	still_works("server", server);
	OUTCOME("listen again", listen(server, 5));
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("server", server);
	OUTCOME("listen 0", listen(server, 0));
	for (int p = 0; p < 3; p++) {
		close_peer(&peers[p]);
		await_end(&peers[p]);
		hear("one less", server, MSG_DONTWAIT);
	}
	hear("none left, not listening", server, 0);
	OUTCOME("listen", listen(server, 5));
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("server", server);
	close(late);
	close_scene(server);
}

/* Connects out first, and listens when its associations are already peeled. */
static void d04_listen_late(void)
{
	int client = open_client_with_companion(2);
	struct sockaddr_in to = loopback(1, local_port(client));
	int late = bound_socket(SOCK_STREAM);

	OUTCOME("not yet", connect(late, (struct sockaddr *)&to, sizeof(to)));
	OUTCOME("listen", listen(client, 5));
	for (int p = 0; p < 2; p++) {
		order_messages(&peers[p], 0, 1, 50);
		hear("old", client, 0);
	}
	connect_peer(new_peer(), client);
	greet(client, 1);
	peer_sends(&peers[2], 50);
	hear("new", client, 0);
	close(late);
	close_scene(client);
}

/* ---- D07: few numbers ---- */

static int files_to_the_limit(int *files, int room)
{
	int n = 0;

	while (n < room && (files[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	return n;
}

static volatile bool stop_opening;

static void *opens_and_closes(void *unused)
{
	int files[200];

	while (!stop_opening) {
		int n = files_to_the_limit(files, 200);

		while (n > 0)
			close(files[--n]);
	}
	return unused;
}

/* A server that may have 100 numbers; its peers are another process's. */
static int open_server_with_few_numbers(int count)
{
	struct rlimit limit = {100, 100};

	for (int p = 0; p < count; p++)
		new_peer()->obeys = true;
	start_companion();
	for (int p = 0; p < count; p++)
		close_peer(&peers[p]);
	setrlimit(RLIMIT_NOFILE, &limit);
	return open_server();
}

/*
 * So many peers with so few numbers, while the program, or a thread of it, uses up all that there
 * are: no association may suffer.
 */
static void few_numbers(bool thread)
{
	const int count = 45;
	int server, files[200], n = 0, wrong = 0;
	struct receipt *r = new_receipt();
	pthread_t opener;

	stop_opening = false;
	server = open_server_with_few_numbers(count);
	if (thread)
		pthread_create(&opener, NULL, opens_and_closes, NULL);
	for (int p = 0; p < count; p++) {
		give_order((struct order){
			.action = CONNECT, .peer = &peers[p], .port = local_port(server)});
		order_messages(&peers[p], 0, 1, 50);
		if (take(r, server, 0) < 0 || !is_next(r))
			wrong++;
		learn(r);
		if (!thread && p % 10 == 9) {
			n = files_to_the_limit(files, 200);
			if (p < 10)
				tell("room for %s", n >= 50 ? "the program" : "too few");
			while (n > 0)
				close(files[--n]);
		}
	}
	if (!thread)
		n = files_to_the_limit(files, 200);
	for (int k = 0; k < 3; k++)
		for (int p = 0; p < count; p++) {
			order_messages(&peers[p], 0, 1, 60);
			if (take(r, server, 0) < 0 || !is_next(r))
				wrong++;
			if (send_to_peer(server, &peers[p], 30) != 30)
				wrong++;
		}
	while (n > 0)
		close(files[--n]);
	stop_opening = true;
	if (thread)
		pthread_join(opener, NULL);
	tell("%d associations of %d, %d things wrong", kernel_associations(local_port(server), 0),
	     count, wrong);
	close_scene(server);
}

static void d07_few_numbers(void)
{
	few_numbers(false);
}

static void d07_thread(void)
{
	few_numbers(true);
}

/* All numbers are taken between two first messages: the associations behind them live on. */
static void d07_all_taken(void)
{
	const int count = 8;
	struct receipt *r = new_receipt();
	int server, files[200], n = 0, wrong = 0;

	server = open_server_with_few_numbers(count);
	for (int p = 0; p < count; p++) {
		if (p == count / 2)
			n = files_to_the_limit(files, 200);
		give_order((struct order){
			.action = CONNECT, .peer = &peers[p], .port = local_port(server)});
		order_messages(&peers[p], 0, 1, 50);
		if (take(r, server, 0) < 0 || !is_next(r))
			wrong++;
		learn(r);
	}
	for (int p = 0; p < count; p++)
		if (send_to_peer(server, &peers[p], 30) != 30)
			wrong++;
	while (n > 0)
		close(files[--n]);
	tell("%d associations of %d, %d things wrong", kernel_associations(local_port(server), 0),
	     count, wrong);
	close_scene(server);
}

/* ---- D05: numbers that are closed in ways of their own ---- */

static int close_stream(int fd)
{
	FILE *stream = fdopen(fd, "r+");

	return stream ? fclose(stream) : -1;
}

static int close_by_number(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static int copy_over_by_number(int fd)
{
	int null = open("/dev/null", O_RDONLY), ret = (int)syscall(SYS_dup3, null, fd, 0);

	close(null);
	return ret == fd ? close(fd) : -1;
}

static int close_range_by_number(int fd)
{
	return (int)syscall(SYS_close_range, fd, fd, 0);
}

/* Its associations end, and the number is a file's then. */
static void d05_unheard(void)
{
	static const struct {
		const char *name;
		int (*close)(int fd);
	} ways[] = {
		{"fclose", close_stream},
		{"SYS_close", close_by_number},
		{"SYS_dup3", copy_over_by_number},
		{"SYS_close_range", close_range_by_number},
	};

	for (size_t i = 0; i < COUNT(ways); i++) {
		int server = open_server(), file;
		in_port_t port = local_port(server);
		char byte;

		for (int p = 0; p < 2; p++)
			connect_peer(new_peer(), server);
		greet(server, 2);
		OUTCOME(ways[i].name, ways[i].close(server));
		all_hear();
		await_associations(port, 0, 0);
		file = open("/dev/zero", O_RDONLY);
		tell("%s number", file == server ? "the same" : "another");
		OUTCOME("read", read(file, &byte, 1));
		OUTCOME("close", close(file));
		close_scene(-1);
	}
}

static const struct test tests[] = {
	{"d01-dups", d01_dups},
	{"d01-chain", d01_chain},
	{"d01-overwritten", d01_overwritten},
	{"d01-errors", d01_errors},
	{"d02-close", d02_close},
	{"d02-unread", d02_unread},
	{"d02-port", d02_port},
	{"d03-lowest", d03_lowest},
	{"d03-close-all", d03_close_all},
	{"d03-close-listed", d03_close_listed},
	{"d03-ranges", d03_ranges},
	{"d03-not-ours", d03_not_ours},
	{"d03-high-numbers", d03_high_numbers},
	{"d03-children", d03_children},
	{"d03-executed", d03_executed},
	{"d04-nonblocking", d04_nonblocking},
	{"d04-nonblocking-born", d04_nonblocking_born},
	{"d04-nonblocking-send", d04_nonblocking_send},
	{"d04-shutdown", d04_shutdown},
	{"d04-shutdown-client", d04_shutdown_client},
	{"d04-listen", d04_listen},
	{"d04-listen-late", d04_listen_late},
	{"d05-unheard", d05_unheard},
	{"d07-few-numbers", d07_few_numbers},
	{"d07-thread", d07_thread},
	{"d07-all-taken", d07_all_taken},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
