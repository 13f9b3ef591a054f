/* SPDX-License-Identifier: MIT */
/*
 * echo_sturdy: a one-to-many echo server that nothing puts off, for a long time under bad
 * circumstances: what a receive or a send says of one association is no reason to end.
 *
 *   echo_sturdy WORKERS PORT
 *
 * WORKERS 0: one process, non-blocking, waits in an edge-triggered epoll set and reads until there
 * is nothing more. Else that many, which each wait in a level-triggered set of their own; one that
 * dies is replaced.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/sctp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_server(const char *port)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	int one = 1, room = 4 << 20;

	here.sin_port = htons((unsigned short)atoi(port));
	fd = socket(AF_INET, SOCK_SEQPACKET | SOCK_NONBLOCK, IPPROTO_SCTP);
	/* the room is for whole messages: their parts would be echoed as messages of their own */
	if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 1000))
		fail("server");
}

/* False: there is nothing more. */
static bool echo_one(void)
{
	static char text[65536];
	struct sctp_sndrcvinfo info;
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int flags = 0;
	int n = sctp_recvmsg(fd, text, sizeof(text), (struct sockaddr *)&from, &length, &info,
			     &flags);

	if (n < 0)
		return errno != EAGAIN;
	(void)sctp_sendmsg(fd, text, (size_t)n, (struct sockaddr *)&from, length, info.sinfo_ppid,
			   0, info.sinfo_stream, 0, 0);
	return true;
}

static void serve(unsigned events)
{
	struct epoll_event event = {.events = events};
	int set = epoll_create1(0);

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
		fail("epoll");
	for (;;) {
		if (epoll_wait(set, &event, 1, -1) < 0 && errno != EINTR)
			fail("epoll_wait");
		while (echo_one() && (events & EPOLLET))
			;
	}
}

static void start_worker(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	serve(EPOLLIN);
}

int main(int argc, char **argv)
{
	int workers = argc == 3 ? atoi(argv[1]) : 0;

	if (argc != 3) {
		fputs("usage: echo_sturdy WORKERS PORT\n", stderr);
		return 2;
	}
	open_server(argv[2]);
	if (workers == 0)
		serve(EPOLLIN | EPOLLET);
	for (int i = 0; i < workers; i++)
		start_worker();
	for (;;)
		if (wait(NULL) > 0)
			start_worker();
}
