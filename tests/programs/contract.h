/* SPDX-License-Identifier: MIT */
/*
 * contract: what the contract_* programs share. Each of them is an ordinary user of SCTP that knows
 * nothing of the shim and prints what it sees, which must be the same with the shim and without.
 *
 * Peers are one-to-one sockets, named A, B, C... in the order in which they were made. What differs
 * from run to run (ids, ports, TSNs, times) is printed as names, relative numbers or classes.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "context.h"

/* The same programs in IPv6 (make programs6): no socket and no address of theirs is IPv4. */
#ifdef CONTRACT_IPV6
#undef AF_INET
#define AF_INET AF_INET6
#define sockaddr_in sockaddr_in6
#define sin_family sin6_family
#define sin_port sin6_port
#define sin_addr sin6_addr
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- saying what happened ---- */

__attribute__((format(printf, 1, 2))) static inline void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

#define die(...)                                                                                  \
	do {                                                                                      \
		int die_errno = errno;                                                            \
		printf("FAILED %s:%d: ", __FILE__, __LINE__);                                     \
		printf(__VA_ARGS__);                                                              \
		printf(" (%s)\n", strerrorname_np(die_errno) ? strerrorname_np(die_errno) : "0"); \
		fflush(stdout);                                                                   \
		_exit(99);                                                                        \
	} while (0)

static inline const char *errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "ok";

	return name ? name : "?";
}

static volatile sig_atomic_t sigpipes;

static inline void count_sigpipe(int sig)
{
	(void)sig;
	sigpipes++;
}

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/*
 * How long something took: coarse, so that a busy machine says the same as an idle one. Where all
 * takes many times longer, under a sanitizer in an emulator, it would mean nothing.
 */
static inline const char *how_long(double seconds)
{
	if (getenv("PATIENCE"))
		return "some time";
	return seconds < 0.08 ? "at once" : seconds < 1.5 ? "after a while" : "late";
}

/* Tells what an expression returns, its errno, and the SIGPIPEs that it raised. Keeps errno. */
#define OUTCOME(label, expression)                                 \
	({                                                         \
		errno = 0;                                         \
		sigpipes = 0;                                      \
		long outcome_value = (long)(expression);           \
		int outcome_errno = errno;                         \
		tell_outcome(label, outcome_value, outcome_errno); \
		errno = outcome_errno;                             \
		outcome_value;                                     \
	})

static inline void tell_outcome(const char *label, long value, int error)
{
	const char *pipes = sigpipes == 0 ? "" : sigpipes == 1 ? " SIGPIPE" : " SIGPIPES";

	if (value < 0)
		tell("%s: %ld %s%s", label, value, errno_name(error), pipes);
	else
		tell("%s: %ld%s", label, value, pipes);
}

/* A line under construction. */
struct line {
	char text[1000];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static inline void add(struct line *line, const char *format,
							     ...)
{
	va_list args;
	size_t room = sizeof(line->text) - line->length;

	va_start(args, format);
	int n = vsnprintf(line->text + line->length, room, format, args);
	va_end(args);
	line->length += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* ---- peers ---- */

#define MAX_PEERS 4096

struct peer {
	char name[4];
	int fd;
	in_port_t port;	 /* network order */
	sctp_assoc_t id; /* as its server knows it, 0 until something came from it */
	uint32_t first_tsn;
	bool tsn_known;
	bool obeys;	      /* a companion acts for it */
	unsigned sent, heard; /* numbers of the next messages: of it, to it */
	unsigned taken;	      /* number of the next message that the program should receive of it */
};

static struct peer peers[MAX_PEERS];
static int peer_count;

static inline const char *name_of_number(int n)
{
	static char names[8][4];
	static int turn;
	char *name = names[turn++ & 7];

	if (n < 26)
		snprintf(name, 4, "%c", 'A' + n);
	else
		snprintf(name, 4, "%c%02d", 'A' + n % 26, n / 26 % 100);
	return name;
}

/* The last one of that port: the kernel may give it again when its first owner is gone. */
static inline struct peer *peer_of_port(in_port_t port)
{
	for (int i = peer_count - 1; i >= 0; i--)
		if (peers[i].port == port)
			return &peers[i];
	return NULL;
}

static inline struct peer *peer_of_id(sctp_assoc_t id)
{
	for (int i = 0; i < peer_count; i++)
		if (peers[i].id == id && id != 0)
			return &peers[i];
	return NULL;
}

static inline const char *name_of_id(sctp_assoc_t id)
{
	const struct peer *peer = peer_of_id(id);

	return peer ? peer->name : id == 0 ? "0" : "?";
}

static inline in_port_t port_of(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
					      : ((const struct sockaddr_in *)address)->sin_port;
}

/* 127.0.0.1, 2, 3...; or ::1, fd00::2, fd00::3... */
static inline struct sockaddr_in loopback(int last, in_port_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};

#ifdef CONTRACT_IPV6
	address.sin6_addr.s6_addr[0] = last == 1 ? 0 : 0xfd;
	address.sin6_addr.s6_addr[15] = (uint8_t)last;
#else
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (uint32_t)last);
#endif
	return address;
}

static inline in_port_t local_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		die("getsockname");
	return port_of(&address);
}

static inline void set_int(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		die("option %d/%d = %d", level, option, value);
}

static inline void set_timeout(int fd, int option, long ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};

	if (setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t)))
		die("timeout %d", option);
}

