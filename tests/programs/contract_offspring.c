/* SPDX-License-Identifier: MIT */
/* contract P: children by fork, vfork, spawn and exec, and what they must not bring about. */
#include "contract.h"

#include <spawn.h>
#include <sys/eventfd.h>

static const char *program;

/* The set that parent and child have both. */
static int set = -1;

/* ---- a child that is told what to do, one deed after the other ---- */

struct child {
	pid_t pid;
	int line;
};

enum { PATIENT_MS = 20000 };

/* What was received last is what an answer repeats. */
static struct receipt *last;

static void take_next(int fd)
{
	last = last ? last : new_receipt();
	take(last, fd, 0);
}

static void tell_last(const char *who)
{
	tell("%s: %.7s", who, last->size < 0 ? errno_name(last->error) : last->data);
}

static void receives(const char *who, int fd)
{
	take_next(fd);
	tell_last(who);
}

static sctp_assoc_t sender(struct receipt *r)
{
	struct sctp_sndrcvinfo info = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&r->header); c; c = CMSG_NXTHDR(&r->header, c))
		if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_SNDRCV)
			memcpy(&info, CMSG_DATA(c), sizeof(info));
	return info.sinfo_assoc_id;
}

static void answers(const char *who, int fd)
{
	struct sctp_sndrcvinfo to = {.sinfo_assoc_id = sender(last)};

	OUTCOME(who, sctp_send(fd, last->data, (size_t)last->size, &to, 0));
}

static void waits(const char *who)
{
	struct epoll_event event = {0};
	int n = epoll_wait(set, &event, 1, PATIENT_MS);

	tell("%s: %d %s", who, n, poll_names(n > 0 ? (int)event.events : 0));
}

static void arms(int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};

	if (epoll_ctl(set, EPOLL_CTL_MOD, fd, &event))
		die("arming");
}

/* With preloads/stop_inside.c it is stopped in the midst of the receive, else after it. */
static void stops(const char *who, int fd)
{
	bool *inside = dlsym(RTLD_DEFAULT, "stop_inside");

	if (inside)
		*inside = true;
	take_next(fd);
	if (!inside || *inside)
		raise(SIGSTOP);
	tell_last(who);
}

static void does(char what, const char *who, int fd)
{
	switch (what) {
	case 'r':
		receives(who, fd);
		break;
	case 'a':
		answers(who, fd);
		break;
	case 'w':
		waits(who);
		break;
	case 'm':
		arms(fd);
		break;
	case 's':
		stops(who, fd);
		break;
	}
}

static void obey(const char *who, int fd, int line)
{
	char what;

	while (read(line, &what, 1) == 1) {
		does(what, who, fd);
		fflush(stdout);
		if (write(line, "", 1) != 1)
			break;
	}
	_exit(0);
}

static void limit_files(rlim_t length)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = length;
	if (setrlimit(RLIMIT_FSIZE, &limit))
		die("RLIMIT_FSIZE");
}

static struct child fork_child(const char *who, int fd)
{
	int line[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("socketpair");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		limit_files(RLIM_INFINITY);
		alarm(300);
		close(line[0]);
		obey(who, fd, line[1]);
	}
	close(line[1]);
	return (struct child){pid, line[0]};
}

static void order_only(const struct child *child, char what)
{
	fflush(stdout);
	if (write(child->line, &what, 1) != 1)
		die("the child");
}

static void await_done(const struct child *child)
{
	char done;

	if (read(child->line, &done, 1) != 1)
		die("the child does not answer");
}

/* Several deeds, one after the other. */
static void tell_child(const struct child *child, const char *deeds)
{
	for (; *deeds; deeds++) {
		order_only(child, *deeds);
		await_done(child);
	}
}

static void dismiss(const struct child *child)
{
	close(child->line);
	waitpid(child->pid, NULL, 0);
}

/* Each peer speaks and hears the answer. */
static void serve_all(const char *who, int server)
{
	for (int p = 0; p < peer_count; p++) {
		peer_sends(&peers[p], 50);
		receives(who, server);
		answers(who, server);
		peer_hears(&peers[p]);
	}
}

static void child_serves_all(const struct child *child)
{
	for (int p = 0; p < peer_count; p++) {
		peer_sends(&peers[p], 50);
		tell_child(child, "ra");
		peer_hears(&peers[p]);
	}
}

