/* SPDX-License-Identifier: MIT */
/*
 * server: a one-to-many server that says what a message costs it. It receives COUNT messages after
 * the first SKIP, prints the time for each, and ends.
 *
 *   server [-w loop|poll|epoll] [-e] [-s SKIP] [-c COUNT] PORT      -e: echoes
 *
 * loop blocks in the receive; poll and epoll wait, then receive until there is nothing more.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static enum { LOOP, POLL, EPOLL } way;
static bool echoes;
static unsigned long skip = 1000, count = 10000, received;
static int fd, set;
static char message[262144];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static long own_kilobytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!file || fscanf(file, "%*s %ld", &pages) != 1)
		fail("statm");
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void open_server(const char *port)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port))};
	struct epoll_event event = {.events = EPOLLIN};
	int one = 1;

	fd = socket(AF_INET, SOCK_SEQPACKET | (way == LOOP ? 0 : SOCK_NONBLOCK), IPPROTO_SCTP);
	set = epoll_create1(0);
	if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 10000) ||
	    (way == EPOLL && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event)))
		fail("server");
}

/* One whole message; false when there is none now. */
static bool receive(struct sockaddr_storage *from, socklen_t *length, struct sctp_sndrcvinfo *info,
		    size_t *size)
{
	int flags;

	*size = 0;
	do {
		int n;

		flags = 0;
		*length = sizeof(*from);
		n = sctp_recvmsg(fd, message + *size, sizeof(message) - *size,
				 (struct sockaddr *)from, length, info, &flags);
		if (n < 0 && errno == EAGAIN && *size == 0)
			return false;
		if (n < 0 && errno != EAGAIN)
			fail("receive");
		*size += n > 0 ? (size_t)n : 0;
	} while (!(flags & MSG_EOR));
	return true;
}

static void account(void)
{
	static int64_t began;

	if (++received == skip)
		began = now();
	if (received < skip + count)
		return;
	printf("ns=%.1f kilobytes=%ld\n", (double)(now() - began) / (double)count, own_kilobytes());
	exit(0);
}

static bool handle(void)
{
	struct sockaddr_storage from;
	struct sctp_sndrcvinfo info;
	socklen_t length;
	size_t size;

	if (!receive(&from, &length, &info, &size))
		return false;
	if (echoes &&
	    sctp_sendmsg(fd, message, size, (struct sockaddr *)&from, length, 0, 0,
			 info.sinfo_stream, 0, 0) < 0 &&
	    errno != EAGAIN)
		perror("send");
	account();
	return true;
}

static void await(void)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct epoll_event event;

	if (way == POLL && poll(&wait, 1, -1) < 0)
		fail("poll");
	if (way == EPOLL && epoll_wait(set, &event, 1, -1) < 0)
		fail("epoll_wait");
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "w:es:c:")) >= 0) {
		if (option == 'w')
			way = optarg[0] == 'l' ? LOOP : optarg[0] == 'p' ? POLL : EPOLL;
		else if (option == 'e')
			echoes = true;
		else if (option == 's')
			skip = strtoul(optarg, NULL, 10);
		else if (option == 'c')
			count = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	open_server(argv[optind]);
	for (;;) {
		await();
		while (handle() && way != LOOP)
			continue;
	}
}
