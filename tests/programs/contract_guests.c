/* SPDX-License-Identifier: MIT */
/*
 * contract_guests: programs in which the shim has no business (section G of the contract).
 */
#include <sys/stat.h>
#include <sys/un.h>

#include "contract.h"

static int errno_at_main;
static char **arguments;

/* ---- plain: what a program finds when it starts ---- */

static void tell_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct line line = {.length = 0};
	const struct dirent *entry;

	if (!folder)
		die("/proc/self/fd");
	while ((entry = readdir(folder))) {
		int fd = atoi(entry->d_name);
		struct stat s;

		if (entry->d_name[0] == '.' || fd == dirfd(folder) || fstat(fd, &s))
			continue;
		add(&line, " %d: type %o flags %#x %#x,", fd, s.st_mode & S_IFMT,
		    (unsigned)fcntl(fd, F_GETFL), (unsigned)fcntl(fd, F_GETFD));
	}
	tell("descriptors:%s the next is %d", line.text, dirfd(folder));
	closedir(folder);
}

static void tell_signals(void)
{
	struct line line = {.length = 0};
	sigset_t blocked, pending;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	sigpending(&pending);
	for (int i = 1; i < NSIG; i++) {
		struct sigaction action;

		if (sigaction(i, NULL, &action))
			continue;
		if (action.sa_handler != SIG_DFL)
			add(&line, " %d is %s", i,
			    action.sa_handler == SIG_IGN ? "ignored" : "handled");
		if (sigismember(&blocked, i) == 1)
			add(&line, " %d is blocked", i);
		if (sigismember(&pending, i) == 1)
			add(&line, " %d is pending", i);
	}
	tell("signals:%s", line.text);
}

static void tell_limits(void)
{
	struct line line = {.length = 0};
	struct rlimit limit;

	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
			add(&line, " %ld/%ld", (long)limit.rlim_cur, (long)limit.rlim_max);
	tell("limits:%s", line.text);
}

/* Threads, and what else of the process a library could have changed. */
static void tell_status(void)
{
	static const char *const wanted[] = {"Name:",	"Umask:",  "Threads:", "SigBlk:",
					     "SigIgn:", "SigCgt:", "CapEff:",  "Seccomp:"};
	FILE *status = fopen("/proc/self/status", "r");
	char text[200];

	if (!status)
		die("/proc/self/status");
	while (fgets(text, sizeof(text), status))
		for (size_t i = 0; i < COUNT(wanted); i++)
			if (strncmp(text, wanted[i], strlen(wanted[i])) == 0)
				fputs(text, stdout);
	fclose(status);
}

static void plain(void)
{
	extern char **environ;
	char folder[500];

	tell("errno at main: %d", errno_at_main);
	tell_descriptors();
	tell_signals();
	tell_limits();
	tell_status();
	for (char **a = arguments; *a; a++)
		tell("argument: %s", *a);
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
			tell("environment: %s", *e);
	tell("folder: %s", getcwd(folder, sizeof(folder)) ? folder : "?");
	tell("children: %d %s", (int)wait(NULL), errno_name(errno));
}

/* ---- closes: a daemon that closes all it knows of, and all else ---- */

static void closes(void)
{
	struct rlimit limit = {256, 256};
	int closed = 0, copy;

	setrlimit(RLIMIT_NOFILE, &limit);
	copy = dup(1);
	for (int fd = 3; fd < 1024; fd++)
		closed += fd != copy && close(fd) == 0;
	tell("closed %d", closed);
	for (int fd = 0; fd < 3; fd++)
		closed += close(fd) == 0;
	OUTCOME("nobody", write(2, "?", 1));
	copy = dup2(copy, 1);
	tell("closed %d, %d is open again", closed, copy);
	OUTCOME("0 is free", open("/dev/null", O_RDWR));
	OUTCOME("2 is free", open("/dev/null", O_RDWR));
	OUTCOME("the copy is 3", close(3));
	_exit(7);
}

/* ---- traffic: descriptors that are no one-to-many SCTP sockets ---- */

/* For strace: the calls between these two are compared. */
static void mark(const char *name)
{
	if (access(name, F_OK) == 0)
		die("%s is there", name);
}

