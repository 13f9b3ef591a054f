/* echo_plain: a one-to-many echo server as anybody would write it. It knows nothing of sctpeel:
 * one socket, one loop, one sctp_recvmsg and one sctp_sendmsg a message. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a real server does with a message; one turn of this loop is a hundred instructions. */
static void work(unsigned long instructions)
{
	unsigned long turns = instructions / 100;

	if (turns)
		__asm__ volatile("1:	.rept 98\n	nop\n	.endr\n	dec %0\n	jnz 1b"
				 : "+r"(turns)
				 :
				 : "cc");
}

int main(int argc, char **argv)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	static char message[65536];
	unsigned long instructions = 0;
	size_t have = 0;
	int fd, option, one = 1;

	while ((option = getopt(argc, argv, "w:")) == 'w')
		instructions = strtoul(optarg, NULL, 10);
	if (option >= 0 || optind + 1 != argc) {
		fprintf(stderr, "usage: echo_plain [-w INSTRUCTIONS] PORT\n");
		return 2;
	}
	here.sin_port = htons((unsigned short)atoi(argv[optind]));

	fd = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 100)) {
		perror("echo_plain");
		return 1;
	}

	for (;;) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		struct sctp_sndrcvinfo info;
		int flags = 0;
		int n = sctp_recvmsg(fd, message + have, sizeof(message) - have,
				     (struct sockaddr *)&from, &length, &info, &flags);

		if (n < 0) {
			perror("echo_plain: receive");
			return 1;
		}
		have += (size_t)n;
		if (!(flags & MSG_EOR))
			continue;
		work(instructions);
		if (sctp_sendmsg(fd, message, have, (struct sockaddr *)&from, length,
				 info.sinfo_ppid, 0, info.sinfo_stream, 0, 0) < 0)
			perror("echo_plain: send");
		have = 0;
	}
}