/* What a program may subscribe to; the order is that of struct sctp_event_subscribe. */
enum {
	SUB_DATA = 1 << 0,
	SUB_ASSOC = 1 << 1,
	SUB_ADDRESS = 1 << 2,
	SUB_SEND_FAILED = 1 << 3,
	SUB_PEER_ERROR = 1 << 4,
	SUB_SHUTDOWN = 1 << 5,
	SUB_PARTIAL = 1 << 6,
	SUB_ADAPTATION = 1 << 7,
	SUB_DRY = 1 << 9,
};

static inline int subscribe_length(int fd, unsigned events, socklen_t length)
{
	uint8_t bytes[sizeof(struct sctp_event_subscribe)];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = events >> i & 1;
	return setsockopt(fd, SOL_SCTP, SCTP_EVENTS, bytes, length);
}

static inline void subscribe(int fd, unsigned events)
{
	if (subscribe_length(fd, events, sizeof(struct sctp_event_subscribe)))
		die("SCTP_EVENTS");
}

/* No waiting for more to send or to acknowledge: a graceful end comes at once, tests take less
 * time. */
static inline void be_prompt(int fd)
{
	struct sctp_sack_info sack = {.sack_freq = 1};

	set_int(fd, SOL_SCTP, SCTP_NODELAY, 1);
	if (setsockopt(fd, SOL_SCTP, SCTP_DELAYED_SACK, &sack, sizeof(sack)))
		die("SCTP_DELAYED_SACK");
}

static inline void add_second_address(int fd)
{
	struct sockaddr_in second = loopback(2, local_port(fd));

	if (sctp_bindx(fd, (struct sockaddr *)&second, 1, SCTP_BINDX_ADD_ADDR))
		die("second address");
}

static inline int bound_socket(int type)
{
	struct sockaddr_in address = loopback(1, 0);
	int fd = socket(context_family(type), type, IPPROTO_SCTP);

	if (fd < 0)
		die("socket");
	(void)in_context("ipv6");
	context_before_bind(fd, type);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bound socket");
	if (in_context("multihomed"))
		add_second_address(fd);
	be_prompt(fd);
	return fd;
}

/* A listening one-to-many socket that says who sent what. */
static inline int open_server(void)
{
	int fd = bound_socket(SOCK_SEQPACKET);

	if (listen(fd, 100))
		die("listen");
	subscribe(fd, SUB_DATA);
	return fd;
}

/* The next peer: bound, not connected, so that it may be made before a fork. */
static inline struct peer *new_peer(void)
{
	if (peer_count == MAX_PEERS)
		die("too many peers");

	struct peer *peer = &peers[peer_count];

	/* what a full receive buffer dropped comes again soon */
	struct sctp_rtoinfo soon = {.srto_initial = 100, .srto_max = 200, .srto_min = 50};
	/* of many small chunks a message can come in parts */
	struct sctp_assoc_value chunk = {.assoc_value = in_context("mid") ? 1000 : 0};

	*peer = (struct peer){.fd = bound_socket(SOCK_STREAM)};
	snprintf(peer->name, sizeof(peer->name), "%s", name_of_number(peer_count++));
	if (setsockopt(peer->fd, SOL_SCTP, SCTP_RTOINFO, &soon, sizeof(soon)))
		die("SCTP_RTOINFO");
	if (chunk.assoc_value && setsockopt(peer->fd, SOL_SCTP, SCTP_MAXSEG, &chunk, sizeof(chunk)))
		die("SCTP_MAXSEG");
	set_timeout(peer->fd, SO_RCVTIMEO, 5000);
	subscribe(peer->fd, SUB_DATA);
	peer->port = local_port(peer->fd);
	return peer;
}

/* For a program that connects to its peers. */
static inline void listen_as_peer(struct peer *peer)
{
	if (listen(peer->fd, 1))
		die("%s listens", peer->name);
}

static inline void accept_as_peer(struct peer *peer)
{
	int fd = accept(peer->fd, NULL, NULL);

	if (fd < 0)
		die("%s accepts", peer->name);
	be_prompt(fd);
	subscribe(fd, SUB_DATA);
	set_timeout(fd, SO_RCVTIMEO, 5000);
	close(peer->fd);
	peer->fd = fd;
}

static inline void connect_peer(struct peer *peer, int server)
{
	struct sockaddr_in to = loopback(1, local_port(server));

	if (connect(peer->fd, (struct sockaddr *)&to, sizeof(to)))
		die("%s connects", peer->name);
}

/* ---- messages: named, numbered, checksummed ---- */

#ifndef POLLMSG
#define POLLMSG 0x400
#endif
#define HEADER 24
#define MAX_MESSAGE 200000

static char message_buffer[MAX_MESSAGE];

static inline uint32_t checksum(const char *text, size_t size)
{
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (uint8_t)text[i]) * 16777619U;
	return sum;
}

/* Writes message NUMBER of NAME: "A000001 000100 1a2b3c4d abc...". */
static inline void make_message(char *buffer, const char *name, unsigned number, size_t size)
{
	char header[64];

	if (size < HEADER || size > MAX_MESSAGE)
		die("message size %zu", size);
	for (size_t i = HEADER; i < size; i++)
		buffer[i] = (char)('a' + (i * 7 + number * 13 + (unsigned char)name[0]) % 26);
	snprintf(header, sizeof(header), "%c%06u %06zu %08x ", name[0], number % 1000000, size,
		 checksum(buffer + HEADER, size - HEADER));
	memcpy(buffer, header, HEADER);
}

/* The number of a whole message with the right sum, else -1. */
static inline int message_number(const char *text, size_t size)
{
	unsigned number, length, sum;
	char name, header[HEADER + 1];

	if (size < HEADER)
		return -1;
	memcpy(header, text, HEADER);
	header[HEADER] = 0;
	if (sscanf(header, "%c%u %u %x", &name, &number, &length, &sum) != 4)
		return -1;
	if (length != size || sum != checksum(text + HEADER, size - HEADER))
		return -1;
	return (int)number;
}