static void wait_for_input(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timeval soon = {5, 0};
	struct timespec soon_too = {5, 0};
	fd_set set;

	if (poll(&p, 1, 5000) != 1 || ppoll(&p, 1, &soon_too, NULL) != 1)
		die("poll");
	FD_ZERO(&set);
	FD_SET(fd, &set);
	if (select(fd + 1, &set, NULL, NULL, &soon) != 1 ||
	    pselect(fd + 1, &set, NULL, NULL, &soon_too, NULL) != 1)
		die("select");
}

static void wait_with_epoll(int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef};
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) || epoll_ctl(set, EPOLL_CTL_MOD, fd, &event))
		die("epoll_ctl");
	event.data.u64 = 0;
	if (epoll_wait(set, &event, 1, 5000) != 1 || epoll_pwait(set, &event, 1, 5000, NULL) != 1 ||
	    event.data.u64 != 0x123456789abcdef)
		die("epoll_wait");
	if (epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL) || close(set))
		die("epoll_ctl: delete");
}

/* Through pipes and files too. */
static void write_and_read(const char *name, int from, int to)
{
	char text[20] = "", more[20] = "";
	struct iovec out[2] = {{.iov_base = text, .iov_len = 5}, {.iov_base = text, .iov_len = 5}};
	int waiting = -1;

	if (write(from, "hello", 5) != 5)
		die("%s: write", name);
	wait_for_input(to);
	wait_with_epoll(to);
	if (ioctl(to, FIONREAD, &waiting) || waiting != 5)
		die("%s: %d bytes waiting", name, waiting);
	if (read(to, text, sizeof(text)) != 5 || strcmp(text, "hello") != 0)
		die("%s: read", name);
	if (writev(from, out, 1) != 5)
		die("%s: writev", name);
	if (readv(to, &(struct iovec){more, sizeof(more)}, 1) != 5 || strcmp(more, "hello") != 0)
		die("%s: readv", name);
	if (fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK) ||
	    fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK))
		die("%s: fcntl", name);
	OUTCOME(name, read(to, text, sizeof(text)));
	if (fcntl(from, F_SETFL, fcntl(from, F_GETFL) & ~O_NONBLOCK) ||
	    fcntl(to, F_SETFL, fcntl(to, F_GETFL) & ~O_NONBLOCK))
		die("%s: fcntl", name);
}

static void send_and_receive(const char *name, int from, int to)
{
	char text[20] = "", out[] = "howdy";
	struct iovec iov = {out, 5};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct mmsghdr several = {.msg_hdr = message};
	int value = 0;
	socklen_t length = sizeof(value);

	if (send(from, out, 5, 0) != 5 || recv(to, text, sizeof(text), 0) != 5)
		die("%s: send and recv", name);
	if (sendto(from, out, 5, 0, NULL, 0) != 5 ||
	    recvfrom(to, text, sizeof(text), 0, NULL, NULL) != 5)
		die("%s: sendto and recvfrom", name);
	if (sendmsg(from, &message, 0) != 5)
		die("%s: sendmsg", name);
	iov.iov_base = text;
	message.msg_flags = 0;
	if (recvmsg(to, &message, 0) != 5)
		die("%s: recvmsg", name);
	if (sendmmsg(from, &several, 1, 0) != 1 || recvmmsg(to, &several, 1, 0, NULL) != 1)
		die("%s: sendmmsg and recvmmsg", name);
	OUTCOME(name, recv(to, text, sizeof(text), MSG_DONTWAIT));
	if (getsockopt(from, SOL_SOCKET, SO_TYPE, &value, &length))
		die("%s: getsockopt", name);
	set_int(from, SOL_SOCKET, SO_RCVBUF, 20000);
	tell("%s: type %d", name, value);
}

static void copies(const char *name, int fd)
{
	int copy = dup(fd), other = fcntl(fd, F_DUPFD_CLOEXEC, 40), third = dup3(fd, 50, 0);

	tell("%s: copies %d %d %d", name, copy, other, third);
	OUTCOME(name, dup2(fd, copy));
	OUTCOME(name, close(copy));
	OUTCOME(name, close_range(40, 60, 0));
	OUTCOME(name, close(other));
}

