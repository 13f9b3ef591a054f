/* peer: load for an SCTP server, and the judge of what comes back.
 *
 * N peers, each on a socket of its own, send numbered messages to one server. In echo mode each
 * message must come back exactly once, whole, in order and on the stream and with the payload
 * protocol identifier that it left with. Everything that is sent follows from the seed, so what
 * comes back is compared byte by byte with what must have been sent. At the end each association
 * is shut down, and that has to succeed on both sides. One line a peer; the exit status is 0 if
 * all are well. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_MESSAGES = 1, SIZE_MAX_MESSAGE = 60000, MAX_PEERS = 200, MAX_STREAMS = 16 };

/* Every message begins with this. The tag is printable because sctp_test shows the first nine
 * characters of what it gets: two hexadecimal digits of the peer, seven of the message. */
struct header {
	char tag[12];
	uint32_t length;
	uint32_t stream;
	uint32_t sequence; /* within its stream */
	uint32_t ppid;
	uint32_t sum; /* over the rest of the message, for a server that wants to check */
};

enum mode { ECHO, ECHO_DATA, SINK };
enum phase { TALKING, ENDING, DONE, FAILED };

struct peer {
	unsigned number;
	int fd;
	bool heavy;
	enum phase phase;
	uint32_t total, sent, received;
	uint32_t window;
	uint32_t next_out[MAX_STREAMS], next_in[MAX_STREAMS];
	unsigned char *seen; /* one bit a message, by overall number */
	uint64_t bytes;
	size_t have; /* of the message that is being put together */
	uint16_t got_stream;
	uint32_t got_ppid;
	bool blocked; /* the last send found no room */
	char failure[160];
	unsigned char in[SIZE_MAX_MESSAGE + 1];
};

static struct {
	unsigned peers, heavy, quiet, factor, streams;
	uint32_t messages, window, heavy_window;
	size_t least, most;
	uint64_t seed;
	enum mode mode;
	bool one_to_one, abort_at_end, server_ends, unordered;
	int patience; /* seconds without progress */
	const char *before_end, *local;
} set = {
	.peers = 3,
	.factor = 10,
	.streams = 1,
	.messages = 100,
	.window = 8,
	.least = 200,
	.most = 200,
	.seed = 1,
	.patience = 20,
};

static struct sockaddr_storage server;
static socklen_t server_length;

static const char usage[] =
	"usage: peer [options] HOST PORT\n"
	"  -n PEERS      how many peers, each with a socket of its own (3)\n"
	"  -m MESSAGES   messages each (100)\n"
	"  -s SIZE       bytes a message, or MIN-MAX for sizes that follow from the seed (200)\n"
	"  -S SEED       for sizes and contents (1)\n"
	"  -H COUNT      so many of the peers are heavy (0)\n"
	"  -q COUNT      so many others send one message only (0)\n"
	"  -f FACTOR     a heavy peer sends so many times the messages (10)\n"
	"  -w WINDOW     messages that a peer may be ahead of their echoes; 0: no bound (8)\n"
	"  -W WINDOW     the same for heavy peers (0)\n"
	"  -k STREAMS    messages go round-robin over so many streams (1)\n"
	"  -e MODE       what the server does: echo, data (echoes, but not stream and ppid), sink\n"
	"  -u            send unordered (their order is then not checked)\n"
	"  -1            one-to-one sockets instead of one-to-many\n"
	"  -a            end by abort instead of shutdown\n"
	"  -c            wait for the server to end the associations\n"
	"  -l ADDRESS    local address\n"
	"  -x COMMAND    run COMMAND when all is sent and back, before the associations end\n"
	"  -t SECONDS    give up after so long without progress (20)\n";

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list arguments;

	fputs("peer: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}

__attribute__((format(printf, 2, 3))) static void fail(struct peer *p, const char *format, ...)
{
	va_list arguments;

	if (p->phase == FAILED)
		return;
	va_start(arguments, format);
	vsnprintf(p->failure, sizeof(p->failure), format, arguments);
	va_end(arguments);
	p->phase = FAILED;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint32_t sum_of(const unsigned char *data, size_t length)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ data[i]) * 16777619u;
	return sum;
}