/* "A000003", or what it begins with and why it is not whole. */
static inline void add_message(struct line *line, const char *text, size_t size)
{
	if (message_number(text, size) >= 0) {
		add(line, " %.7s", text);
		return;
	}
	add(line, " '");
	for (size_t i = 0; i < size && i < 30; i++)
		add(line, "%c", isprint((unsigned char)text[i]) ? text[i] : '.');
	add(line, "%s'", size > 30 ? "..." : "");
}

/* What a peer sent is acknowledged, so that it can be received: as a rule it is so at once. */
static inline void await_delivery(struct peer *peer)
{
	for (int i = 0; i < 3; i++) {
		struct sctp_status status = {.sstat_assoc_id = 0};
		socklen_t length = sizeof(status);

		if (getsockopt(peer->fd, SOL_SCTP, SCTP_STATUS, &status, &length) ||
		    status.sstat_unackdata + status.sstat_penddata == 0)
			return;
		pause_ms(1);
	}
}

/* From here on it sends to that address of its server's two. */
static inline void choose_path(struct peer *peer, int last)
{
	struct sctp_setprim way = {.ssp_assoc_id = 0};
	struct sockaddr_storage other;
	socklen_t length = sizeof(other);

	if (getpeername(peer->fd, (struct sockaddr *)&other, &length))
		return;

	struct sockaddr_in to = loopback(last, port_of(&other));

	memcpy(&way.ssp_addr, &to, sizeof(to));
	setsockopt(peer->fd, SOL_SCTP, SCTP_PRIMARY_ADDR, &way, sizeof(way));
}

/* What a peer says: its next message, on a stream. */
static inline void peer_sends_on(struct peer *peer, size_t size, uint16_t stream, uint32_t ppid,
				 uint32_t flags)
{
	if (in_context("multihomed"))
		choose_path(peer, 1 + (int)peer->sent % 2);
	make_message(message_buffer, peer->name, peer->sent++, size);
	if (sctp_sendmsg(peer->fd, message_buffer, size, NULL, 0, htonl(ppid), flags, stream, 0,
			 0) != (int)size)
		die("%s sends", peer->name);
	if (size < 2000)
		await_delivery(peer);
}

static inline void peer_sends(struct peer *peer, size_t size)
{
	peer_sends_on(peer, size, 0, 0, 0);
}

/* What a peer hears: one line. */
static inline void peer_hears(struct peer *peer)
{
	static char buffer[MAX_MESSAGE];
	struct line line = {.length = 0};
	struct sctp_sndrcvinfo info = {0};
	int flags = 0;
	ssize_t n = sctp_recvmsg(peer->fd, buffer, sizeof(buffer), NULL, NULL, &info, &flags);

	if (n <= 0) {
		tell("%s hears: %s", peer->name, n == 0 ? "the end" : errno_name(errno));
		return;
	}
	add_message(&line, buffer, (size_t)n);
	tell("%s hears:%s stream %u ppid %u%s%s", peer->name, line.text, info.sinfo_stream,
	     ntohl(info.sinfo_ppid), info.sinfo_flags & SCTP_UNORDERED ? " unordered" : "",
	     flags & MSG_EOR ? "" : " in part");
}

/* What it has heard by now, if anything. */
static inline void peer_hears_nothing_more(struct peer *peer)
{
	char byte;

	if (recv(peer->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0)
		peer_hears(peer);
	else if (errno != EAGAIN)
		tell("%s hears: %s", peer->name, errno_name(errno));
}

static inline void forget_peer(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
}

/* More than the window: it closes while they are under way. */
static inline void say_last_words(struct peer *peer)
{
	const size_t size = 60000;

	struct sockaddr_storage server;
	socklen_t length = sizeof(server);

	if (getpeername(peer->fd, (struct sockaddr *)&server, &length))
		return;
	set_int(peer->fd, SOL_SOCKET, SO_SNDBUF, 400000);
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 3; i++) {
		make_message(message_buffer, peer->name, peer->sent++, size);
		sctp_sendmsg(peer->fd, message_buffer, size, NULL, 0, htonl(CLOSING_PPID), 0, 0, 0,
			     0);
	}
}

static inline void close_peer(struct peer *peer)
{
	if (in_context("closing"))
		say_last_words(peer);
	forget_peer(peer);
}

static inline void abort_peer(struct peer *peer)
{
	struct linger hard = {1, 0};

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	forget_peer(peer);
}

/* ---- what the program receives ---- */

struct receipt {
	char data[MAX_MESSAGE];
	size_t capacity;     /* of the data asked for */
	size_t control_room; /* of the control messages asked for */
	ssize_t size;
	int error;
	struct msghdr header;
	struct sockaddr_storage name;
	char control[1024];
	struct iovec iov;
};

static inline ssize_t take_by_recvmsg(struct receipt *r, int fd, int flags)
{
	r->iov = (struct iovec){r->data, r->capacity};
	memset(&r->name, 0, sizeof(r->name));
	r->header = (struct msghdr){.msg_name = &r->name,
				    .msg_namelen = sizeof(r->name),
				    .msg_iov = &r->iov,
				    .msg_iovlen = 1,
				    .msg_control = r->control_room ? r->control : NULL,
				    .msg_controllen = r->control_room};
	errno = 0;
	r->size = recvmsg(fd, &r->header, flags);
	r->error = r->size < 0 ? errno : 0;
	return r->size;
}