static void connected_pair(int type, int protocol, int fds[2])
{
	struct sockaddr_in address = loopback(1, 0);
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, type, protocol);

	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 5) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		die("listen");
	fds[0] = socket(AF_INET, type, protocol);
	if (connect(fds[0], (struct sockaddr *)&address, length))
		die("connect");
	wait_for_input(listener);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fds[1] < 0)
		die("accept4");
	OUTCOME("close", close(listener));
}

static void converse(const char *name, int fds[2])
{
	write_and_read(name, fds[0], fds[1]);
	write_and_read(name, fds[1], fds[0]);
	send_and_receive(name, fds[0], fds[1]);
	copies(name, fds[0]);
}

static void hang_up(const char *name, int fds[2])
{
	char byte;

	OUTCOME(name, shutdown(fds[0], SHUT_WR));
	OUTCOME(name, read(fds[1], &byte, 1));
	OUTCOME(name, close(fds[0]));
	OUTCOME(name, close(fds[1]));
	OUTCOME(name, read(fds[0], &byte, 1));
}

static void traffic_of_udp(void)
{
	struct sockaddr_in address = loopback(1, 0);
	socklen_t length = sizeof(address);
	int fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		address.sin_port = 0;
		if (bind(fds[i], (struct sockaddr *)&address, length) ||
		    getsockname(fds[i], (struct sockaddr *)&address, &length))
			die("bind");
	}
	if (connect(fds[0], (struct sockaddr *)&address, length))
		die("connect");
	address.sin_port = local_port(fds[0]);
	if (connect(fds[1], (struct sockaddr *)&address, length))
		die("connect");
	converse("UDP", fds);
	close(fds[0]);
	close(fds[1]);
}

/* A descriptor that comes in a message. */
static void pass(int from, int to, int passed)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &passed, sizeof(int));
	if (sendmsg(from, &message, 0) != 1 || recvmsg(to, &message, 0) != 1)
		die("SCM_RIGHTS");
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	tell("received: %d", passed);
	if (write(passed, "y", 1) != 1 || close(passed))
		die("the received descriptor");
}

static void traffic_of_pipes(void)
{
	char byte = 0;
	int fds[2], other[2];

	if (pipe(fds) || pipe2(other, O_CLOEXEC))
		die("pipe");
	write_and_read("pipe", fds[1], fds[0]);
	copies("pipe", fds[1]);
	if (write(fds[1], "z", 1) != 1 || splice(fds[0], NULL, other[1], NULL, 1, 0) != 1 ||
	    read(other[0], &byte, 1) != 1 || byte != 'z')
		die("splice");
	close(fds[1]);
	OUTCOME("pipe", read(fds[0], &byte, 1));
	close(fds[0]);
	close(other[0]);
	close(other[1]);
}

static void traffic_of_files(void)
{
	char text[20] = "";
	int fd = open("/dev/shm/contract_guests", O_CREAT | O_TRUNC | O_RDWR, 0600);
	struct iovec iov = {text, sizeof(text)};

	if (fd < 0 || unlink("/dev/shm/contract_guests"))
		die("open");
	if (write(fd, "hello", 5) != 5 || pwrite(fd, "HE", 2, 0) != 2 || lseek(fd, 0, SEEK_SET) ||
	    read(fd, text, 2) != 2 || pread(fd, text, 5, 0) != 5 ||
	    preadv2(fd, &iov, 1, 0, 0) != 5 || strcmp(text, "HEllo") != 0)
		die("file");
	copies("file", fd);
	wait_for_input(fd);
	OUTCOME("file", send(fd, "x", 1, 0));
	OUTCOME("file", recv(fd, text, 1, 0));
	OUTCOME("file", ioctl(fd, FIONBIO, &(int){0}));
	OUTCOME("file", shutdown(fd, SHUT_RD));
	OUTCOME("file", listen(fd, 1));
	OUTCOME("file", sctp_peeloff(fd, 1));
	OUTCOME("file", close(fd));
	OUTCOME("file", close(fd));
}