/* What message `sequence` of `stream` of peer p is, from the seed alone. */
static size_t compose(const struct peer *p, uint32_t stream, uint32_t sequence, unsigned char *out)
{
	uint64_t key =
		mix(set.seed ^ mix((uint64_t)p->number << 48 | (uint64_t)stream << 32 | sequence));
	size_t length = set.least + (size_t)(key % (set.most - set.least + 1));
	struct header header = {
		.length = (uint32_t)length,
		.stream = stream,
		.sequence = sequence,
		.ppid = (uint32_t)(key >> 40) | 1,
	};
	size_t at = sizeof(header);

	snprintf(header.tag, sizeof(header.tag), "%02x%07x", p->number & 0xff,
		 (sequence * set.streams + stream) & 0xfffffff);
	while (at < length) {
		size_t n = length - at < sizeof(key) ? length - at : sizeof(key);

		memcpy(out + at, &key, n);
		key = key * 6364136223846793005u + 1442695040888963407u;
		at += n;
	}
	header.sum = sum_of(out + sizeof(header), length - sizeof(header));
	memcpy(out, &header, sizeof(header));
	return length;
}

static ssize_t transmit(const struct peer *p, void *data, size_t length, uint32_t stream,
			uint32_t ppid, uint16_t flags)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct sctp_sndrcvinfo))];
	} control;
	struct iovec part = {data, length};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = length > 0,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	struct sctp_sndrcvinfo info = {
		.sinfo_stream = (uint16_t)stream,
		.sinfo_ppid = htonl(ppid),
		.sinfo_flags = flags,
	};

	if (!set.one_to_one) {
		message.msg_name = &server;
		message.msg_namelen = server_length;
	}
	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = IPPROTO_SCTP;
	c->cmsg_type = SCTP_SNDRCV;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends as much as window and socket allow; true if anything went. */
static bool send_some(struct peer *p)
{
	static unsigned char out[SIZE_MAX_MESSAGE];
	bool any = false;

	p->blocked = false;
	for (unsigned burst = 0; burst < 16; burst++) {
		uint32_t stream = p->sent % set.streams;
		struct header header;
		size_t length;

		if (p->sent == p->total)
			return any;
		if (set.mode != SINK && p->window && p->sent - p->received >= p->window)
			return any;
		length = compose(p, stream, p->next_out[stream], out);
		memcpy(&header, out, sizeof(header));
		if (transmit(p, out, length, stream, header.ppid,
			     set.unordered ? SCTP_UNORDERED : 0) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS)
				p->blocked = true;
			else
				fail(p, "send of message %u: %s", p->sent, strerror(errno));
			return any;
		}
		p->next_out[stream]++;
		p->sent++;
		p->bytes += length;
		any = true;
	}
	return any;
}

/* A whole message has come: is it the one that was due? */
static void judge(struct peer *p)
{
	static unsigned char due[SIZE_MAX_MESSAGE];
	struct header header;
	uint32_t overall;
	size_t length;

	if (set.mode == SINK) {
		fail(p, "the server is to send nothing, but %zu bytes came", p->have);
		return;
	}
	if (p->have < sizeof(header)) {
		fail(p, "message of %zu bytes, shorter than any that was sent", p->have);
		return;
	}
	memcpy(&header, p->in, sizeof(header));
	if (strtoul((char[]){header.tag[0], header.tag[1], 0}, NULL, 16) != (p->number & 0xff)) {
		fail(p, "message of another peer (tag %.9s)", header.tag);
		return;
	}
	if (header.length != p->have) {
		fail(p, "message %.9s has %zu bytes instead of %u", header.tag, p->have,
		     header.length);
		return;
	}
	if (header.stream >= set.streams || header.sequence >= p->next_out[header.stream]) {
		fail(p, "message %.9s was never sent", header.tag);
		return;
	}
	overall = header.sequence * set.streams + header.stream;
	if (p->seen[overall / 8] & 1u << overall % 8) {
		fail(p, "message %.9s came twice", header.tag);
		return;
	}
	if (header.sequence != p->next_in[header.stream] && !set.unordered) {
		fail(p, "stream %u: message %u came when %u was due", header.stream,
		     header.sequence, p->next_in[header.stream]);
		return;
	}
	length = compose(p, header.stream, header.sequence, due);
	if (length != p->have || memcmp(due, p->in, length) != 0) {
		fail(p, "message %.9s came back altered", header.tag);
		return;
	}
	if (set.mode == ECHO && p->got_stream != header.stream) {
		fail(p, "message %.9s came on stream %u instead of %u", header.tag, p->got_stream,
		     header.stream);
		return;
	}
	if (set.mode == ECHO && p->got_ppid != header.ppid) {
		fail(p, "message %.9s came with ppid %u instead of %u", header.tag, p->got_ppid,
		     header.ppid);
		return;
	}
	p->seen[overall / 8] |= (unsigned char)(1u << overall % 8);
	p->next_in[header.stream]++;
	p->received++;
}

