/* SPDX-License-Identifier: MIT */
/* contract D06 and P: descriptors that are sent, forked, executed, and the ends of processes. */
#include "contract.h"

#include <spawn.h>

static const char *program;

/* All peers speak in turn, and hear the answer. */
static void still_works(const char *label, int fd)
{
	struct receipt *r = new_receipt();

	tell("%s", label);
	for (int p = 0; p < peer_count; p++) {
		if (peers[p].fd < 0)
			continue;
		peer_sends(&peers[p], 50);
		if (take(r, fd, 0) < 0)
			die("receive");
		learn(r);
		tell("%.7s", r->data);
		OUTCOME("answer", send_to_peer(fd, &peers[p], 60));
		peer_hears(&peers[p]);
	}
	free(r);
}

/* Receives one message and says so. */
static void receives(const char *who, int fd)
{
	struct receipt *r = new_receipt();
	ssize_t n = take(r, fd, 0);

	tell("%s: %.7s", who, n < 0 ? errno_name(errno) : r->data);
	free(r);
}

/* ---- D06: a socket that is sent to another process ---- */

static void attach(struct msghdr *message, char *control, size_t size, int fd)
{
	message->msg_control = control;
	message->msg_controllen = size;

	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

static void send_descriptor(int line, int fd, bool many)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct mmsghdr vector = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	attach(&vector.msg_hdr, control, sizeof(control), fd);
	if (many ? sendmmsg(line, &vector, 1, 0) != 1 : sendmsg(line, &vector.msg_hdr, 0) != 1)
		die("SCM_RIGHTS");
}

static int receive_descriptor(int line, bool many)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte;
	struct iovec iov = {&byte, 1};
	struct mmsghdr vector = {.msg_hdr = {.msg_iov = &iov,
					     .msg_iovlen = 1,
					     .msg_control = control,
					     .msg_controllen = sizeof(control)}};
	int fd = -1;

	if (many ? recvmmsg(line, &vector, 1, 0, NULL) != 1
		 : recvmsg(line, &vector.msg_hdr, 0) != 1)
		die("SCM_RIGHTS received");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&vector.msg_hdr)), sizeof(fd));
	return fd;
}