static struct peer *newcomer(int server)
{
	struct peer *peer = new_peer();

	connect_peer(peer, server);
	return peer;
}

/* ---- fork, while another thread meets numbers that are new ---- */

/* Neither knows whose number it is before it has asked. */
static void meet_numbers(void)
{
	int fd = eventfd(0, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	if (fd < 0 || poll(&p, 1, 0) != 0 || recv(fd, &byte, 1, 0) != -1 || errno != ENOTSOCK)
		die("a new number");
	close(fd);
}

static void *meets_numbers(void *unused)
{
	for (;;)
		meet_numbers();
	return unused;
}

static void p01_unknown(void)
{
	int ended = 0, status = 0;
	pthread_t thread;

	alarm(300);
	if (pthread_create(&thread, NULL, meets_numbers, NULL))
		die("pthread_create");
	for (int i = 0; i < 60 && status == 0; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(60);
			meet_numbers();
			_exit(0);
		}
		waitpid(pid, &status, 0);
		ended += status == 0;
	}
	tell("%d children have ended", ended);
	fflush(stdout);
	_exit(0);
}

/* ---- where no file may be long ---- */

static void p01_short_files(void)
{
	static const rlim_t limits[] = {4096, 0};

	for (size_t i = 0; i < COUNT(limits); i++) {
		int server = open_scene(2);
		struct child child;

		set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
		limit_files(limits[i]);
		child = fork_child("child", server);
		limit_files(RLIM_INFINITY);
		child_serves_all(&child);
		newcomer(server);
		serve_all("parent", server);
		child_serves_all(&child);
		dismiss(&child);
		close_scene(server);
	}
}

static void execute(const char *test)
{
	char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)test, NULL};

	fflush(stdout);
	execv(program, arguments);
	die("execv");
}

static void p03_no_files(void)
{
	open_scene(2);
	limit_files(0);
	execute("p03-no-files-image");
}

static void p03_no_files_image(void)
{
	limit_files(RLIM_INFINITY);
	tell("it runs");
}

/* ---- workers that have given up their privileges, and have few numbers ---- */

enum { FEW = 150, CROWD = 80 };

/* The peers keep numbers that nobody can have any more, and leave the others free. */
static void become_poor(void)
{
	struct rlimit few = {FEW, FEW};

	for (int p = 0; p < peer_count; p++) {
		int high = fcntl(peers[p].fd, F_DUPFD, 400);

		if (high < 0)
			die("a high number");
		close(peers[p].fd);
		peers[p].fd = high;
	}
	if (setrlimit(RLIMIT_NOFILE, &few) || setresgid(65534, 65534, 65534) ||
	    setresuid(65534, 65534, 65534))
		die("giving up privileges");
}

static void p02_poor(void)
{
	struct child child;
	int server;

	alarm(300);
	for (int p = 0; p < CROWD; p++)
		new_peer();
	become_poor();
	server = open_server();
	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	child = fork_child("child", server);
	for (int p = 0; p < peer_count; p++)
		connect_peer(&peers[p], server);
	child_serves_all(&child);
	kill(child.pid, SIGKILL);
	dismiss(&child);
	serve_all("parent", server);
	close_scene(server);
}

/* ---- one that is stopped ---- */