static void notice(struct peer *p, const union sctp_notification *n)
{
	static const char *const names[] = {"up", "lost", "restarted", "shut down", "refused"};
	unsigned state;

	if (n->sn_header.sn_type == SCTP_SHUTDOWN_EVENT && p->phase == TALKING) {
		fail(p, "the server shut the association down (%u of %u messages back)",
		     p->received, p->total);
		return;
	}
	if (n->sn_header.sn_type != SCTP_ASSOC_CHANGE)
		return;
	state = n->sn_assoc_change.sac_state;
	if (state == SCTP_COMM_UP)
		return;
	if (p->phase == ENDING && state == (set.abort_at_end ? SCTP_COMM_LOST : SCTP_SHUTDOWN_COMP))
		p->phase = DONE;
	else
		fail(p, "association %s while %s (%u sent, %u back)",
		     state < 5 ? names[state] : "changed", p->phase == ENDING ? "ending" : "in use",
		     p->sent, p->received);
}

/* Takes one piece from the socket; true if there was one. */
static bool receive_some(struct peer *p)
{
	union {
		struct cmsghdr align;
		char room[256];
	} control;
	struct iovec part = {p->in + p->have, sizeof(p->in) - p->have};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	union sctp_notification event;
	ssize_t n = recvmsg(p->fd, &message, MSG_DONTWAIT);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		if (set.one_to_one && p->phase == ENDING && errno == ENOTCONN) {
			p->phase = DONE;
			return true;
		}
		fail(p, "receive: %s (%u sent, %u back)", strerror(errno), p->sent, p->received);
		return true;
	}
	if (message.msg_flags & MSG_NOTIFICATION) {
		memset(&event, 0, sizeof(event));
		memcpy(&event, p->in + p->have,
		       (size_t)n < sizeof(event) ? (size_t)n : sizeof(event));
		notice(p, &event);
		return true;
	}
	if (n == 0) {
		if (p->phase == ENDING)
			p->phase = DONE;
		else
			fail(p, "end of file after %u of %u messages", p->received, p->total);
		return true;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct sctp_sndrcvinfo info;

		if (c->cmsg_level != IPPROTO_SCTP || c->cmsg_type != SCTP_SNDRCV)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		p->got_stream = info.sinfo_stream;
		p->got_ppid = ntohl(info.sinfo_ppid);
	}
	p->have += (size_t)n;
	if (message.msg_flags & MSG_EOR) {
		judge(p);
		p->have = 0;
	} else if (p->have == sizeof(p->in)) {
		fail(p, "message longer than any that was sent");
	}
	return true;
}

static void begin_end(struct peer *p)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	p->phase = ENDING;
	if (set.server_ends)
		return;
	if (set.one_to_one && set.abort_at_end) {
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(p->fd);
		p->fd = -1;
		p->phase = DONE;
	} else if (set.one_to_one) {
		if (shutdown(p->fd, SHUT_WR))
			fail(p, "shutdown: %s", strerror(errno));
	} else if (transmit(p, NULL, 0, 0, 0, set.abort_at_end ? SCTP_ABORT : SCTP_EOF) < 0) {
		fail(p, "send of the end: %s", strerror(errno));
	}
}