/* What a peek has shown the context's call takes: the same bytes, or it is told. */
static inline bool take_what_is_seen(struct receipt *r, int fd, int flags)
{
	static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	static char again[MAX_MESSAGE];
	ssize_t n;
	int kept;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &kept);
	pthread_mutex_lock(&lock);
	if (take_by_recvmsg(r, fd, flags | MSG_PEEK | MSG_DONTWAIT) >= 0) {
		n = context_receive(fd, again, r->capacity, flags);
		if (n != r->size || memcmp(again, r->data, (size_t)n) != 0)
			tell("another than was seen: %zd, %zd", r->size, n);
	}
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(kept, &kept);
	return r->error != EAGAIN;
}

/* Another thread may take what one was woken for. */
static inline void take_by_call(struct receipt *r, int fd, int flags)
{
	if (!context_receives() || flags & (MSG_PEEK | MSG_ERRQUEUE))
		take_by_recvmsg(r, fd, flags);
	else if (flags & MSG_DONTWAIT)
		take_what_is_seen(r, fd, flags);
	else
		while (take_by_recvmsg(r, fd, flags | MSG_PEEK) >= 0 &&
		       !take_what_is_seen(r, fd, flags))
			;
}

/* Who waits for edges must have seen that nothing is there; others wait first. */
static inline void take_after_wait(struct receipt *r, int fd, int flags)
{
	int patience = context_patience(fd), woken = 1;

	flags |= in_context("nonblock") ? 0 : MSG_DONTWAIT;
	if (in_context("edge"))
		take_by_call(r, fd, flags);
	else
		r->error = EAGAIN;
	while (r->error == EAGAIN && woken == 1) {
		woken = context_wait(fd, false, patience < 0 ? 2000 : patience);
		if (woken < 0) {
			r->size = -1;
			r->error = errno;
			return;
		}
		take_by_call(r, fd, flags);
		if (r->error == EAGAIN && !in_context("edge"))
			return;
	}
}

struct taking {
	struct receipt *receipt;
	int fd, flags;
};

static inline void take_in_context(void *argument)
{
	const struct taking *t = argument;

	if (context_waits() && !(t->flags & MSG_DONTWAIT))
		take_after_wait(t->receipt, t->fd, t->flags);
	else
		take_by_call(t->receipt, t->fd, t->flags);
}

/* One receive with room for everything unless capacity or control_room say otherwise. */
static inline ssize_t take(struct receipt *r, int fd, int flags)
{
	struct taking taking = {r, fd, flags};

	if (!getenv("CONTRACT_CONTEXT"))
		return take_by_recvmsg(r, fd, flags);
	if (gettid() != getpid() || !context_next_thread(take_in_context, &taking))
		take_in_context(&taking);
	errno = r->error;
	return r->size;
}

static inline struct receipt *new_receipt(void)
{
	struct receipt *r = calloc(1, sizeof(*r));

	if (!r)
		die("memory");
	r->capacity = sizeof(r->data);
	r->control_room = sizeof(r->control);
	return r;
}

static inline const char *state_name(int state)
{
	static const char *const names[] = {"COMM_UP", "COMM_LOST", "RESTART", "SHUTDOWN_COMP",
					    "CANT_STR_ASSOC"};

	return state >= 0 && state < (int)COUNT(names) ? names[state] : "?";
}

static inline void add_notification(struct line *line, const char *data, size_t size)
{
	union sctp_notification n;

	memset(&n, 0, sizeof(n));
	memcpy(&n, data, size < sizeof(n) ? size : sizeof(n));
	if (size < sizeof(n.sn_header) || n.sn_header.sn_length != size) {
		add(line, " part of a notification");
		return;
	}
	switch (n.sn_header.sn_type) {
	case SCTP_ASSOC_CHANGE:
		add(line, " ASSOC_CHANGE %s %s error %d streams %d/%d",
		    name_of_id(n.sn_assoc_change.sac_assoc_id),
		    state_name(n.sn_assoc_change.sac_state), n.sn_assoc_change.sac_error,
		    n.sn_assoc_change.sac_inbound_streams, n.sn_assoc_change.sac_outbound_streams);
		break;
	case SCTP_SHUTDOWN_EVENT:
		add(line, " SHUTDOWN_EVENT %s", name_of_id(n.sn_shutdown_event.sse_assoc_id));
		break;
	case SCTP_SEND_FAILED:
		add(line, " SEND_FAILED %s error %u", name_of_id(n.sn_send_failed.ssf_assoc_id),
		    n.sn_send_failed.ssf_error);
		break;
	case SCTP_PEER_ADDR_CHANGE:
		add(line, " PEER_ADDR_CHANGE %s state %d",
		    name_of_id(n.sn_paddr_change.spc_assoc_id), n.sn_paddr_change.spc_state);
		break;
	case SCTP_REMOTE_ERROR:
		add(line, " REMOTE_ERROR %s", name_of_id(n.sn_remote_error.sre_assoc_id));
		break;
	case SCTP_PARTIAL_DELIVERY_EVENT:
		add(line, " PARTIAL_DELIVERY_EVENT %s indication %u",
		    name_of_id(n.sn_pdapi_event.pdapi_assoc_id), n.sn_pdapi_event.pdapi_indication);
		break;
	case SCTP_ADAPTATION_INDICATION:
		add(line, " ADAPTATION %s %u", name_of_id(n.sn_adaptation_event.sai_assoc_id),
		    n.sn_adaptation_event.sai_adaptation_ind);
		break;
	case SCTP_SENDER_DRY_EVENT:
		add(line, " SENDER_DRY %s", name_of_id(n.sn_sender_dry_event.sender_dry_assoc_id));
		break;
	default:
		add(line, " notification %#x", n.sn_header.sn_type);
	}
}

