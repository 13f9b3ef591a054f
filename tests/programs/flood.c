/* flood: what a busy day looks like to an SCTP server, and how its quiet peers fare.
 *
 * Some peers flood it (each a process with a socket of its own): they are always so many messages
 * ahead of the server. Others now and then send one small message. For each of these the delay from
 * the send to the answer is taken: the echo that comes back or, for a server that prints what it
 * receives, the line with its tag in the server's output on standard input. One line at the end:
 * messages that the server handled a second, sporadic messages sent and delivered, and their delays
 * in microseconds. A message that has not been handled when the run is over counts with its wait
 * until then, marked by a +. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FLOODERS = 64, MAX_SPORADIC = 200, MAX_EACH = 4096, TAG = 9 };

/* A flooder says hello before it floods, so that its kernel knows a round-trip time. */
enum { HELLO = 8 };

/* The server's output is looked at so often, not at each of its writes: these are dear already. */
enum { LOOK_NS = 100000 };

struct message {
	int64_t sent, answered; /* ns on the monotonic clock, 0: not yet */
};

struct quiet_peer {
	int fd;
	unsigned count; /* messages sent */
	int64_t due;
	struct message messages[MAX_EACH];
};

/* What flooders and the measuring process share. */
struct shared {
	atomic_bool go;
	atomic_uint handled[MAX_FLOODERS]; /* of a flooder's messages */
};

