/* SPDX-License-Identifier: MIT */
/*
 * dlopened: an echo server that has libsctp as the JVM and Erlang have it: opened at run time,
 * RTLD_LOCAL, its functions looked up in the handle. It peels the first association off by itself,
 * when it has had ten messages, and serves it on its own descriptor.
 *
 *   dlopened PORT
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static __typeof__(&sctp_recvmsg) receive_message;
static __typeof__(&sctp_sendmsg) send_message;
static __typeof__(&sctp_peeloff) peel_off;

static void look_up(void)
{
	void *library = dlopen("libsctp.so.1", RTLD_LAZY | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	*(void **)&receive_message = dlsym(library, "sctp_recvmsg");
	*(void **)&send_message = dlsym(library, "sctp_sendmsg");
	*(void **)&peel_off = dlsym(library, "sctp_peeloff");
	if (!receive_message || !send_message || !peel_off || dlsym(RTLD_DEFAULT, "sctp_sendmsg")) {
		fprintf(stderr, "libsctp is not there, or for everybody\n");
		exit(1);
	}
}

/* The association that a message came from, 0 at the end. */
static sctp_assoc_t echo(int fd)
{
	static char text[65536];
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	struct sctp_sndrcvinfo info;
	int size = 0, n, flags = 0;

	do {
		n = receive_message(fd, text + size, sizeof(text) - (size_t)size,
				    (struct sockaddr *)&from, &length, &info, &flags);
		if (n <= 0)
			return 0;
		size += n;
	} while (!(flags & MSG_EOR));
	if (send_message(fd, text, (size_t)size, (struct sockaddr *)&from, length, info.sinfo_ppid,
			 0, info.sinfo_stream, 0, 0) < 0)
		perror("send");
	return info.sinfo_assoc_id;
}

int main(int argc, char **argv)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	struct pollfd fds[2] = {{.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	int count = 0, one = 1;

	here.sin_port = htons((unsigned short)atoi(argc == 2 ? argv[1] : "0"));
	look_up();
	fds[0].fd = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	if (fds[0].fd < 0 ||
	    setsockopt(fds[0].fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(fds[0].fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    bind(fds[0].fd, (struct sockaddr *)&here, sizeof(here)) || listen(fds[0].fd, 100)) {
		perror("dlopened");
		return 1;
	}
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents) {
			sctp_assoc_t id = echo(fds[0].fd);

			if (id && ++count == 10) {
				fds[1].fd = peel_off(fds[0].fd, id);
				printf("peeled off: %s\n", fds[1].fd < 0 ? "no" : "yes");
				fflush(stdout);
			}
		}
		if (fds[1].revents && !echo(fds[1].fd)) {
			close(fds[1].fd);
			fds[1].fd = -1;
		}
	}
	return 1;
}