/* Learns the sender's id from what it sent; says so if two sources disagree. */
static inline void learn_id(struct receipt *r, sctp_assoc_t id)
{
	struct peer *peer = r->header.msg_namelen ? peer_of_port(port_of(&r->name)) : NULL;

	if (peer && peer->id == 0)
		peer->id = id;
}

static inline void learn_from_data(struct receipt *r)
{
	struct sctp_sndrcvinfo sndrcv;
	struct sctp_rcvinfo rcv;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&r->header); c; c = CMSG_NXTHDR(&r->header, c)) {
		if (c->cmsg_level != IPPROTO_SCTP)
			continue;
		if (c->cmsg_type == SCTP_SNDRCV && c->cmsg_len == CMSG_LEN(sizeof(sndrcv))) {
			memcpy(&sndrcv, CMSG_DATA(c), sizeof(sndrcv));
			learn_id(r, sndrcv.sinfo_assoc_id);
		}
		if (c->cmsg_type == SCTP_RCVINFO && c->cmsg_len == CMSG_LEN(sizeof(rcv))) {
			memcpy(&rcv, CMSG_DATA(c), sizeof(rcv));
			learn_id(r, rcv.rcv_assoc_id);
		}
	}
}

static inline void learn(struct receipt *r)
{
	union sctp_notification *n = (union sctp_notification *)(void *)r->data;

	if (r->size <= 0)
		return;
	learn_from_data(r);
	if (r->header.msg_flags & MSG_NOTIFICATION && n->sn_header.sn_type == SCTP_ASSOC_CHANGE &&
	    r->size >= (ssize_t)sizeof(struct sctp_assoc_change))
		learn_id(r, n->sn_assoc_change.sac_assoc_id);
}

static inline int relative_tsn(sctp_assoc_t id, uint32_t tsn)
{
	struct peer *peer = peer_of_id(id);

	if (!peer)
		return -1;
	if (!peer->tsn_known) {
		peer->first_tsn = tsn;
		peer->tsn_known = true;
	}
	return (int)(tsn - peer->first_tsn);
}

static inline void add_control(struct line *line, struct cmsghdr *c)
{
	struct sctp_sndrcvinfo sndrcv;
	struct sctp_rcvinfo rcv;
	struct sctp_nxtinfo nxt;

	if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_SNDRCV &&
	    c->cmsg_len == CMSG_LEN(sizeof(sndrcv))) {
		memcpy(&sndrcv, CMSG_DATA(c), sizeof(sndrcv));
		add(line, " SNDRCV(%s stream %u ssn %u flags %#x ppid %u context %u tsn +%d)",
		    name_of_id(sndrcv.sinfo_assoc_id), sndrcv.sinfo_stream, sndrcv.sinfo_ssn,
		    sndrcv.sinfo_flags, ntohl(sndrcv.sinfo_ppid), sndrcv.sinfo_context,
		    relative_tsn(sndrcv.sinfo_assoc_id, sndrcv.sinfo_tsn));
	} else if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_RCVINFO &&
		   c->cmsg_len == CMSG_LEN(sizeof(rcv))) {
		memcpy(&rcv, CMSG_DATA(c), sizeof(rcv));
		add(line, " RCVINFO(%s stream %u ssn %u flags %#x ppid %u context %u tsn +%d)",
		    name_of_id(rcv.rcv_assoc_id), rcv.rcv_sid, rcv.rcv_ssn, rcv.rcv_flags,
		    ntohl(rcv.rcv_ppid), rcv.rcv_context,
		    relative_tsn(rcv.rcv_assoc_id, rcv.rcv_tsn));
	} else if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_NXTINFO &&
		   c->cmsg_len == CMSG_LEN(sizeof(nxt))) {
		memcpy(&nxt, CMSG_DATA(c), sizeof(nxt));
		add(line, " NXTINFO(%s stream %u flags %#x ppid %u length %u)",
		    name_of_id(nxt.nxt_assoc_id), nxt.nxt_sid, nxt.nxt_flags, ntohl(nxt.nxt_ppid),
		    nxt.nxt_length);
	} else {
		add(line, " control(level %d type %d length %zu)", c->cmsg_level, c->cmsg_type,
		    (size_t)c->cmsg_len);
	}
}

static inline void add_flags(struct line *line, int flags)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = {{MSG_EOR, "EOR"},
		     {MSG_NOTIFICATION, "NOTIFICATION"},
		     {MSG_TRUNC, "TRUNC"},
		     {MSG_CTRUNC, "CTRUNC"},
		     {MSG_OOB, "OOB"},
		     {MSG_ERRQUEUE, "ERRQUEUE"},
		     {MSG_CMSG_CLOEXEC, "CMSG_CLOEXEC"}};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (flags & names[i].bit)
			add(line, " %s", names[i].name);
		flags &= ~names[i].bit;
	}
	if (flags)
		add(line, " flags %#x", (unsigned)flags);
}

static inline void add_address(struct line *line, const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET6)
		add(line, " [%s]",
		    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
			      sizeof(text)));
}

