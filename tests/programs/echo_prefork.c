/*
 * echo_prefork: a one-to-many echo server of the old kind, as there are many. It opens one socket,
 * then forks workers that all receive from it and answer; one that dies is replaced.
 *
 *   echo_prefork block|epoll|select|exclusive|inherited|reuse PORT WORKERS
 *
 * block: each sleeps in the receive itself. epoll: each waits in a level-triggered set of its own,
 * then receives from the blocking descriptor. exclusive: the same with EPOLLEXCLUSIVE on a
 * non-blocking one. inherited: they wait in one set that is older than they are. select: on a
 * non-blocking descriptor. reuse: as block, beside another socket on the same port (SO_REUSEPORT).
 *
 * On SIGTERM it says how many messages each worker has answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/sctp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64 };

static int fd, set = -1;
static unsigned long *answered; /* by worker; all write into it */
static volatile sig_atomic_t stopped;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_server(int port, int reuse)
{
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	int one = 1, ret = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);

	here.sin_port = htons((unsigned short)port);
	if (ret < 0 || setsockopt(ret, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(ret, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    (reuse && setsockopt(ret, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))) ||
	    bind(ret, (struct sockaddr *)&here, sizeof(here)) || listen(ret, 100))
		fail("server");
	return ret;
}

static void watch(unsigned events)
{
	struct epoll_event event = {.events = events};

	set = epoll_create1(0);
	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
		fail("epoll");
}

static void not_wait(void)
{
}

static void wait_with_epoll(void)
{
	struct epoll_event event;

	if (epoll_wait(set, &event, 1, -1) < 0)
		fail("epoll_wait");
}

static void wait_with_select(void)
{
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(fd, &fds);
	if (select(fd + 1, &fds, NULL, NULL, NULL) < 0)
		fail("select");
}

static void work(int worker, void (*wait_for_input)(void))
{
	static char text[65536];

	for (;;) {
		struct sctp_sndrcvinfo info;
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		int flags = 0, n;

		wait_for_input();
		n = sctp_recvmsg(fd, text, sizeof(text), (struct sockaddr *)&from, &length, &info,
				 &flags);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0 || !(flags & MSG_EOR))
			fail("receive");
		if (sctp_sendmsg(fd, text, (size_t)n, (struct sockaddr *)&from, length,
				 info.sinfo_ppid, 0, info.sinfo_stream, 0, 0) < 0)
			fail("send");
		answered[worker]++;
	}
}

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static pid_t start(int worker, const char *way)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(way, "epoll") == 0)
		watch(EPOLLIN);
	if (strcmp(way, "exclusive") == 0)
		watch(EPOLLIN | EPOLLEXCLUSIVE);
	if (strcmp(way, "select") == 0)
		work(worker, wait_with_select);
	work(worker, set >= 0 ? wait_with_epoll : not_wait);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};
	int workers = argc == 4 ? atoi(argv[3]) : 0;
	const char *way = argv[1];
	pid_t pids[MOST];

	if (workers < 1 || workers > MOST) {
		fprintf(stderr, "usage: echo_prefork block|epoll|select|exclusive|inherited|reuse "
				"PORT WORKERS\n");
		return 2;
	}
	answered = mmap(NULL, sizeof(*answered) * MOST, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = open_server(atoi(argv[2]), strcmp(way, "reuse") == 0);
	if (strcmp(way, "exclusive") == 0 || strcmp(way, "select") == 0 ||
	    strcmp(way, "inherited") == 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	if (strcmp(way, "inherited") == 0)
		watch(EPOLLIN);
	sigaction(SIGTERM, &action, NULL);
	for (int i = 0; i < workers; i++)
		pids[i] = start(i, way);
	while (!stopped) {
		pid_t pid = wait(NULL);

		for (int i = 0; i < workers && !stopped; i++)
			if (pid == pids[i])
				pids[i] = start(i, way);
	}
	for (int i = 0; i < workers; i++) {
		kill(pids[i], SIGKILL);
		printf("%lu\n", answered[i]);
	}
	return 0;
}