/* The other process: receives a message for each byte on the line, on the socket it was sent. */
static void work(int line, bool many)
{
	int fd = receive_descriptor(line, many);
	char byte;

	while (read(line, &byte, 1) == 1) {
		receives("the other", fd);
		if (write(line, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static int start_worker(bool many)
{
	int line[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("socketpair");
	fflush(stdout);
	if (fork() == 0) {
		alarm(60);
		close(line[0]);
		work(line[1], many);
	}
	close(line[1]);
	return line[0];
}

static void other_receives(int line)
{
	char byte = 'r';

	if (write(line, &byte, 1) != 1 || read(line, &byte, 1) != 1)
		die("the other process");
}

/* Both receive from all associations, in turns. */
static void sent(bool many)
{
	int line = start_worker(many), server = open_server();

	set_timeout(server, SO_RCVTIMEO, 3000);
	send_descriptor(line, server, many);
	for (int i = 0; i < 3; i++)
		connect_peer(new_peer(), server);
	for (int i = 0; i < 12; i++) {
		peer_sends(&peers[i % 3], 50);
		if (i & 1)
			other_receives(line);
		else
			receives("we", server);
	}
	close(line);
	close_scene(server);
	wait(NULL);
}

static void d06_sent(void)
{
	sent(false);
}

static void d06_sent_many(void)
{
	sent(true);
}

/* What has been before goes on here, what comes then is there for both. */
static void d06_late(void)
{
	int line = start_worker(false), server = open_scene(2);

	set_timeout(server, SO_RCVTIMEO, 3000);
	send_descriptor(line, server, false);
	still_works("sent", server);
	connect_peer(new_peer(), server);
	for (int i = 0; i < 4; i++) {
		peer_sends(&peers[2], 50);
		if (i & 1)
			other_receives(line);
		else
			receives("we", server);
	}
	still_works("later", server);
	close(line);
	close_scene(server);
	wait(NULL);
}

/* ---- P01: fork ---- */

static void p01_fork(void)
{
	int server = open_scene(2), line[2];
	char byte;

	set_timeout(server, SO_RCVTIMEO, 3000);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("socketpair");
	fflush(stdout);
	if (fork() == 0) {
		alarm(60);
		close(line[0]);
		while (read(line[1], &byte, 1) == 1) {
			receives("child", server);
			if (write(line[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(line[1]);
	connect_peer(new_peer(), server);
	for (int i = 0; i < 12; i++) {
		peer_sends(&peers[i % 3], 50);
		if (i & 1)
			other_receives(line[0]);
		else
			receives("parent", server);
	}
	close(line[0]);
	wait(NULL);
	pause_ms(100);
	still_works("alone again", server);
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("with a newcomer", server);
	close_scene(server);
}

/* ---- P03: exec ---- */

static void execute(const char *test, int fd)
{
	set_number("CONTRACT_FD", fd);
	set_number("CONTRACT_PEER", peer_count ? peers[0].fd : -1);
	fflush(stdout);

	char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)test, NULL};

	execv(program, arguments);
	die("execv");
}

/* The peer's socket goes along, so that the new image hears what became of its association. */
static void p03_cloexec(void)
{
	int server = open_scene(1);

	fcntl(server, F_SETFD, FD_CLOEXEC);
	execute("p03-image-hears", server);
}

static void p03_image_hears(void)
{
	struct peer peer = {.name = "A", .fd = number_of("CONTRACT_PEER")};

	OUTCOME("the socket", fcntl(number_of("CONTRACT_FD"), F_GETFD));
	peer_hears(&peer);
}

/* No association yet: the new image serves them all. */
static void p03_inherited(void)
{
	execute("p03-image-serves", open_server());
}

static void p03_image_serves(void)
{
	int server = number_of("CONTRACT_FD");

	for (int i = 0; i < 3; i++)
		connect_peer(new_peer(), server);
	greet(server, 3);
	still_works("new image", server);
	close_scene(server);
}

/* ---- P04: children that are other programs ---- */

static void p04_children(void)
{
	extern char **environ;
	char *const arguments[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"exit 7"}, NULL};
	int server = open_scene(2), status;
	posix_spawn_file_actions_t actions;
	char text[80] = "";
	pid_t child;
	FILE *pipe;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, 1, server);
	posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ);
	waitpid(child, &status, 0);
	tell("posix_spawn: %d", WEXITSTATUS(status));
	posix_spawn_file_actions_destroy(&actions);
	still_works("posix_spawn", server);
	child = vfork();
	if (child == 0) {
		dup2(2, server);
		execv("/bin/sh", arguments);
		_exit(99);
	}
	waitpid(child, &status, 0);
	tell("vfork: %d", WEXITSTATUS(status));
	still_works("vfork", server);
	child = fork();
	if (child == 0) {
		execv("/bin/sh", arguments);
		_exit(99);
	}
	waitpid(child, &status, 0);
	tell("fork: %d", WEXITSTATUS(status));
	still_works("fork", server);
	pipe = popen("echo hello", "r");
	if (!pipe || !fgets(text, sizeof(text), pipe))
		die("popen");
	tell("popen: %d %s", WEXITSTATUS(pclose(pipe)), text);
	still_works("popen", server);
	tell("system: %d", WEXITSTATUS(system("exit 5")));
	still_works("system", server);
	close_scene(server);
}

/* ---- P05: ends of a process ---- */

static void ends(const char *how, void (*end)(void))
{
	static struct receipt *r;

	in_port_t port;
	int pipes[2], server, status = 0;

	r = r ? r : new_receipt();
	if (pipe(pipes))
		die("pipe");
	fflush(stdout);
	if (fork() == 0) {
		alarm(60);
		server = open_server();
		port = local_port(server);
		if (write(pipes[1], &port, sizeof(port)) != sizeof(port))
			die("port");
		for (int i = 0; i < 9; i++)
			if (take(r, server, 0) < 0)
				die("receive");
		end();
	}
	if (read(pipes[0], &port, sizeof(port)) != sizeof(port))
		die("port");
	close(pipes[0]);
	close(pipes[1]);
	for (int p = 0; p < 3; p++) {
		struct sockaddr_in to = loopback(1, port);

		if (connect(new_peer()->fd, (struct sockaddr *)&to, sizeof(to)))
			die("connect");
	}
	for (int i = 0; i < 9; i++)
		peer_sends(&peers[i % 3], 50);
	wait(&status);
	tell("%s: signal %d, status %d", how, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	     WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	for (int p = 0; p < 3; p++)
		peer_hears(&peers[p]);
	close_scene(-1);
}

static void by_exit(void)
{
	exit(3);
}

static void by_fast_exit(void)
{
	_exit(4);
}

static void by_kill(void)
{
	kill(getpid(), SIGKILL);
}

static void p05_ends(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	ends("exit", by_exit);
	ends("_exit", by_fast_exit);
	ends("abort", abort);
	ends("kill", by_kill);
}

static const struct test tests[] = {
	{"d06-sent", d06_sent},		  {"d06-sent-many", d06_sent_many},
	{"d06-late", d06_late},		  {"p01-fork", p01_fork},
	{"p03-cloexec", p03_cloexec},	  {"p03-image-hears", p03_image_hears},
	{"p03-inherited", p03_inherited}, {"p03-image-serves", p03_image_serves},
	{"p04-children", p04_children},	  {"p05-ends", p05_ends},
};

int main(int argc, char **argv)
{
	program = argv[0];
	return run_tests(argc, argv, tests, COUNT(tests));
}
