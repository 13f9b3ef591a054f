/* echo_peeled: the echo server of echo_plain.c, rewritten by hand as RFC 6458, 9.2 advises: each
 * association is branched off at its first message, and epoll takes turns among them. What the
 * shim does to echo_plain is measured against it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned long instructions;
static int hub;

/* What a real server does with a message; one turn of this loop is a hundred instructions. */
static void work(void)
{
	unsigned long turns = instructions / 100;

	if (turns)
		__asm__ volatile("1:	.rept 98\n	nop\n	.endr\n	dec %0\n	jnz 1b"
				 : "+r"(turns)
				 :
				 : "cc");
}

static void watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(hub, EPOLL_CTL_ADD, fd, &event))
		perror("echo_peeled: watch");
}

/* Takes one message from fd and answers it. */
static void turn(int fd, int original)
{
	static char message[65536];
	struct sctp_sndrcvinfo info = {0};
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int flags = MSG_DONTWAIT;
	int n = sctp_recvmsg(fd, message, sizeof(message), (struct sockaddr *)&from, &length, &info,
			     &flags);

	if (n < 0) {
		if (errno != EAGAIN && fd != original)
			close(fd);
		return;
	}
	if (flags & MSG_NOTIFICATION) {
		const union sctp_notification *event = (const void *)message;

		if (fd != original && event->sn_assoc_change.sac_state != SCTP_COMM_UP)
			close(fd);
		else if (fd == original && event->sn_assoc_change.sac_state == SCTP_COMM_UP)
			watch(sctp_peeloff(original, event->sn_assoc_change.sac_assoc_id));
		return;
	}
	work();
	if (sctp_send(fd, message, (size_t)n, &info, MSG_NOSIGNAL) < 0)
		perror("echo_peeled: send");
}

int main(int argc, char **argv)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1, .sctp_association_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	struct epoll_event ready[64];
	int fd, option, one = 1;

	while ((option = getopt(argc, argv, "w:")) == 'w')
		instructions = strtoul(optarg, NULL, 10);
	if (option >= 0 || optind + 1 != argc) {
		fprintf(stderr, "usage: echo_peeled [-w INSTRUCTIONS] PORT\n");
		return 2;
	}
	here.sin_port = htons((unsigned short)atoi(argv[optind]));

	hub = epoll_create1(0);
	fd = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 100)) {
		perror("echo_peeled");
		return 1;
	}
	watch(fd);
	for (;;) {
		int n = epoll_wait(hub, ready, 64, -1);

		for (int i = 0; i < n; i++)
			turn(ready[i].data.fd, fd);
	}
}