static void p02_stopped(void)
{
	int server = open_scene(2), status;
	struct child child;

	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	child = fork_child("child", server);
	child_serves_all(&child);
	for (int i = 0; i < 3; i++) {
		peer_sends(&peers[0], 50);
		order_only(&child, 's');
		if (waitpid(child.pid, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
			die("the child is not stopped");
		tell("it is stopped");
		serve_all("parent", server);
		kill(child.pid, SIGCONT);
		await_done(&child);
		tell_child(&child, "a");
		peer_hears(&peers[0]);
	}
	dismiss(&child);
	close_scene(server);
}

/* ---- workers that are spawned ---- */

/* As what starts a service when somebody calls (sd_listen_fds(3)): nothing of it is handed over. */
static pid_t start_for_listening(char *const arguments[])
{
	pid_t pid = vfork();

	if (pid == 0) {
		set_number("LISTEN_PID", getpid());
		execve(program, arguments, environ);
		_exit(127);
	}
	return pid;
}

static struct child spawn_child(const char *who, int server, bool activated)
{
	char *const arguments[] = {(char *)(uintptr_t)program, (char[]){"p04-spawned-image"}, NULL};
	struct child child;
	int line[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line))
		die("socketpair");
	fcntl(line[1], F_SETFD, 0);
	set_number("CONTRACT_FD", server);
	set_number("CONTRACT_LINE", line[1]);
	setenv("CONTRACT_WHO", who, 1);
	if (activated)
		child.pid = start_for_listening(arguments);
	else if (posix_spawn(&child.pid, program, NULL, NULL, arguments, environ))
		die("posix_spawn");
	close(line[1]);
	child.line = line[0];
	return child;
}

static void p04_spawned_image(void)
{
	obey(getenv("CONTRACT_WHO"), number_of("CONTRACT_FD"), number_of("CONTRACT_LINE"));
}

/* Two images that know nothing of each other: each hears from every peer, and answers. */
static void p04_spawned(void)
{
	int server = open_server();
	struct child one, two;

	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	one = spawn_child("one", server, false);
	two = spawn_child("two", server, false);
	for (int i = 0; i < 3; i++)
		newcomer(server);
	for (int i = 0; i < 3; i++) {
		child_serves_all(&one);
		child_serves_all(&two);
	}
	peer_sends(&peers[0], 50);
	tell_child(&one, "r");
	peer_sends(&peers[0], 50);
	tell_child(&two, "r");
	tell_child(&one, "a");
	tell_child(&two, "a");
	peer_hears(&peers[0]);
	peer_hears(&peers[0]);
	dismiss(&one);
	dismiss(&two);
	close_scene(server);
}

/* Its parent has the socket as well, but only keeps it for who comes next. */
static void p04_activated(void)
{
	int server = open_server();
	struct child service;

	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	service = spawn_child("service", server, true);
	for (int i = 0; i < 3; i++)
		newcomer(server);
	for (int i = 0; i < 3; i++)
		child_serves_all(&service);
	dismiss(&service);
	close_scene(server);
}

/* ---- one set for two processes ---- */

/* Who waits has not armed it himself. */
static void in_turns(struct peer *peer, int server, const struct child *child)
{
	peer_sends(peer, 50);
	tell_child(child, "wrm");
	for (int i = 0; i < 2; i++) {
		peer_sends(peer, 50);
		waits("parent");
		receives("parent", server);
		tell_child(child, "m");
	}
	for (int i = 0; i < 2; i++) {
		peer_sends(peer, 50);
		tell_child(child, "wr");
		arms(server);
	}
}

static void p02_oneshot(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
	int server = open_scene(1);
	struct child child;

	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	set = epoll_create1(0);
	if (epoll_ctl(set, EPOLL_CTL_ADD, server, &event))
		die("epoll_ctl");
	child = fork_child("child", server);
	in_turns(&peers[0], server, &child);
	in_turns(newcomer(server), server, &child);
	dismiss(&child);
	close_scene(server);
}

/* ---- a child of vfork that uses numbers which are free ---- */

enum { NUMBERS = 1024, WAYS = 3 };

static bool in_use[NUMBERS];

/* From the highest on, while there are lower ones to move to. */
static void use_free_numbers(int way)
{
	for (int fd = NUMBERS - 1; fd >= 3; fd--) {
		if (in_use[fd])
			continue;
		if (way == 0)
			dup2(0, fd);
		else if (way == 1)
			dup3(0, fd, O_CLOEXEC);
		else
			fcntl(0, F_DUPFD, fd);
	}
}

static void p04_free_numbers(void)
{
	struct rlimit limit = {NUMBERS, NUMBERS};
	int server;

	setrlimit(RLIMIT_NOFILE, &limit);
	server = open_scene(3);
	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	for (int way = 0; way < WAYS; way++) {
		pid_t child;

		for (int fd = 3; fd < NUMBERS; fd++)
			in_use[fd] = fcntl(fd, F_GETFD) >= 0;
		child = vfork();
		if (child == 0) {
			use_free_numbers(way);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		serve_all("parent", server);
		newcomer(server);
		serve_all("parent", server);
	}
	close_scene(server);
}

/* ---- a process whose main thread has ended ---- */

static struct {
	int server, line;
} rest;

static void *obeys(void *unused)
{
	obey("child", rest.server, rest.line);
	return unused;
}

static struct child fork_headless_child(int server)
{
	int line[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("socketpair");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		alarm(context_minutes() * 60);
		close(line[0]);
		rest.server = server;
		rest.line = line[1];
		if (pthread_create(&thread, NULL, obeys, NULL))
			die("pthread_create");
		pthread_exit(NULL);
	}
	close(line[1]);
	return (struct child){pid, line[0]};
}

static char state_of(pid_t pid)
{
	char path[40], text[300] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die("%s", path);
	close(fd);
	return strrchr(text, ')')[2];
}

/* One reads the beginning of a message, the other its end: then the first hears others again. */
static void p02_headless(void)
{
	int server = open_scene(2);
	struct child child;
	char bytes[10];

	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	child = fork_headless_child(server);
	while (state_of(child.pid) != 'Z')
		pause_ms(10);
	child_serves_all(&child);
	serve_all("parent", server);
	for (int i = 0; i < 2; i++) {
		struct peer *peer = newcomer(server);

		peer_sends(peer, 100);
		await_input(server);
		OUTCOME("parent", recv(server, bytes, sizeof(bytes), 0));
		tell_child(&child, "r");
		peer_sends(&peers[0], 50);
		receives("parent", server);
	}
	serve_all("parent", server);
	dismiss(&child);
	close_scene(server);
}

/* ---- a child that executes a program which lives long ---- */

static pid_t start_helper(void)
{
	char *const arguments[] = {(char[]){"sleep"}, (char[]){"1000"}, NULL};
	int started[2];
	char byte;
	pid_t pid;

	if (pipe2(started, O_CLOEXEC))
		die("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execvp("sleep", arguments);
		_exit(99);
	}
	close(started[1]);
	if (read(started[0], &byte, 1) != 0)
		die("the helper");
	close(started[0]);
	return pid;
}

static void p01_helper(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int server = open_scene(1);
	pid_t helper;

	set_timeout(server, SO_RCVTIMEO, PATIENT_MS);
	set = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(set, EPOLL_CTL_ADD, server, &event))
		die("epoll_ctl");
	fcntl(server, F_SETFD, FD_CLOEXEC);
	fcntl(peers[0].fd, F_SETFD, FD_CLOEXEC);
	helper = start_helper();
	newcomer(server);
	newcomer(server);
	/* who has what open is looked at anew from time to time */
	for (int i = 0; i < 4; i++) {
		serve_all("parent", server);
		pause_ms(100);
	}
	peer_sends(&peers[2], 50);
	waits("parent");
	receives("parent", server);
	tell("the helper: %s", kill(helper, SIGKILL) ? "gone" : "there");
	waitpid(helper, NULL, 0);
	close_scene(server);
}

/* ---- another program, that nothing can be preloaded into since the user is another one ---- */

static void p03_other_user(void)
{
	open_scene(2);
	if (setreuid(65534, 0))
		die("setreuid");
	execute("p03-other-user-image");
}

static void p03_other_user_image(void)
{
	int sockets = 0, others = 0;

	for (int fd = 3; fd < 20000; fd++) {
		struct stat stat;

		if (fstat(fd, &stat))
			continue;
		if (S_ISSOCK(stat.st_mode))
			sockets++;
		else
			others++;
	}
	tell("%d sockets, %d others", sockets, others);
	for (char **at = environ; *at; at++)
		if (strstr(*at, "SCTPEEL__"))
			tell("%s", *at);
}

static const struct test tests[] = {
	{"p01-unknown", p01_unknown},
	{"p01-short-files", p01_short_files},
	{"p01-helper", p01_helper},
	{"p02-poor", p02_poor},
	{"p02-stopped", p02_stopped},
	{"p02-oneshot", p02_oneshot},
	{"p02-headless", p02_headless},
	{"p03-no-files", p03_no_files},
	{"p03-no-files-image", p03_no_files_image},
	{"p03-other-user", p03_other_user},
	{"p03-other-user-image", p03_other_user_image},
	{"p04-spawned", p04_spawned},
	{"p04-activated", p04_activated},
	{"p04-spawned-image", p04_spawned_image},
	{"p04-free-numbers", p04_free_numbers},
};

int main(int argc, char **argv)
{
	program = argv[0];
	return run_tests(argc, argv, tests, COUNT(tests));
}
