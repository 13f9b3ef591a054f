/* SPDX-License-Identifier: MIT */
/*
 * echo_waiting: a one-to-many echo server with an event loop, as there are many. It is
 * non-blocking, waits in one of several ways and then reads until there is nothing more.
 *
 *   echo_waiting poll|select|epoll|edge|late PORT
 *
 * late: the epoll set is made when the first association is there, and again when there was no
 * memory for it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd, set = -1;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_server(const char *port)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	int one = 1;

	here.sin_port = htons((unsigned short)atoi(port));
	fd = socket(AF_INET, SOCK_SEQPACKET | SOCK_NONBLOCK, IPPROTO_SCTP);
	if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 100))
		fail("server");
}

static void wait_with_poll(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, -1) < 0)
		fail("poll");
}

static void wait_with_select(void)
{
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(fd, &fds);
	if (select(fd + 1, &fds, NULL, NULL, NULL) < 0)
		fail("select");
}

static void watch(unsigned events)
{
	struct epoll_event event = {.events = events};

	set = epoll_create1(0);
	if (set < 0)
		fail("epoll_create1");
	while (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
		if (errno != ENOMEM)
			fail("epoll_ctl");
}

static void wait_with_epoll(void)
{
	struct epoll_event event;

	if (epoll_wait(set, &event, 1, -1) < 0)
		fail("epoll_wait");
}

static void send_back(const char *text, size_t size, struct sockaddr *to, socklen_t length,
		      const struct sctp_sndrcvinfo *info)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	while (sctp_sendmsg(fd, text, size, to, length, info->sinfo_ppid, 0, info->sinfo_stream, 0,
			    0) < 0)
		if (errno != EAGAIN || poll(&p, 1, -1) < 0)
			fail("send");
}

/* Returns how many messages there were. */
static unsigned echo_all(void)
{
	static char text[65536];
	struct sctp_sndrcvinfo info;
	unsigned count = 0;

	for (;; count++) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		int flags = 0;
		int n = sctp_recvmsg(fd, text, sizeof(text), (struct sockaddr *)&from, &length,
				     &info, &flags);

		if (n < 0 && errno == EAGAIN)
			return count;
		if (n < 0 || !(flags & MSG_EOR))
			fail("receive");
		send_back(text, (size_t)n, (struct sockaddr *)&from, length, &info);
	}
}

int main(int argc, char **argv)
{
	const char *way = argc == 3 ? argv[1] : "";
	void (*wait_for_input)(void) = wait_with_poll;

	if (argc == 3)
		open_server(argv[2]);
	if (strcmp(way, "select") == 0) {
		wait_for_input = wait_with_select;
	} else if (strcmp(way, "epoll") == 0 || strcmp(way, "edge") == 0) {
		wait_for_input = wait_with_epoll;
		watch(way[1] == 'p' ? EPOLLIN : EPOLLIN | EPOLLET);
	} else if (strcmp(way, "late") != 0 && strcmp(way, "poll") != 0) {
		fprintf(stderr, "usage: echo_waiting poll|select|epoll|edge|late PORT\n");
		return 2;
	}
	for (;;) {
		wait_for_input();
		if (echo_all() > 0 && set < 0 && strcmp(way, "late") == 0) {
			watch(EPOLLIN);
			wait_for_input = wait_with_epoll;
		}
	}
}
