/* SPDX-License-Identifier: MIT */
/*
 * foreign: what a call costs on descriptors that the shim has nothing to do with, in ns; in the
 * guest whose clock counts instructions, in instructions, the kernel's included.
 *
 *   foreign [-o]        -o: after the process has opened a one-to-many socket
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 2000 };

static int fds[3], set;
static char buffer[64];

static void do_recvmsg(int fd)
{
	struct iovec iov = {buffer, sizeof(buffer)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	(void)!recvmsg(fd, &msg, MSG_DONTWAIT);
}

static void do_sendmsg(int fd)
{
	struct msghdr msg = {.msg_iovlen = 0};

	(void)!sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void do_read(int fd)
{
	(void)!read(fd, buffer, 0);
}

static void do_write(int fd)
{
	(void)!write(fd, buffer, 0);
}

static void do_poll(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)poll(&p, 1, 0);
}

static void do_poll_16(int fd)
{
	struct pollfd p[16];

	for (int i = 0; i < 16; i++)
		p[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	(void)poll(p, 16, 0);
}

static void do_epoll_wait(int fd)
{
	struct epoll_event event;

	(void)fd;
	(void)epoll_wait(set, &event, 1, 0);
}

static void do_close(int fd)
{
	(void)fd;
	close(-1);
}

static const struct {
	const char *name;
	void (*call)(int fd);
} calls[] = {
	{"recvmsg", do_recvmsg},       {"sendmsg", do_sendmsg}, {"read", do_read},
	{"write", do_write},	       {"poll", do_poll},	{"poll-16", do_poll_16},
	{"epoll_wait", do_epoll_wait}, {"close", do_close},
};

static double ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median of many short stretches: the kernel's own clock ticks fall into a few of them. */
static double cost(void (*call)(int fd), int fd)
{
	static double stretches[CALLS / 10];

	for (int i = 0; i < CALLS / 10; i++) {
		double began = ns();

		for (int k = 0; k < 10; k++)
			call(fd);
		stretches[i] = (ns() - began) / 10;
	}
	qsort(stretches, CALLS / 10, sizeof(*stretches), compare);
	return stretches[CALLS / 20];
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"udp", "tcp", "pipe"};
	struct sockaddr_in here = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN};
	socklen_t length = sizeof(here);
	int ends[2], listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc > 1 && socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP) < 0)
		return 1;
	fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&here, &length) ||
	    connect(fds[1], (struct sockaddr *)&here, sizeof(here)) ||
	    connect(fds[0], (struct sockaddr *)&here, sizeof(here)) || pipe(ends))
		return 1;
	fds[2] = ends[0];
	set = epoll_create1(0);
	if (epoll_ctl(set, EPOLL_CTL_ADD, listener, &event))
		return 1;
	(void)argv;
	for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++)
		for (int k = 0; k < 3; k++)
			printf("%s.%s %.1f\n", calls[c].name, kinds[k],
			       cost(calls[c].call, fds[k]));
	return 0;
}