static void traffic(bool with_sctp)
{
	int fds[2], pipes[2];

	mark("/begin");
	connected_pair(SOCK_STREAM, 0, fds);
	converse("TCP", fds);
	hang_up("TCP", fds);
	traffic_of_udp();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || pipe(pipes))
		die("socketpair");
	converse("AF_UNIX", fds);
	pass(fds[0], fds[1], pipes[1]);
	hang_up("AF_UNIX", fds);
	close(pipes[0]);
	close(pipes[1]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		die("socketpair");
	converse("AF_UNIX SEQPACKET", fds);
	hang_up("AF_UNIX SEQPACKET", fds);
	traffic_of_pipes();
	traffic_of_files();
	if (with_sctp) {
		connected_pair(SOCK_STREAM, IPPROTO_SCTP, fds);
		converse("SCTP one-to-one", fds);
		OUTCOME("peel", sctp_peeloff(fds[0], 1));
		hang_up("SCTP one-to-one", fds);
	}
	mark("/end");
}

static void traffic_with_sctp(void)
{
	traffic(true);
}

static void traffic_without_sctp(void)
{
	traffic(false);
}

/* ---- syscalls: a server that calls the kernel by numbers ---- */

static void serve_by_number(int server, struct receipt *r)
{
	struct iovec iov;
	struct msghdr answer = {.msg_name = &r->name,
				.msg_namelen = sizeof(struct sockaddr_in),
				.msg_iov = &iov,
				.msg_iovlen = 1};

	r->iov = (struct iovec){r->data, r->capacity};
	r->header = (struct msghdr){.msg_name = &r->name,
				    .msg_namelen = sizeof(r->name),
				    .msg_iov = &r->iov,
				    .msg_iovlen = 1};
	r->size = syscall(SYS_recvmsg, server, &r->header, 0);
	if (r->size <= 0)
		die("recvmsg by number");
	iov = (struct iovec){r->data, (size_t)r->size};
	OUTCOME("sent", syscall(SYS_sendmsg, server, &answer, 0));
}

static void syscalls(void)
{
	int server = open_server();
	struct receipt *r = new_receipt();

	for (int i = 0; i < 3; i++)
		connect_peer(new_peer(), server);
	for (int i = 0; i < 30; i++) {
		peer_sends(&peers[i % 3], 100);
		serve_by_number(server, r);
		peer_hears(&peers[i % 3]);
	}
	for (int i = 0; i < 3; i++)
		close_peer(&peers[i]);
	OUTCOME("close", close(server));
}

/* Calls by number on a socket that ordinary calls have served before, and serve after. */
static void some_by_number(void)
{
	int server = open_scene(2), set = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd p = {.fd = server, .events = POLLIN};
	struct receipt *r = new_receipt();

	connect_peer(new_peer(), server);
	peer_sends(&peers[2], 100);
	OUTCOME("poll", syscall(SYS_poll, &p, 1, 1000));
	OUTCOME("epoll_ctl", syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, server, &event));
	serve_by_number(server, r);
	peer_hears(&peers[2]);
	for (int i = 0; i < 9; i++) {
		peer_sends(&peers[i % 3], 100);
		hear("by name", server, 0);
	}
	OUTCOME("not ours", syscall(SYS_write, -1, "x", 1));
	OUTCOME("getpid", syscall(SYS_getpid) == getpid());
	OUTCOME("six arguments", syscall(SYS_mmap, NULL, 0L, 0L, 0L, -1L, 0L));
	close(set);
	close_scene(server);
}

static const struct test tests[] = {
	{"plain", plain},
	{"some-by-number", some_by_number},
	{"closes", closes},
	{"syscalls", syscalls},
	{"traffic", traffic_with_sctp},
	{"traffic-without-sctp", traffic_without_sctp},
};

int main(int argc, char **argv)
{
	errno_at_main = errno;
	arguments = argv;
	if (argc > 1 && strcmp(argv[1], "plain") == 0) {
		plain();
		return 0;
	}
	return run_tests(argc, argv, tests, COUNT(tests));
}