/* Everything that one receive returned, in one line. */
static inline void describe(struct line *line, struct receipt *r)
{
	if (r->size < 0) {
		add(line, " %s", errno_name(r->error));
		return;
	}
	learn(r);

	struct peer *peer = r->header.msg_namelen ? peer_of_port(port_of(&r->name)) : NULL;

	add(line, " %zd", r->size);
	add_flags(line, r->header.msg_flags);
	add(line, " from %s/%u", peer ? peer->name : "-", r->header.msg_namelen);
	add_address(line, &r->name);
	if (r->header.msg_flags & MSG_NOTIFICATION)
		add_notification(line, r->data, (size_t)r->size);
	else
		add_message(line, r->data, (size_t)r->size);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&r->header); c; c = CMSG_NXTHDR(&r->header, c))
		add_control(line, c);
}

/* Receives once and tells all about it. */
static inline ssize_t hear(const char *label, int fd, int flags)
{
	static struct receipt *r;
	struct line line = {.length = 0};

	r = r ? r : new_receipt();
	take(r, fd, flags);
	describe(&line, r);
	tell("%s:%s", label, line.text);
	errno = r->error;
	return r->size;
}

/* Everything that is there now; ends with the errno. */
static inline void hear_all(const char *label, int fd)
{
	for (int i = 0; i < 1000 && hear(label, fd, MSG_DONTWAIT) >= 0; i++)
		;
}

/* ---- a companion: a child that acts for the peers while the program sleeps ---- */

/*
 * It is made before the server's socket, so that it shares nothing with it but the peers' sockets.
 * CLOSE and ABORT take the peer from the program too.
 */
enum action { CONNECT, ACCEPT, SEND, LOAD, CLOSE, ABORT, ANSWER, COUNT_DESCRIPTORS };

struct order {
	enum action action;
	struct peer *peer;
	long delay; /* ms, before it is carried out */
	int times;
	size_t size;	 /* of what it sends */
	in_port_t port;	 /* that it connects to */
	unsigned number; /* of the next message, known to the program only */
};

static int companion = -1; /* the line to it, if there is one */

/* Everybody speaks, in turns; the load is more than buffers hold, so the program must listen. */
static inline void carry_out_load(int times)
{
	for (int k = 0; k < times; k++)
		for (int p = 0; p < peer_count; p++)
			peer_sends(&peers[p], HEADER + (size_t)(k * 37 + p * 101) % 1300);
}

static inline void answer(int line, int value)
{
	if (write(line, &value, sizeof(value)) != sizeof(value))
		_exit(0);
}

/* The program's descriptors, hidden ones included. */
static inline int count_parents_descriptors(void)
{
	char path[40];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", getppid());

	DIR *folder = opendir(path);

	if (!folder)
		die("%s", path);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n - 2;
}

static inline void carry_out(const struct order *o, int line)
{
	struct sockaddr_in to = loopback(1, o->port);

	pause_ms(o->delay);
	switch (o->action) {
	case CONNECT:
		if (connect(o->peer->fd, (struct sockaddr *)&to, sizeof(to)))
			die("%s connects", o->peer->name);
		break;
	case ACCEPT:
		accept_as_peer(o->peer);
		break;
	case SEND:
		o->peer->sent = o->number;
		for (int i = 0; i < o->times; i++)
			peer_sends(o->peer, o->size);
		break;
	case LOAD:
		carry_out_load(o->times);
		break;
	case CLOSE:
		close_peer(o->peer);
		break;
	case ABORT:
		abort_peer(o->peer);
		break;
	case ANSWER:
		answer(line, 0);
		break;
	case COUNT_DESCRIPTORS:
		answer(line, count_parents_descriptors());
	}
}

