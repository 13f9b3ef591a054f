/* SPDX-License-Identifier: MIT */
/*
 * load: keeps a server busy until it ends. Each association is a one-to-one socket of this process.
 *
 *   load [-n ASSOCIATIONS] [-i IDLE] [-a AHEAD] [-b BYTES] [-o] ADDRESS PORT
 *
 * Each of the associations has AHEAD messages under way whose echoes have not come; with -o (one
 * way) as many as its send buffer takes. Idle ones say one word at the start and no more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned active = 1, idle, ahead = 1;
static size_t size = 50;
static bool one_way;
static struct sockaddr_in server = {.sin_family = AF_INET};
static char out[65536], in[65536];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int join(void)
{
	struct sctp_sack_info each = {.sack_freq = 1};
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP), one = 1, small = 32768;

	if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_DELAYED_SACK, &each, sizeof(each)) ||
	    (one_way && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small))) ||
	    connect(fd, (struct sockaddr *)&server, sizeof(server)) ||
	    send(fd, out, size, 0) != (ssize_t)size)
		fail("join");
	if (!one_way && recv(fd, in, sizeof(in), 0) <= 0)
		fail("join: no echo");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* The server has ended: that is how a run ends. */
static void say(int fd)
{
	if (send(fd, out, size, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		exit(0);
}

static void answer(int fd)
{
	ssize_t n;

	while ((n = recv(fd, in, sizeof(in), 0)) > 0)
		if (!one_way)
			say(fd);
	if (n == 0 || errno != EAGAIN)
		exit(0);
}

static void fill(int fd)
{
	ssize_t n;

	do
		n = send(fd, out, size, MSG_NOSIGNAL);
	while (n > 0);
	if (errno != EAGAIN)
		exit(0);
}

int main(int argc, char **argv)
{
	struct rlimit many = {20000, 20000};
	struct epoll_event ready[64];
	int option, set = epoll_create1(0);

	while ((option = getopt(argc, argv, "n:i:a:b:o")) >= 0) {
		if (option == 'n')
			active = (unsigned)atoi(optarg);
		else if (option == 'i')
			idle = (unsigned)atoi(optarg);
		else if (option == 'a')
			ahead = (unsigned)atoi(optarg);
		else if (option == 'b')
			size = (size_t)atol(optarg);
		else if (option == 'o')
			one_way = true;
		else
			return 2;
	}
	if (optind + 2 != argc || inet_pton(AF_INET, argv[optind], &server.sin_addr) != 1 ||
	    size > sizeof(out))
		return 2;
	server.sin_port = htons((in_port_t)atoi(argv[optind + 1]));
	setrlimit(RLIMIT_NOFILE, &many);
	for (unsigned i = 0; i < idle; i++)
		join();
	for (unsigned i = 0; i < active; i++) {
		struct epoll_event event = {.events = EPOLLIN | (one_way ? EPOLLOUT : 0),
					    .data.fd = join()};

		if (epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event))
			fail("epoll_ctl");
		for (unsigned k = 0; k < ahead && !one_way; k++)
			say(event.data.fd);
	}
	for (;;) {
		int n = epoll_wait(set, ready, 64, -1);

		for (int i = 0; i < n; i++) {
			if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				answer(ready[i].data.fd);
			if (ready[i].events & EPOLLOUT)
				fill(ready[i].data.fd);
		}
	}
}