static struct {
	unsigned flooders, sporadic, ahead;
	size_t size, small;
	int64_t interval, warm_up, duration, grace; /* ns */
	bool printed, verbose;
	pid_t server; /* 0: not ours to end */
} set = {
	.flooders = 1,
	.sporadic = 20,
	.ahead = 100,
	.size = 1000,
	.small = 64,
	.interval = 50000000,
	.duration = 2000000000,
	.warm_up = 250000000,
	.grace = 100000000,
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static struct shared *shared;
static struct quiet_peer *quiet;
static unsigned long handled; /* sporadic messages that the server is known to have handled */

static const char usage[] =
	"usage: flood [options] ADDRESS PORT\n"
	"  -F FLOODERS   peers that flood (1)\n"
	"  -a MESSAGES   that each of them has under way (100)\n"
	"  -f BYTES      size of their messages (1000)\n"
	"  -n PEERS      peers that send now and then (20)\n"
	"  -s BYTES      size of their messages (64)\n"
	"  -i MS         mean time between two messages of one of them (50)\n"
	"  -b MS         let it run in before measuring (250)\n"
	"  -t MS         measure so long (2000)\n"
	"  -g MS         then flood on for so long and wait for sporadic answers (100)\n"
	"  -p            the server prints what it receives: its output is on standard input\n"
	"  -v            also a line for each 250 ms, on standard error\n"
	"  -k PID        then end that process, the server, while its peers are still there\n";

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list arguments;

	fputs("flood: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A server that leaves Nagle's algorithm on sends no small answer while one is not acknowledged.
 * What is measured is not to depend on that, so all peers acknowledge at once. */
static int join(void)
{
	struct sctp_sack_info each = {.sack_freq = 1};
	struct sctp_initmsg init = {.sinit_max_attempts = 8, .sinit_max_init_timeo = 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
	int one = 1;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (setsockopt(fd, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_SCTP, SCTP_DELAYED_SACK, &each, sizeof(each)))
		die("setsockopt: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect: %s", strerror(errno));
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		die("fcntl: %s", strerror(errno));
	return fd;
}

__attribute__((noreturn)) static void flood(unsigned number)
{
	static char out[65536], in[65536];
	int fd = join();
	unsigned count = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(out, 'f', sizeof(out));
	while (!atomic_load(&shared->go))
		usleep(1000);
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN | POLLOUT};
		unsigned had = atomic_load(&shared->handled[number]), burst = 0;
		bool full = false, came = false;

		for (; burst < 16 && count - had < set.ahead && !full; burst++) {
			char tag[TAG + 1];

			if (count < HELLO)
				usleep(1000);
			snprintf(tag, sizeof(tag), "F%02x%06x", number & 0xff, count & 0xffffff);
			memcpy(out, tag, TAG);
			full = send(fd, out, set.size, MSG_NOSIGNAL) < 0;
			if (full && errno != EAGAIN && errno != ENOBUFS)
				exit(1);
			count += !full;
		}
		for (; recv(fd, in, sizeof(in), 0) > 0; came = true)
			atomic_fetch_add(&shared->handled[number], 1);
		if (came) {
			continue;
		} else if (full) {
			poll(&wait, 1, -1);
		} else if (burst < 16 && set.printed) {
			syscall(SYS_futex, &shared->handled[number], FUTEX_WAIT, had, NULL, NULL,
				0);
		} else if (burst < 16) {
			wait.events = POLLIN;
			poll(&wait, 1, -1);
		}
	}
}

/* The answer to the sporadic message with this tag has come. */
static void answered(const char *tag)
{
	unsigned peer, number;

	if (sscanf(tag, "S%2x%6x", &peer, &number) != 2 || peer >= set.sporadic ||
	    number >= quiet[peer].count)
		return;
	if (quiet[peer].messages[number].answered)
		die("message %.*s was answered twice", TAG, tag);
	quiet[peer].messages[number].answered = now();
	handled++;
}

/* The server has printed a flooder's message with this tag. */
static void flooded(const char *tag)
{
	unsigned flooder;

	if (sscanf(tag, "F%2x", &flooder) != 1 || flooder >= set.flooders)
		return;
	atomic_fetch_add(&shared->handled[flooder], 1);
}

/* The server's output: each line that shows a tag is a message that it has handled. Both
 * sctp_test and sctp_darn put it behind a colon. */
static bool read_lines(void)
{
	static char line[65536];
	static size_t have;
	ssize_t n = read(STDIN_FILENO, line + have, sizeof(line) - have);
	char *start = line, *end;

	if (n <= 0)
		return false;
	have += (size_t)n;
	while ((end = memchr(start, '\n', have - (size_t)(start - line)))) {
		char *colon;

		*end = 0;
		for (colon = start; (colon = strchr(colon, ':')); colon++) {
			colon += 1 + strspn(colon + 1, " ");
			if (end - colon < TAG || (*colon != 'S' && *colon != 'F'))
				continue;
			if (*colon == 'S')
				answered(colon);
			else
				flooded(colon);
			break;
		}
		start = end + 1;
	}
	have -= (size_t)(start - line);
	memmove(line, start, have);
	if (have == sizeof(line))
		have = 0;
	return true;
}

static void read_output(void)
{
	unsigned had[MAX_FLOODERS];

	for (unsigned i = 0; i < set.flooders; i++)
		had[i] = atomic_load(&shared->handled[i]);
	while (read_lines())
		continue;
	for (unsigned i = 0; i < set.flooders; i++) {
		if (atomic_load(&shared->handled[i]) != had[i])
			syscall(SYS_futex, &shared->handled[i], FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

static void send_due(struct quiet_peer *p, unsigned number)
{
	static char out[65536];
	char tag[TAG + 1];

	if (p->count == MAX_EACH)
		die("too many messages: make the run shorter or the interval longer");
	memset(out, 's', set.small);
	snprintf(tag, sizeof(tag), "S%02x%06x", number & 0xff, p->count & 0xffffff);
	memcpy(out, tag, TAG);
	p->messages[p->count].sent = now();
	if (send(p->fd, out, set.small, MSG_NOSIGNAL) < 0)
		die("sporadic peer %u cannot send: %s", number, strerror(errno));
	p->count++;
	/* from half to one and a half intervals later */
	p->due += set.interval / 2 + (int64_t)((double)set.interval * drand48());
}

/* Messages that the server is known to have handled so far. */
static unsigned long progress(void)
{
	unsigned long sum = handled;

	for (unsigned i = 0; i < set.flooders; i++)
		sum += atomic_load(&shared->handled[i]);
	return sum;
}

/* Keeps the load up until a point in time; sporadic messages only if `sending`. */
static void keep_up(int64_t end, bool sending)
{
	static struct pollfd wait[MAX_SPORADIC];
	static char in[65536];
	int64_t t;

	while ((t = now()) < end) {
		int64_t next = end;
		struct timespec sleep;

		for (unsigned i = 0; i < set.sporadic && sending; i++) {
			if (quiet[i].due <= t)
				send_due(&quiet[i], i);
			if (quiet[i].due < next)
				next = quiet[i].due;
		}
		for (unsigned i = 0; i < set.sporadic; i++)
			wait[i] = (struct pollfd){.fd = quiet[i].fd, .events = POLLIN};
		if (set.printed) {
			read_output();
			next = next < t + LOOK_NS ? next : t + LOOK_NS;
		}
		t = now();
		next = next > t ? next - t : 0;
		sleep = (struct timespec){next / 1000000000, next % 1000000000};
		if (ppoll(wait, set.sporadic, &sleep, NULL) <= 0)
			continue;
		for (unsigned i = 0; i < set.sporadic; i++) {
			if (!wait[i].revents)
				continue;
			if (recv(quiet[i].fd, in, sizeof(in), 0) <= 0)
				die("sporadic peer %u lost its association", i);
			answered(in);
		}
	}
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* One of the sorted delays, in us; a + behind it says that the wait was not over. A delay is kept
 * doubled, with one more if its message has not been answered. */
static void print_delay(FILE *out, const char *name, int64_t delay)
{
	fprintf(out, " %s=%.0f%s", name, (double)(delay / 2) / 1e3, delay & 1 ? "+" : "");
}

/* What became of the sporadic messages that were sent from `start` to `stop`. */
static void report(FILE *out, int64_t start, int64_t stop, unsigned long count)
{
	int64_t end = now(), *delays = calloc((size_t)set.sporadic * MAX_EACH, sizeof(*delays));
	size_t sent = 0, delivered = 0;

	if (!delays)
		die("no memory");
	for (unsigned i = 0; i < set.sporadic; i++) {
		for (unsigned k = 0; k < quiet[i].count; k++) {
			const struct message *m = &quiet[i].messages[k];

			if (m->sent < start || m->sent >= stop)
				continue;
			delays[sent++] = ((m->answered ? m->answered : end) - m->sent) * 2 +
					 (m->answered ? 0 : 1);
			delivered += m->answered != 0;
		}
	}
	if (!sent)
		die("no sporadic message was sent");
	qsort(delays, sent, sizeof(*delays), compare);
	fprintf(out, "rate=%.0f sent=%zu delivered=%zu",
		(double)count * 1e9 / (double)(stop - start), sent, delivered);
	print_delay(out, "p50", delays[sent / 2]);
	print_delay(out, "p99", delays[sent * 99 / 100]);
	print_delay(out, "max", delays[sent - 1]);
	fputc('\n', out);
	free(delays);
}

static void measure(void)
{
	int64_t start = now() + set.warm_up, stop = start + set.duration;
	unsigned long before, after;

	for (unsigned i = 0; i < set.sporadic; i++)
		quiet[i].due = now() + (int64_t)((double)set.interval * drand48());
	atomic_store(&shared->go, true);
	keep_up(start, true);
	before = progress();
	for (int64_t t = start; set.verbose && t + 250000000 <= stop; t += 250000000) {
		unsigned long had = progress();

		keep_up(t + 250000000, true);
		report(stderr, t, t + 250000000, progress() - had);
	}
	keep_up(stop, true);
	after = progress();
	keep_up(stop + set.grace, false);
	report(stdout, start, stop, after - before);
}

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
	char *stop;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &stop, 10);
	if (errno || stop == text || *stop || value < least || value > most)
		die("%s: not a number from %lu to %lu", text, least, most);
	return value;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "F:a:f:n:s:i:b:t:g:pvk:")) >= 0) {
		switch (c) {
		case 'F':
			set.flooders = (unsigned)number(optarg, 0, MAX_FLOODERS);
			break;
		case 'a':
			set.ahead = (unsigned)number(optarg, 1, 1000000);
			break;
		case 'f':
			set.size = number(optarg, TAG, 60000);
			break;
		case 'n':
			set.sporadic = (unsigned)number(optarg, 1, MAX_SPORADIC);
			break;
		case 's':
			set.small = number(optarg, TAG, 60000);
			break;
		case 'i':
			set.interval = (int64_t)number(optarg, 1, 60000) * 1000000;
			break;
		case 'b':
			set.warm_up = (int64_t)number(optarg, 0, 60000) * 1000000;
			break;
		case 't':
			set.duration = (int64_t)number(optarg, 1, 600000) * 1000000;
			break;
		case 'g':
			set.grace = (int64_t)number(optarg, 0, 600000) * 1000000;
			break;
		case 'p':
			set.printed = true;
			break;
		case 'v':
			set.verbose = true;
			break;
		case 'k':
			set.server = (pid_t)number(optarg, 2, INT_MAX);
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (argc - optind != 2 || inet_pton(AF_INET, argv[optind], &server.sin_addr) != 1) {
		fputs(usage, stderr);
		exit(2);
	}
	server.sin_port = htons((in_port_t)number(argv[optind + 1], 1, 65535));
}

int main(int argc, char **argv)
{
	/* A server that leaves Nagle's algorithm on sends no small answer while one is not yet
	 * acknowledged. Delays are not to depend on that, so the quiet peers acknowledge at once.
	 */
	pid_t children[MAX_FLOODERS];

	parse(argc, argv);
	srand48(1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	quiet = calloc(set.sporadic, sizeof(*quiet));
	if (shared == MAP_FAILED || !quiet)
		die("no memory");
	if (set.printed && fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK))
		die("fcntl: %s", strerror(errno));
	for (unsigned i = 0; i < set.sporadic; i++)
		quiet[i].fd = join();
	for (unsigned i = 0; i < set.flooders; i++) {
		children[i] = fork();
		if (children[i] < 0)
			die("fork: %s", strerror(errno));
		if (children[i] == 0)
			flood(i);
	}
	usleep(100000);
	measure();
	for (unsigned i = 0; i < set.flooders; i++)
		if (waitpid(children[i], NULL, WNOHANG))
			die("flooder %u ended early", i);
	/* some servers end by themselves when a peer goes while they send to it */
	if (set.server && kill(set.server, SIGKILL))
		die("the server has ended before its peers");
	for (unsigned i = 0; i < set.flooders; i++)
		kill(children[i], SIGKILL);
	return 0;
}
