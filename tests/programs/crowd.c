/* crowd: so many associations to an SCTP server, as fast as they come up.
 *
 * Each has a socket of its own, sends one numbered message and waits for its echo. They leave when
 * their echo has come, or all stay until the last one's has. One line at the end: associations,
 * right echoes, and how long it took; the exit status is 0 if all were answered and ended well. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/sctp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"usage: crowd [-n COUNT] [-w AT_ONCE] [-t SECONDS] [-a] [-h ADDRESS] PORT\n"
	"  -n COUNT     associations (10000)\n"
	"  -w AT_ONCE   so many at most wait for their echo (200)\n"
	"  -t SECONDS   give up when nothing comes for so long (60)\n"
	"  -h ADDRESS   where the server is (127.0.0.1)\n"
	"  -a           all stay until the last one was answered\n";

static int most = 10000, window = 200, patience = 60;
static bool stay;
static struct sockaddr_in server = {.sin_family = AF_INET};

static void set_server(const char *address)
{
	if (inet_pton(AF_INET, address, &server.sin_addr) == 1)
		return;
	fprintf(stderr, "crowd: %s: not an IPv4 address\n", address);
	exit(2);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void want_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The message sets the association up. */
static int begin(int set, int number)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_SCTP);
	struct epoll_event event = {.events = EPOLLOUT, .data.u64 = (uint64_t)(unsigned)fd};

	if (fd < 0)
		die("socket");
	event.data.u64 |= (uint64_t)number << 32;
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) && errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
	return fd;
}

static bool say(int set, int fd, int number)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u64 = (uint64_t)(unsigned)fd | (uint64_t)number << 32};
	char text[32];
	int length = snprintf(text, sizeof(text), "association %d", number);

	return send(fd, text, (size_t)length, MSG_NOSIGNAL) == length &&
	       epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) == 0;
}

static bool is_answered(int fd, int number)
{
	char text[32], answer[64];
	int length = snprintf(text, sizeof(text), "association %d", number);
	ssize_t n = recv(fd, answer, sizeof(answer), 0);

	return n == length && memcmp(text, answer, (size_t)n) == 0;
}

/* How many were answered as they should be. */
static int run(int set, int *staying)
{
	int begun = 0, waiting = 0, right = 0;
	struct epoll_event events[64];

	while (begun < most || waiting > 0) {
		int n;

		for (; begun < most && waiting < window; waiting++)
			begin(set, begun++);
		n = epoll_wait(set, events, 64, patience * 1000);
		if (n <= 0) {
			fprintf(stderr, "crowd: %d of %d wait in vain\n", waiting, begun);
			return right;
		}
		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)events[i].data.u64,
			    number = (int)(events[i].data.u64 >> 32);

			if (!(events[i].events & EPOLLIN) && say(set, fd, number))
				continue;
			right += (events[i].events & EPOLLIN) && is_answered(fd, number);
			waiting--;
			if (stay && epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL) == 0)
				staying[number] = fd;
			else
				close(fd);
		}
	}
	return right;
}

int main(int argc, char **argv)
{
	int option, right, set, *staying;
	double began;

	set_server("127.0.0.1");
	while ((option = getopt(argc, argv, "n:w:t:ah:")) != -1) {
		switch (option) {
		case 'n':
			most = atoi(optarg);
			break;
		case 'w':
			window = atoi(optarg);
			break;
		case 't':
			patience = atoi(optarg);
			break;
		case 'h':
			set_server(optarg);
			break;
		case 'a':
			stay = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return 2;
	}
	server.sin_port = htons((in_port_t)atoi(argv[optind]));
	want_descriptors();
	staying = calloc((size_t)most, sizeof(*staying));
	set = epoll_create1(0);
	if (!staying || set < 0)
		die("no memory");
	began = now();
	right = run(set, staying);
	printf("%d associations, %d answered, %.1f s\n", most, right, now() - began);
	for (int i = 0; i < most; i++)
		if (staying[i] > 0 && close(staying[i]))
			die("close");
	free(staying);
	return right == most ? 0 : 1;
}