static void open_peer(struct peer *p)
{
	struct sctp_event_subscribe events = {
		.sctp_data_io_event = 1,
		.sctp_association_event = 1,
		.sctp_shutdown_event = 1,
	};
	struct sctp_initmsg init = {
		.sinit_num_ostreams = MAX_STREAMS,
		.sinit_max_instreams = MAX_STREAMS,
		.sinit_max_attempts = 8,
		.sinit_max_init_timeo = 1000,
	};
	int one = 1;

	p->fd = socket(server.ss_family,
		       (set.one_to_one ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC,
		       IPPROTO_SCTP);
	if (p->fd < 0)
		die("socket: %s", strerror(errno));
	if (setsockopt(p->fd, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init)) ||
	    setsockopt(p->fd, IPPROTO_SCTP, SCTP_EVENTS, &events, sizeof(events)) ||
	    setsockopt(p->fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one)))
		die("setsockopt: %s", strerror(errno));
	if (set.local) {
		struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE,
					 .ai_family = server.ss_family};
		struct addrinfo *found;

		if (getaddrinfo(set.local, NULL, &hints, &found))
			die("-l %s: not an address", set.local);
		if (bind(p->fd, found->ai_addr, found->ai_addrlen))
			die("bind %s: %s", set.local, strerror(errno));
		freeaddrinfo(found);
	}
	if (connect(p->fd, (struct sockaddr *)&server, server_length))
		fail(p, "connect: %s", strerror(errno));
	else if (fcntl(p->fd, F_SETFL, O_RDWR | O_NONBLOCK))
		die("fcntl: %s", strerror(errno));
}

static bool all_back(const struct peer *p)
{
	return p->sent == p->total && (set.mode == SINK || p->received == p->total);
}

/* Moves every peer on until each is through (or, at the end, over); false if nothing moves. */
static void run(struct peer *peers, bool ending)
{
	static struct pollfd wait[MAX_PEERS];
	struct timespec now;
	time_t moved;

	clock_gettime(CLOCK_MONOTONIC, &now);
	moved = now.tv_sec;
	for (;;) {
		bool any = false;
		nfds_t open = 0;

		for (unsigned i = 0; i < set.peers; i++) {
			struct peer *p = &peers[i];

			wait[i].fd = -1;
			if (p->phase == FAILED || p->phase == DONE)
				continue;
			for (unsigned burst = 0; burst < 16 && p->phase != FAILED; burst++) {
				if (!receive_some(p))
					break;
				any = true;
			}
			if (p->phase == TALKING && send_some(p))
				any = true;
			if (p->phase == FAILED || p->phase == DONE || (!ending && all_back(p)))
				continue;
			open++;
			wait[i].fd = p->fd;
			wait[i].events = (short)(p->blocked ? POLLIN | POLLOUT : POLLIN);
		}
		if (open == 0)
			return;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (any) {
			moved = now.tv_sec;
			continue;
		}
		if (now.tv_sec - moved > set.patience)
			break;
		if (poll(wait, set.peers, 1000) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
	}
	for (unsigned i = 0; i < set.peers; i++) {
		struct peer *p = &peers[i];

		if (p->phase == TALKING && !all_back(p))
			fail(p, "no progress for %d s: %u of %u messages sent, %u back",
			     set.patience, p->sent, p->total, p->received);
		else if (p->phase == ENDING)
			fail(p, "no end of the association within %d s", set.patience);
	}
}

static unsigned long number(const char *text, unsigned long least, unsigned long most, char **end)
{
	char *stop;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &stop, 0);
	if (errno || stop == text || (!end && *stop) || value < least || value > most)
		die("%s: not a number from %lu to %lu", text, least, most);
	if (end)
		*end = stop;
	return value;
}

static void parse_size(const char *text)
{
	char *rest;

	set.least = number(text, sizeof(struct header), SIZE_MAX_MESSAGE, &rest);
	set.most = set.least;
	if (*rest == '-')
		set.most = number(rest + 1, set.least, SIZE_MAX_MESSAGE, NULL);
	else if (*rest)
		die("-s %s: neither SIZE nor MIN-MAX", text);
}