static inline void start_companion(void)
{
	int ends[2];
	struct order o;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		die("socketpair");
	fflush(stdout);
	if (fork() == 0) {
		alarm(context_minutes() * 60);
		close(ends[0]);
		while (read(ends[1], &o, sizeof(o)) == sizeof(o))
			carry_out(&o, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	companion = ends[0];
}

static inline void give_order(struct order o)
{
	o.number = o.peer ? o.peer->sent : 0;
	if (write(companion, &o, sizeof(o)) != sizeof(o))
		die("order");
	if (o.action == SEND)
		o.peer->sent += (unsigned)o.times;
	if (o.action == CLOSE || o.action == ABORT)
		forget_peer(o.peer);
}

static inline void order(enum action action, struct peer *peer, long delay)
{
	give_order((struct order){.action = action, .peer = peer, .delay = delay});
}

static inline void order_messages(struct peer *peer, long delay, int times, size_t size)
{
	give_order((struct order){
		.action = SEND, .peer = peer, .delay = delay, .times = times, .size = size});
}

static inline int ask(enum action question)
{
	int value;

	order(question, NULL, 0);
	if (read(companion, &value, sizeof(value)) != sizeof(value))
		die("companion");
	return value;
}

/* Waits until the companion has carried out all its orders. */
static inline void await_companion(void)
{
	ask(ANSWER);
}

static inline void end_companion(void)
{
	close(companion);
	companion = -1;
	wait(NULL);
}

/* ---- the kernel's own view, from outside ---- */

/* How many associations the kernel has between two local ports; 0 stands for any. A look from
 * outside. */
static inline int kernel_associations(in_port_t local, in_port_t remote)
{
	FILE *file = fopen("/proc/net/sctp/assocs", "re");
	char text[2000];
	unsigned l, r;
	int n = 0;

	if (!file)
		die("/proc/net/sctp/assocs");
	while (fgets(text, sizeof(text), file))
		if (sscanf(text, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u %u", &l, &r) == 2)
			n += (!local || l == ntohs(local)) && (!remote || r == ntohs(remote));
	fclose(file);
	return n;
}

static inline void await_associations(in_port_t local, in_port_t remote, int count)
{
	/* what has last words to say ends when the program has heard them */
	int times = in_context("closing") ? 20 : 500;

	for (int i = 0; i < times && kernel_associations(local, remote) != count; i++)
		pause_ms(10);
	if (kernel_associations(local, remote) != count)
		tell("%d associations instead of %d", kernel_associations(local, remote), count);
}

/* A peer has ended its association: waits until the kernel has finished with it on both sides. */
static inline void await_end(const struct peer *peer)
{
	await_associations(0, peer->port, 0);
}

/* ---- what is hidden ---- */

/* Looks past libc, as a debugger would: what it finds is not meant for the program. */
static inline int plain_get(int fd, int level, int name, void *value, socklen_t *length)
{
	return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

static inline bool one_to_many(int fd)
{
	int protocol = 0, type = 0;
	socklen_t length = sizeof(int);

	if (plain_get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) || protocol != IPPROTO_SCTP)
		return false;
	length = sizeof(int);
	return plain_get(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

/* ---- sets of associations ---- */

/* How a peer begins: with a message, to which the context may add some. */
static inline int first_words(int server, struct peer *peer)
{
	const size_t sizes[] = {HEADER + 6, in_context("mid") ? 60000 : 40, 50};
	int count = in_context("queued") ? 3 : in_context("mid") ? 2 : 1;

	if (in_context("mid"))
		set_int(server, SOL_SOCKET, SO_RCVBUF, 20000);
	for (int i = 0; i < count; i++)
		if (peer->obeys)
			order_messages(peer, 0, 1, sizes[i]);
		else
			peer_sends(peer, sizes[i]);
	return count;
}

/* Receives one thing of any peer, learns its id, and says whether that was the end of a message. */
static inline bool hear_words(int server, struct receipt *r)
{
	static const struct peer *in_parts;
	struct peer *peer;
	bool whole;

	do
		if (take(r, server, 0) < 0)
			die("greeting");
	while (r->header.msg_flags & MSG_NOTIFICATION);
	learn(r);
	whole = r->header.msg_flags & MSG_EOR;
	peer = peer_of_port(port_of(&r->name));
	if (!peer || peer->id == 0)
		die("greeting of nobody");
	if (whole && peer != in_parts && message_number(r->data, (size_t)r->size) < 0)
		die("greeting of %s is not whole", peer->name);
	in_parts = whole ? NULL : peer;
	peer->taken += whole;
	return whole;
}

/* Receives what each of the last n peers says first, one after the other, and learns their ids. */
static inline void greet(int server, int n)
{
	static struct receipt *r;
	int count = 0;

	r = r ? r : new_receipt();
	for (int i = peer_count - n; i < peer_count; i++) {
		count += first_words(server, &peers[i]);
		if (in_context("queued") && i + 1 < peer_count)
			continue;
		while (count > 0)
			count -= hear_words(server, r);
	}
}

/* A server with n associations, each of which has sent its first message. */
static inline int open_scene(int n)
{
	int server = open_server();

	for (int i = 0; i < n; i++)
		connect_peer(new_peer(), server);
	greet(server, n);
	return server;
}

static inline void close_scene(int server)
{
	for (int i = 0; i < peer_count; i++)
		if (peers[i].fd >= 0)
			abort_peer(&peers[i]);
	if (server >= 0)
		close(server);
	if (companion >= 0)
		end_companion();
	peer_count = 0;
}

/* A server whose n peers obey a companion: they are connected and, if greeted, have spoken once. */
static inline int open_scene_with_companion(int n, bool greeted)
{
	int server;

	for (int i = 0; i < n; i++)
		new_peer()->obeys = true;
	start_companion();
	server = open_server();
	for (int i = 0; i < n; i++)
		connect_peer(&peers[i], server);
	if (greeted)
		greet(server, n);
	return server;
}

/* A one-to-many socket that does not listen, with n associations that it has set up itself. */
static inline int open_client_with_companion(int n)
{
	int client;

	for (int i = 0; i < n; i++) {
		new_peer()->obeys = true;
		listen_as_peer(&peers[i]);
	}
	start_companion();
	client = bound_socket(SOCK_SEQPACKET);
	subscribe(client, SUB_DATA);
	for (int i = 0; i < n; i++) {
		struct sockaddr_in to = loopback(1, peers[i].port);

		if (connect(client, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
			die("client connects");
		order(ACCEPT, &peers[i], 0);
		close_peer(&peers[i]);
	}
	greet(client, n);
	return client;
}

/* Waits until there is something to receive: what a peer sent may still be on its way. */
static inline void await_input(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, 5000) != 1)
		tell("nothing comes");
}

/* ---- notes: what happens to several associations at once, told one after the other at the end
 * ---- */

static struct {
	char *text;
	size_t length;
} notes[128];

__attribute__((format(printf, 2, 3))) static inline void note(const char *name, const char *format,
							      ...)
{
	unsigned i = (unsigned char)name[0] & 127;
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	size_t n = strlen(text);

	notes[i].text = realloc(notes[i].text, notes[i].length + n + 2);
	if (!notes[i].text)
		die("memory");
	memcpy(notes[i].text + notes[i].length, text, n);
	notes[i].length += n;
	notes[i].text[notes[i].length++] = '\n';
	notes[i].text[notes[i].length] = 0;
}

static inline void tell_notes(void)
{
	for (size_t i = 0; i < COUNT(notes); i++) {
		if (!notes[i].text)
			continue;
		tell("-- %c --", (char)i);
		fputs(notes[i].text, stdout);
		free(notes[i].text);
		notes[i].text = NULL;
		notes[i].length = 0;
	}
	fflush(stdout);
}

/* Notes what comes, under its sender: for messages that may come in any order. */
static inline void note_next(int server)
{
	static struct receipt *r;
	struct line line = {.length = 0};

	r = r ? r : new_receipt();
	if (take(r, server, MSG_DONTWAIT) < 0)
		return;

	struct peer *peer = peer_of_port(port_of(&r->name));

	describe(&line, r);
	note(peer ? peer->name : "-", "%s", line.text);
}

/* Whether a receipt is its sender's next message, whole and unchanged. */
static inline bool is_next(const struct receipt *r)
{
	struct peer *peer = r->size > 0 ? peer_of_port(port_of(&r->name)) : NULL;

	return peer && peer->name[0] == r->data[0] && r->header.msg_flags & MSG_EOR &&
	       message_number(r->data, (size_t)r->size) == (int)peer->taken++;
}

static inline void tell_taken(void)
{
	for (int p = 0; p < peer_count; p++)
		tell("%s: %u messages", peers[p].name, peers[p].taken);
}

/* ---- sending from the server ---- */

/* The control message that a send carries: none, the old one or the new one. */
enum carrier { PLAIN, SNDRCV, SNDINFO };

struct sending {
	sctp_assoc_t id;
	const struct sockaddr *to;
	socklen_t to_length;
	enum carrier carrier;
	uint16_t stream, flags;
	uint32_t ppid, context;
	int message_flags;
};

static inline size_t write_carrier(char *control, const struct sending *s)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;
	struct sctp_sndrcvinfo sndrcv = {.sinfo_stream = s->stream,
					 .sinfo_flags = s->flags,
					 .sinfo_ppid = htonl(s->ppid),
					 .sinfo_context = s->context,
					 .sinfo_assoc_id = s->id};
	struct sctp_sndinfo sndinfo = {.snd_sid = s->stream,
				       .snd_flags = s->flags,
				       .snd_ppid = htonl(s->ppid),
				       .snd_context = s->context,
				       .snd_assoc_id = s->id};

	if (s->carrier == PLAIN)
		return 0;
	c->cmsg_level = IPPROTO_SCTP;
	if (s->carrier == SNDRCV) {
		c->cmsg_type = SCTP_SNDRCV;
		c->cmsg_len = CMSG_LEN(sizeof(sndrcv));
		memcpy(CMSG_DATA(c), &sndrcv, sizeof(sndrcv));
		return CMSG_SPACE(sizeof(sndrcv));
	}
	c->cmsg_type = SCTP_SNDINFO;
	c->cmsg_len = CMSG_LEN(sizeof(sndinfo));
	memcpy(CMSG_DATA(c), &sndinfo, sizeof(sndinfo));
	return CMSG_SPACE(sizeof(sndinfo));
}

static inline ssize_t send_bytes(int fd, const struct sending *s, const void *data, size_t size)
{
	_Alignas(struct cmsghdr) char control[256] = {0};
	union {
		const void *in;
		void *out;
	} bytes = {.in = data}, name = {.in = s->to};
	struct iovec iov = {bytes.out, size};
	struct msghdr header = {.msg_name = name.out,
				.msg_namelen = s->to ? s->to_length : 0,
				.msg_iov = &iov,
				.msg_iovlen = size ? 1 : 0};

	header.msg_controllen = write_carrier(control, s);
	header.msg_control = header.msg_controllen ? control : NULL;
	return sendmsg(fd, &header, s->message_flags);
}

/* The next message for a peer, as peer_hears expects it. */
static inline ssize_t send_to_peer(int fd, struct peer *peer, size_t size)
{
	struct sending s = {.id = peer->id, .carrier = SNDRCV};

	make_message(message_buffer, peer->name, peer->heard++, size);
	return send_bytes(fd, &s, message_buffer, size);
}

/* ---- poll ---- */

static inline const char *poll_names(int events)
{
	static char texts[4][80];
	static unsigned turn;
	static const struct {
		int bit;
		const char *name;
	} names[] = {{POLLIN, "IN"},   {POLLPRI, "PRI"},   {POLLOUT, "OUT"},	{POLLERR, "ERR"},
		     {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"}, {POLLRDHUP, "RDHUP"}};
	char *text = texts[turn++ & 3];

	snprintf(text, sizeof(texts[0]), "%s", events ? "" : "0");
	for (size_t i = 0; i < COUNT(names); i++)
		if (events & names[i].bit) {
			if (text[0])
				strcat(text, "+");
			strcat(text, names[i].name);
		}
	return text;
}

static inline int poll_now(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP};

	if (poll(&p, 1, 0) < 0)
		die("poll");
	return p.revents;
}

/* ---- numbers for the next image ---- */

static inline void set_number(const char *variable, int value)
{
	char text[12];

	snprintf(text, sizeof(text), "%d", value);
	setenv(variable, text, 1);
}

static inline int number_of(const char *variable)
{
	const char *text = getenv(variable);

	return text ? atoi(text) : -1;
}

/* ---- the program ---- */

struct test {
	const char *name;
	void (*run)(void);
};

static inline int run_tests(int argc, char **argv, const struct test *tests, size_t count)
{
	struct sigaction pipes = {.sa_handler = count_sigpipe};

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGPIPE, &pipes, NULL);
	alarm(context_minutes() * 60);
	for (size_t i = 0; i < count; i++)
		if (argc == 2 && strcmp(argv[1], tests[i].name) == 0) {
			tests[i].run();
			return 0;
		}
	fprintf(stderr, "usage: %s TEST, one of:", argv[0]);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, " %s", tests[i].name);
	fputc('\n', stderr);
	return 64;
}

#endif