static void parse(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int c;

	while ((c = getopt(argc, argv, "n:m:s:S:H:q:f:w:W:k:e:u1acl:x:t:")) >= 0) {
		switch (c) {
		case 'n':
			set.peers = (unsigned)number(optarg, 1, MAX_PEERS, NULL);
			break;
		case 'm':
			set.messages = (uint32_t)number(optarg, 1, 1000000, NULL);
			break;
		case 's':
			parse_size(optarg);
			break;
		case 'S':
			set.seed = number(optarg, 0, UINT32_MAX, NULL);
			break;
		case 'H':
			set.heavy = (unsigned)number(optarg, 0, MAX_PEERS, NULL);
			break;
		case 'q':
			set.quiet = (unsigned)number(optarg, 0, MAX_PEERS, NULL);
			break;
		case 'f':
			set.factor = (unsigned)number(optarg, 1, 1000, NULL);
			break;
		case 'w':
			set.window = (uint32_t)number(optarg, 0, 1000000, NULL);
			break;
		case 'W':
			set.heavy_window = (uint32_t)number(optarg, 0, 1000000, NULL);
			break;
		case 'k':
			set.streams = (unsigned)number(optarg, 1, MAX_STREAMS, NULL);
			break;
		case 'e':
			if (!strcmp(optarg, "echo"))
				set.mode = ECHO;
			else if (!strcmp(optarg, "data"))
				set.mode = ECHO_DATA;
			else if (!strcmp(optarg, "sink"))
				set.mode = SINK;
			else
				die("-e %s: neither echo, data nor sink", optarg);
			break;
		case 'u':
			set.unordered = true;
			break;
		case '1':
			set.one_to_one = true;
			break;
		case 'a':
			set.abort_at_end = true;
			break;
		case 'c':
			set.server_ends = true;
			break;
		case 'l':
			set.local = optarg;
			break;
		case 'x':
			set.before_end = optarg;
			break;
		case 't':
			set.patience = (int)number(optarg, 1, 3600, NULL);
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (set.heavy + set.quiet > set.peers)
		die("more heavy and quiet peers than peers");
	if (argc - optind != 2) {
		fputs(usage, stderr);
		exit(2);
	}
	if (getaddrinfo(argv[optind], argv[optind + 1], &hints, &found))
		die("%s %s: not a numeric address and port", argv[optind], argv[optind + 1]);
	memcpy(&server, found->ai_addr, found->ai_addrlen);
	server_length = found->ai_addrlen;
	freeaddrinfo(found);
}

int main(int argc, char **argv)
{
	struct peer *peers;
	unsigned failed = 0;

	parse(argc, argv);
	peers = calloc(set.peers, sizeof(*peers));
	if (!peers)
		die("no memory");
	for (unsigned i = 0; i < set.peers; i++) {
		struct peer *p = &peers[i];

		p->number = i;
		p->heavy = i < set.heavy;
		p->total = set.messages * (p->heavy ? set.factor : 1);
		if (i >= set.peers - set.quiet)
			p->total = QUIET_MESSAGES;
		p->window = p->heavy ? set.heavy_window : set.window;
		p->seen = calloc(p->total / 8 + MAX_STREAMS, 1);
		if (!p->seen)
			die("no memory");
		open_peer(p);
	}
	run(peers, false);
	if (set.before_end && system(set.before_end) != 0)
		die("failed: %s", set.before_end);
	for (unsigned i = 0; i < set.peers; i++) {
		if (peers[i].phase == TALKING)
			begin_end(&peers[i]);
	}
	run(peers, true);
	for (unsigned i = 0; i < set.peers; i++) {
		struct peer *p = &peers[i];

		printf("peer %u%s: %u messages, %llu bytes sent, %u back: %s\n", p->number,
		       p->heavy ? " (heavy)" : "", p->sent, (unsigned long long)p->bytes,
		       p->received, p->phase == DONE ? "ok" : p->failure);
		failed += p->phase != DONE;
		if (p->fd >= 0)
			close(p->fd);
		free(p->seen);
	}
	free(peers);
	return failed ? 1 : 0;
}
