/* SPDX-License-Identifier: MIT */
/* contract_receive: rows R01 to R07, what a program receives and how. */
#include "contract.h"

#include <linux/filter.h>

/* ---- R01: every call that receives ---- */

/* The fortified forms, which <bits/socket2.h> calls when the size of the buffer is known. */
ssize_t __read_chk(int fd, void *buffer, size_t n, size_t size);
ssize_t __recv_chk(int fd, void *buffer, size_t n, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buffer, size_t n, size_t size, int flags,
		       struct sockaddr *restrict from, socklen_t *restrict length);

static struct sockaddr_storage from;
static socklen_t from_length;

static ssize_t by_recvmsg(int fd, char *buffer, size_t size)
{
	struct iovec iov = {buffer, size};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	return recvmsg(fd, &header, 0);
}

static ssize_t by_recvmmsg(int fd, char *buffer, size_t size)
{
	struct iovec iov = {buffer, size};
	struct mmsghdr header = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int n = recvmmsg(fd, &header, 1, 0, NULL);

	return n < 0 ? n : n == 1 ? (ssize_t)header.msg_len : -2;
}

static ssize_t by_recvfrom(int fd, char *buffer, size_t size)
{
	from_length = sizeof(from);
	return recvfrom(fd, buffer, size, 0, (struct sockaddr *)&from, &from_length);
}

static ssize_t by_recvfrom_without_name(int fd, char *buffer, size_t size)
{
	return recvfrom(fd, buffer, size, 0, NULL, NULL);
}

static ssize_t by_recv(int fd, char *buffer, size_t size)
{
	return recv(fd, buffer, size, 0);
}

static ssize_t by_read(int fd, char *buffer, size_t size)
{
	return read(fd, buffer, size);
}

static ssize_t by_readv(int fd, char *buffer, size_t size)
{
	struct iovec iov[] = {{buffer, 5}, {buffer + 5, 0}, {buffer + 5, size - 5}};

	return readv(fd, iov, 3);
}

static ssize_t by_preadv2(int fd, char *buffer, size_t size)
{
	struct iovec iov = {buffer, size};

	return preadv2(fd, &iov, 1, -1, 0);
}

static ssize_t by_recv_chk(int fd, char *buffer, size_t size)
{
	return __recv_chk(fd, buffer, size, size, 0);
}

static ssize_t by_recvfrom_chk(int fd, char *buffer, size_t size)
{
	from_length = sizeof(from);
	return __recvfrom_chk(fd, buffer, size, size, 0, (struct sockaddr *)&from, &from_length);
}

static ssize_t by_read_chk(int fd, char *buffer, size_t size)
{
	return __read_chk(fd, buffer, size, size);
}

static ssize_t by_alias_read(int fd, char *buffer, size_t size)
{
	ssize_t (*call)(int, void *, size_t) =
		(ssize_t(*)(int, void *, size_t))dlsym(RTLD_DEFAULT, "__read");

	return call ? call(fd, buffer, size) : read(fd, buffer, size);
}

static ssize_t by_alias_recv(int fd, char *buffer, size_t size)
{
	ssize_t (*call)(int, void *, size_t, int) =
		(ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_DEFAULT, "__recv");

	return call ? call(fd, buffer, size, 0) : recv(fd, buffer, size, 0);
}

static ssize_t by_sctp_recvmsg(int fd, char *buffer, size_t size)
{
	struct sctp_sndrcvinfo info;
	int flags = 0;

	from_length = sizeof(from);
	return sctp_recvmsg(fd, buffer, size, (struct sockaddr *)&from, &from_length, &info,
			    &flags);
}

static ssize_t by_sctp_recvv(int fd, char *buffer, size_t size)
{
	struct iovec iov = {buffer, size};
	struct sctp_recvv_rn info;
	socklen_t length = sizeof(info);
	unsigned type;
	int flags = 0;

	from_length = sizeof(from);
	return sctp_recvv(fd, &iov, 1, (struct sockaddr *)&from, &from_length, &info, &length,
			  &type, &flags);
}

static const struct {
	const char *name;
	ssize_t (*call)(int fd, char *buffer, size_t size);
	bool names;
} calls[] = {
	{"recvmsg", by_recvmsg, false},
	{"recvmmsg", by_recvmmsg, false},
	{"recvfrom", by_recvfrom, true},
	{"recvfrom without name", by_recvfrom_without_name, false},
	{"recv", by_recv, false},
	{"read", by_read, false},
	{"readv", by_readv, false},
	{"preadv2", by_preadv2, false},
	{"__recv_chk", by_recv_chk, false},
	{"__recvfrom_chk", by_recvfrom_chk, true},
	{"__read_chk", by_read_chk, false},
	{"__read", by_alias_read, false},
	{"__recv", by_alias_recv, false},
	{"sctp_recvmsg", by_sctp_recvmsg, true},
	{"sctp_recvv", by_sctp_recvv, true},
};

static void receive_by(size_t i, int server)
{
	static char buffer[4000];
	struct line line = {.length = 0};
	ssize_t n;

	memset(&from, 0, sizeof(from));
	errno = 0;
	n = calls[i].call(server, buffer, sizeof(buffer));
	if (n < 0) {
		tell("%s: %zd %s", calls[i].name, n, errno_name(errno));
		return;
	}
	add_message(&line, buffer, (size_t)n);
	if (calls[i].names) {
		const struct peer *peer = peer_of_port(port_of(&from));

		add(&line, " from %s/%u", peer ? peer->name : "-", from_length);
	}
	tell("%s: %zd%s", calls[i].name, n, line.text);
}

/* Each call gets the first message of an association and, when that may be peeled, the next ones.
 */
static void r01_calls(void)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		int server = open_server();

		for (int k = 0; k < 2; k++)
			connect_peer(new_peer(), server);
		for (int k = 0; k < 3; k++)
			for (int p = 0; p < 2; p++) {
				peer_sends(&peers[p], 100 + (size_t)k);
				receive_by(i, server);
			}
		close_scene(server);
	}
}

/* The call that found an association is not the one that receives from it later. */
static void r01_mixed(void)
{
	int server = open_scene(3);

	for (size_t i = 0; i < COUNT(calls); i++) {
		peer_sends(&peers[i % 3], 200);
		receive_by(i, server);
	}
	close_scene(server);
}

/* Notifications come by every call too; read cannot tell them from data. */
static void r01_notifications(void)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		int server = open_scene(1);
		union sctp_notification n;
		struct line line = {.length = 0};

		subscribe(server, SUB_ASSOC);
		connect_peer(new_peer(), server);
		memset(&n, 0, sizeof(n));
		add(&line, "%zd", calls[i].call(server, (char *)&n, sizeof(n)));
		add(&line, " type %#x", n.sn_header.sn_type);
		peer_sends(&peers[0], 50);
		receive_by(i, server);
		abort_peer(&peers[0]);
		memset(&n, 0, sizeof(n));
		add(&line, ", %zd", calls[i].call(server, (char *)&n, sizeof(n)));
		add(&line, " type %#x %s", n.sn_header.sn_type,
		    state_name(n.sn_assoc_change.sac_state));
		tell("%s: %s", calls[i].name, line.text);
		close_scene(server);
	}
}

/* A size that the fortified forms must refuse ends the program, as it does without the shim. */
static void r01_overflow(void)
{
	static char buffer[100];

	for (int i = 0; i < 3; i++) {
		int server = open_scene(1), status;
		volatile size_t too_much = sizeof(buffer) + 1;
		pid_t child = fork();

		if (child == 0) {
			if (!freopen("/dev/null", "w", stderr))
				_exit(1);
			if (i == 0)
				__read_chk(server, buffer, too_much, sizeof(buffer));
			else if (i == 1)
				__recv_chk(server, buffer, too_much, sizeof(buffer), 0);
			else
				__recvfrom_chk(server, buffer, too_much, sizeof(buffer), 0, NULL,
					       NULL);
			_exit(0);
		}
		waitpid(child, &status, 0);
		tell("too big for the buffer: %s",
		     WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "goes on");
		close_scene(server);
	}
}

/* Bad arguments get their errors; whether the message is lost by them is the kernel's affair. */
static void r01_bad_arguments(void)
{
	int server = open_scene(2);
	volatile int minus = -1;
	char *volatile nowhere = (char *)8;
	struct iovec bad = {nowhere, 100};
	struct msghdr header = {.msg_iov = &bad, .msg_iovlen = 1};
	struct msghdr many = {.msg_iov = &bad, .msg_iovlen = 5000};

	for (int k = 0; k < 8; k++) {
		peer_sends(&peers[0], 100);
		await_input(server);
		if (k == 0)
			OUTCOME("recv into nowhere", recv(server, nowhere, 100, MSG_DONTWAIT));
		else if (k == 1)
			OUTCOME("read into nowhere", read(server, nowhere, 100));
		else if (k == 2)
			OUTCOME("recvmsg into nowhere", recvmsg(server, &header, 0));
		else if (k == 3)
			OUTCOME("recvmsg with 5000 parts", recvmsg(server, &many, 0));
		else if (k == 4)
			OUTCOME("recvmsg with no list of parts",
				recvmsg(server, &(struct msghdr){.msg_iovlen = 1}, 0));
		else if (k == 5)
			OUTCOME("readv with -1 parts", readv(server, &bad, minus));
		else if (k == 6)
			OUTCOME("recvmmsg of none", recvmmsg(server, NULL, 0, MSG_DONTWAIT, NULL));
		else
			OUTCOME("recvfrom a name nowhere",
				recvfrom(server, message_buffer, 100, 0, (void *)nowhere,
					 (socklen_t *)(void *)nowhere));
		hear_all("then", server);
		peer_sends(&peers[1], 100);
		hear_all("and", server);
	}
	close_scene(server);
}

/* ---- R02: completeness and order ---- */

/*
 * Everybody speaks, in another process. Never more than the receive buffer holds: what happens
 * beyond that is a matter of retransmission times.
 */
static void load(int count, int rounds)
{
	int server = open_scene_with_companion(count, false), wrong = 0;
	const int portion = 60 / count;
	struct receipt *r = new_receipt();

	for (int k = 0; k < rounds; k += portion) {
		give_order((struct order){.action = LOAD, .times = portion});
		for (int i = 0; i < count * portion; i++) {
			if (take(r, server, 0) < 0)
				die("receive");
			wrong += !is_next(r);
		}
	}
	tell_taken();
	tell("%d out of order, lost, doubled or damaged", wrong);
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

static void r02_three(void)
{
	load(3, 1000);
}

static void r02_twenty(void)
{
	load(20, 150);
}

/* More associations than a program has small numbers, each with a little to say, twice. */
static void r02_hundreds(void)
{
	const int count = 300;
	int server = open_scene_with_companion(count, false), wrong = 0;
	struct receipt *r = new_receipt();

	for (int k = 0; k < 4; k++) {
		give_order((struct order){.action = LOAD, .times = 1});
		for (int i = 0; i < count; i++) {
			await_input(server);
			if (take(r, server, MSG_DONTWAIT) < 0)
				die("receive");
			wrong += !is_next(r);
		}
	}
	tell("%d wrong", wrong);
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

/* Everybody has much to say, one has only a word: it is heard no later than all the rest. */
static void r02_nobody_starves(void)
{
	int server = open_scene(4), before = 0;
	struct receipt *r = new_receipt();

	for (int k = 0; k < 60; k++)
		for (int p = 0; p < 3; p++)
			peer_sends(&peers[p], 100);
	peer_sends(&peers[3], 100);
	for (int k = 0; k < 60; k++)
		for (int p = 0; p < 3; p++)
			peer_sends(&peers[p], 100);
	while (take(r, server, MSG_DONTWAIT) > 0 && r->data[0] != 'D')
		before++;
	tell("D is heard %s", before <= 180 ? "in time" : "late");
	while (take(r, server, MSG_DONTWAIT) > 0)
		before++;
	tell("%d others", before);
	close_scene(server);
}

/* All have as much to say: how many of one's messages are taken in a row? */
static void r02_turns(void)
{
	int server = open_scene(3), longest = 0, row = 0;
	struct receipt *r = new_receipt();
	char last = 0;

	greet(server, 3);
	for (int p = 0; p < 3; p++)
		for (int k = 0; k < 150; k++)
			peer_sends(&peers[p], 100);
	while (take(r, server, MSG_DONTWAIT) > 0) {
		row = r->data[0] == last ? row + 1 : 1;
		last = r->data[0];
		longest = row > longest ? row : longest;
	}
	tell("%d", longest);
	close_scene(server);
}

/* Bursts of all, taken with poll between them, new associations joining in the middle. */
static void r02_joining(void)
{
	struct receipt *r = new_receipt();
	int server = open_server();

	for (int round = 0; round < 8; round++) {
		connect_peer(new_peer(), server);
		for (int k = 0; k < 10; k++)
			for (int p = 0; p < peer_count; p++)
				peer_sends(&peers[p], 60);
		for (int k = 0; k < 10 * peer_count; k++) {
			await_input(server);
			if (take(r, server, MSG_DONTWAIT) < 0)
				die("nothing there");
			note(r->data, "%.7s %d", r->data,
			     message_number(r->data, (size_t)r->size) >= 0);
		}
	}
	tell_notes();
	close_scene(server);
}

/* ---- R03: what comes with a message ---- */

static void r03_fields(void)
{
	int server = open_scene(2);
	struct sctp_assoc_value context = {.assoc_id = 0, .assoc_value = 77};

	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 1);
	for (int p = 0; p < 2; p++) {
		peer_sends_on(&peers[p], 100, 0, 0, 0);
		hear("stream 0", server, 0);
		peer_sends_on(&peers[p], 100, 3, 46, 0);
		hear("stream 3", server, 0);
		peer_sends_on(&peers[p], 100, 3, 0xffffffff, 0);
		hear("stream 3 again", server, 0);
		peer_sends_on(&peers[p], 100, 5, 60, SCTP_UNORDERED);
		hear("unordered", server, 0);
		peer_sends_on(&peers[p], 100, 9, 1, 0);
		hear("last stream", server, 0);
	}
	context.assoc_id = peers[0].id;
	OUTCOME("context of A",
		setsockopt(server, SOL_SCTP, SCTP_CONTEXT, &context, sizeof(context)));
	for (int p = 0; p < 2; p++) {
		peer_sends(&peers[p], 100);
		hear("context", server, 0);
	}
	close_scene(server);
}

static void r03_names(void)
{
	int server = open_scene(1);
	struct sockaddr_in name;
	char buffer[200];

	for (unsigned length = 0; length <= 40; length += 4) {
		struct sockaddr_storage room;
		struct iovec iov = {buffer, sizeof(buffer)};
		struct msghdr header = {
			.msg_name = &room, .msg_namelen = length, .msg_iov = &iov, .msg_iovlen = 1};

		memset(&room, 0xee, sizeof(room));
		peer_sends(&peers[0], 50);
		ssize_t n = recvmsg(server, &header, 0);

		memcpy(&name, &room, sizeof(name));
		tell("room %u: %zd, length %u, family %s, port %s", length, n, header.msg_namelen,
		     name.sin_family == AF_INET ? "right" : "-",
		     name.sin_port == peers[0].port ? "right" : "-");
	}
	close_scene(server);
}

/* Lengths that no address has. */
static void r03_odd_names(void)
{
	static const socklen_t lengths[] = {127,	128,	    129,       1000,
					    0x7fffffff, 0x80000000, 0xffffffff};
	int server = open_scene(1);
	static char room[2000];

	for (size_t i = 0; i < COUNT(lengths); i++)
		for (int how = 0; how < 2; how++) {
			struct iovec iov = {message_buffer, 200};
			struct msghdr header = {.msg_name = room,
						.msg_namelen = lengths[i],
						.msg_iov = &iov,
						.msg_iovlen = 1};
			socklen_t length = lengths[i];

			peer_sends(&peers[0], 50);
			await_input(server);
			if (how == 0)
				OUTCOME("recvmsg", recvmsg(server, &header, MSG_DONTWAIT));
			else
				OUTCOME("recvfrom",
					recvfrom(server, message_buffer, 200, MSG_DONTWAIT,
						 (struct sockaddr *)(void *)room, &length));
			tell("length %u of %u", how == 0 ? header.msg_namelen : length, lengths[i]);
			hear_all("left", server);
		}
	close_scene(server);
}

/* An IPv6 socket with IPv4 and IPv6 peers. */
static int open_ipv6_server(int mapped)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	int server = socket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP);

	set_int(server, SOL_SCTP, SCTP_I_WANT_MAPPED_V4_ADDR, mapped);
	if (bind(server, (struct sockaddr *)&any, sizeof(any)) || listen(server, 10))
		die("IPv6 server");
	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	return server;
}

static void connect_ipv6_peer(int server)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct peer *peer = new_peer();

	close(peer->fd);
	peer->fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_SCTP);
	if (bind(peer->fd, (struct sockaddr *)&address, sizeof(address)))
		die("IPv6 peer");
	peer->port = local_port(peer->fd);
	address.sin6_port = local_port(server);
	if (connect(peer->fd, (struct sockaddr *)&address, sizeof(address)))
		die("IPv6 peer connects");
}

static void ipv6_names(int mapped)
{
	int server = open_ipv6_server(mapped);

	connect_peer(new_peer(), server);
	hear("IPv4 peer", server, 0);
	connect_ipv6_peer(server);
	hear("IPv6 peer", server, 0);
	for (int k = 0; k < 3; k++)
		for (int p = 0; p < 2; p++) {
			peer_sends(&peers[p], 80);
			hear("message", server, 0);
		}
	OUTCOME("to A", send_to_peer(server, &peers[0], 50));
	OUTCOME("to B", send_to_peer(server, &peers[1], 50));
	peer_hears(&peers[0]);
	peer_hears(&peers[1]);
	for (int p = 0; p < 2; p++) {
		close_peer(&peers[p]);
		hear("end", server, 0);
		hear("end", server, 0);
	}
	close_scene(server);
}

static void r03_ipv6(void)
{
	ipv6_names(0);
	ipv6_names(1);
}

/* ---- R04: control messages ---- */

enum { WANT_SNDRCV = 1, WANT_RCVINFO = 2, WANT_NXTINFO = 4, WANT_STAMP = 8 };

static void want(int server, int what)
{
	subscribe(server, what & WANT_SNDRCV ? SUB_DATA : 0);
	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, !!(what & WANT_RCVINFO));
	set_int(server, SOL_SCTP, SCTP_RECVNXTINFO, !!(what & WANT_NXTINFO));
	set_int(server, SOL_SOCKET, SO_TIMESTAMP, !!(what & WANT_STAMP));
}

/* All sixteen wishes, changed while the associations live. */
static void r04_wishes(void)
{
	int server = open_scene(2);

	for (int what = 0; what < 16; what++) {
		tell("== SNDRCV %d RCVINFO %d NXTINFO %d TIMESTAMP %d", what & 1, what >> 1 & 1,
		     what >> 2 & 1, what >> 3 & 1);
		want(server, what);
		peer_sends_on(&peers[what % 2], 60, 1, 3, 0);
		peer_sends_on(&peers[what % 2], 70, 2, 4, 0);
		hear("first", server, 0);
		hear("second", server, 0);
	}
	close_scene(server);
}

/* The same wishes are there before the first message, so that they are those of the peel. */
static void r04_first(void)
{
	for (int what = 0; what < 16; what++) {
		int server = open_server();

		tell("== SNDRCV %d RCVINFO %d NXTINFO %d TIMESTAMP %d", what & 1, what >> 1 & 1,
		     what >> 2 & 1, what >> 3 & 1);
		want(server, what);
		connect_peer(new_peer(), server);
		for (int k = 0; k < 3; k++)
			peer_sends(&peers[0], 60);
		for (int k = 0; k < 3; k++)
			hear("message", server, 0);
		close_scene(server);
	}
}

/* Control buffers of every size that makes a difference. */
static void control_room(int server, size_t room)
{
	static struct receipt *r;
	struct line line = {.length = 0};

	r = r ? r : new_receipt();
	r->control_room = room;
	peer_sends(&peers[0], 60);
	take(r, server, 0);
	describe(&line, r);
	tell("room %zu, used %zu:%s", room, r->header.msg_controllen, line.text);
}

static void r04_room(void)
{
	static const int whats[] = {0, WANT_SNDRCV, WANT_RCVINFO, WANT_SNDRCV | WANT_RCVINFO,
				    WANT_RCVINFO | WANT_STAMP};
	static const size_t rooms[] = {0,  1,  8,  15, 16, 17, 24, 32,	39,  40,  44,
				       45, 47, 48, 56, 64, 80, 96, 104, 112, 200, 1024};
	int server = open_scene(1);

	for (size_t i = 0; i < COUNT(whats); i++) {
		want(server, whats[i]);
		tell("== wishes %#x", (unsigned)whats[i]);
		for (size_t k = 0; k < COUNT(rooms); k++)
			control_room(server, rooms[k]);
	}
	close_scene(server);
}

/* A control buffer that is nowhere, or has a length and no place. */
static void r04_nowhere(void)
{
	int server = open_scene(2);
	static const size_t lengths[] = {0, 8, 16, 100, 1000000, (size_t)-1};
	void *places[] = {NULL, (void *)8};

	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 1);
	for (size_t i = 0; i < COUNT(lengths); i++)
		for (size_t k = 0; k < 4; k++) {
			struct iovec iov = {message_buffer, 200};
			struct msghdr header = {.msg_iov = &iov,
						.msg_iovlen = 1,
						.msg_control = places[k % 2],
						.msg_controllen = lengths[i]};

			peer_sends(&peers[k / 2], 50);
			await_input(server);
			tell("length %zd, %s", (ssize_t)lengths[i], k % 2 ? "nowhere" : "NULL");
			OUTCOME("recvmsg", recvmsg(server, &header, MSG_DONTWAIT));
			if (header.msg_controllen != lengths[i])
				tell("used %zu", header.msg_controllen);
			tell("flags %#x", (unsigned)header.msg_flags);
			hear_all("left", server);
		}
	close_scene(server);
}

/* A program that reads with no control buffer at all learns nothing but is told nothing wrong. */
static void r04_none(void)
{
	int server = open_server();
	struct receipt *r = new_receipt();

	subscribe(server, 0);
	r->control_room = 0;
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	for (int k = 0; k < 4; k++) {
		struct line line = {.length = 0};

		peer_sends(&peers[k % 2], 60);
		take(r, server, 0);
		describe(&line, r);
		tell("nothing asked:%s, control %zu", line.text, r->header.msg_controllen);
	}
	close_scene(server);
}

/* recvmmsg and the library's calls carry the same. */
static void r04_library(void)
{
	int server = open_scene(1);
	char buffer[200];
	struct sctp_sndrcvinfo old;
	struct sctp_recvv_rn both;
	struct iovec iov = {buffer, sizeof(buffer)};

	for (int k = 0; k < 3; k++) {
		int flags = 0;
		unsigned type = 99;
		socklen_t length = sizeof(both);

		subscribe(server, SUB_DATA);
		set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 0);
		set_int(server, SOL_SCTP, SCTP_RECVNXTINFO, 0);
		from_length = sizeof(from);
		memset(&old, 0, sizeof(old));
		peer_sends_on(&peers[0], 60, (uint16_t)k, 7, 0);
		ssize_t n = sctp_recvmsg(server, buffer, sizeof(buffer), (struct sockaddr *)&from,
					 &from_length, &old, &flags);

		tell("sctp_recvmsg: %zd flags %#x %s stream %u ppid %u", n, (unsigned)flags,
		     name_of_id(old.sinfo_assoc_id), old.sinfo_stream, ntohl(old.sinfo_ppid));
		subscribe(server, 0);
		set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, k > 0);
		set_int(server, SOL_SCTP, SCTP_RECVNXTINFO, k > 1);
		memset(&both, 0, sizeof(both));
		peer_sends_on(&peers[0], 60, (uint16_t)k, 8, 0);
		peer_sends_on(&peers[0], 90, (uint16_t)k, 9, 0);
		for (int m = 0; m < 2; m++) {
			flags = 0;
			length = sizeof(both);
			memset(&both, 0, sizeof(both));
			n = sctp_recvv(server, &iov, 1, (struct sockaddr *)&from, &from_length,
				       &both, &length, &type, &flags);
			tell("sctp_recvv: %zd flags %#x type %u %s ppid %u next %s length %u", n,
			     (unsigned)flags, type,
			     type == SCTP_RECVV_RCVINFO /* the library's buffer is short for both */
				     ? name_of_id(both.recvv_rcvinfo.rcv_assoc_id)
				     : "-",
			     ntohl(both.recvv_rcvinfo.rcv_ppid),
			     name_of_id(both.recvv_nxtinfo.nxt_assoc_id),
			     both.recvv_nxtinfo.nxt_length);
		}
	}
	close_scene(server);
}

/* ---- R05: half-read messages and partial delivery ---- */

/* Receives one bite and tells what it is. */
static void bite(int server, size_t size)
{
	static struct receipt *r;
	struct line line = {.length = 0};

	r = r ? r : new_receipt();
	r->capacity = size;
	take(r, server, MSG_DONTWAIT);
	describe(&line, r);
	tell("bite of %zu:%s", size, line.text);
}

/* A new association's first message, and later ones, eaten in bites while others speak. */
static void r05_bites(void)
{
	int server = open_server();

	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 1);
	for (int p = 0; p < 3; p++)
		connect_peer(new_peer(), server);
	for (int round = 0; round < 3; round++)
		for (int p = 0; p < 3; p++) {
			peer_sends(&peers[p], 100);
			await_input(server);
			bite(server, 30);
			peer_sends(&peers[(p + 1) % 3], 50);
			peer_sends(&peers[p], 60);
			bite(server, 30);
			bite(server, 40); /* the end */
			tell("then, in any order:");
			note_next(server);
			note_next(server);
			tell_notes();
		}
	close_scene(server);
}

/* The same with calls that cannot tell where a message ends. */
static void r05_plain_reads(void)
{
	int server = open_server();
	char buffer[100];

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	for (int round = 0; round < 3; round++)
		for (int p = 0; p < 2; p++) {
			const char *name = "?";

			peer_sends(&peers[p], 90);
			peer_sends(&peers[1 - p], 90);
			for (int k = 0; k < 6; k++) {
				ssize_t n = k % 3 == 0	 ? read(server, buffer, 30)
					    : k % 3 == 1 ? recv(server, buffer, 30, 0)
							 : recvfrom(server, buffer, 30, 0, NULL, 0);

				if (k % 3 == 0)
					name = buffer[0] == 'A' ? "A" : "B";
				note(name, "third %d: %zd %.7s", k % 3, n, buffer);
			}
		}
	tell_notes();
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

/* Notifications are cut in the same way, and continued. */
static void r05_notification(void)
{
	int server = open_scene(1);

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	connect_peer(new_peer(), server);
	bite(server, 8);
	peer_sends(&peers[0], 50);
	bite(server, 10);
	bite(server, 100); /* two bytes */
	bite(server, 100);
	peer_sends(&peers[1], 50);
	bite(server, 100);
	close_peer(&peers[0]);
	await_end(&peers[0]);
	bite(server, 5);
	peer_sends(&peers[1], 50);
	bite(server, 100);
	for (int k = 0; k < 3; k++)
		note_next(server);
	tell_notes();
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

/* One of the last bites takes exactly what is left; an empty bite takes nothing. */
static void r05_exact(void)
{
	int server = open_scene(1);

	for (int k = 0; k < 2; k++) {
		peer_sends(&peers[0], 100);
		peer_sends(&peers[0], 100);
		bite(server, 100);
		bite(server, 0);
		bite(server, 99);
		bite(server, 0);
		bite(server, 1);
		bite(server, 10);
	}
	close_scene(server);
}

/* The peer dies with its message half read: natively the rest stays readable. */
static void r05_dying(void (*end)(struct peer *))
{
	int server = open_scene(2);

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	peer_sends(&peers[0], 100);
	await_input(server);
	bite(server, 30);
	peer_sends(&peers[0], 90);
	peer_sends(&peers[1], 50);
	end(&peers[0]);
	await_end(&peers[0]);
	bite(server, 30);
	bite(server, 30);
	bite(server, 30);
	for (int k = 0; k < 6; k++)
		note_next(server);
	tell_notes();
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

static void r05_dying_gracefully(void)
{
	r05_dying(close_peer);
}

static void r05_dying_hard(void)
{
	r05_dying(abort_peer);
}

/* ---- partial delivery ---- */

#define BIG 60000

struct assembly {
	char text[MAX_MESSAGE];
	size_t size;
	int pieces;
};

/* Adds a piece to the message of its sender; at the end says whether it is whole. */
static void assemble(struct assembly *whole, struct receipt *r)
{
	if (whole->size + (size_t)r->size > sizeof(whole->text))
		die("too long");
	memcpy(whole->text + whole->size, r->data, (size_t)r->size);
	whole->size += (size_t)r->size;
	whole->pieces++;
	if (!(r->header.msg_flags & MSG_EOR))
		return;

	struct peer *peer = peer_of_port(port_of(&r->name));
	struct line line = {.length = 0};

	add_message(&line, whole->text, whole->size);
	note(peer ? peer->name : "-", "%zu bytes%s", whole->size, line.text);
	whole->size = 0;
	whole->pieces = 0;
}

static int partial_scene(int interleave, bool greeted)
{
	int server = open_scene_with_companion(2, false);

	set_int(server, SOL_SCTP, SCTP_FRAGMENT_INTERLEAVE, interleave);
	set_int(server, SOL_SCTP, SCTP_PARTIAL_DELIVERY_POINT, 4000);
	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 1);
	for (int p = 0; p < 2; p++) {
		/* many small chunks, so that there is a partial delivery at all */
		struct sctp_assoc_value chunk = {.assoc_value = 1000};

		if (setsockopt(peers[p].fd, SOL_SCTP, SCTP_MAXSEG, &chunk, sizeof(chunk)))
			die("SCTP_MAXSEG");
	}
	if (greeted)
		greet(server, 2);
	return server;
}

/*
 * A big message of A, piece by piece, while B speaks. Without interleaving B must wait for the end
 * of A's; with it, natively, B may come at any time.
 */
static void partial(int interleave, bool greeted, size_t capacity)
{
	int server = partial_scene(interleave, greeted), broken_in = 0, messages = 0;
	struct assembly *wholes = calloc(2, sizeof(*wholes));
	struct receipt *r = new_receipt();

	order_messages(&peers[0], 0, 1, BIG);
	order_messages(&peers[0], 0, 1, 100);
	order_messages(&peers[0], 0, 1, BIG);
	r->capacity = capacity;
	for (int k = 0; messages < 5; k++) {
		if (k == 1) {
			peer_sends(&peers[1], 100);
			peer_sends(&peers[1], BIG / 2);
		}
		if (take(r, server, 0) < 0)
			die("piece");

		struct peer *peer = peer_of_port(port_of(&r->name));

		if (!peer || peer > &peers[1])
			die("from nobody");
		broken_in += wholes[1 - (peer - peers)].size > 0;
		assemble(&wholes[peer - peers], r);
		messages += !!(r->header.msg_flags & MSG_EOR);
	}
	tell_notes();
	tell("interleave %d: %s", interleave,
	     interleave || !broken_in ? "as it should be" : "another broke in");
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
	free(wholes);
	free(r);
}

static void r05_partial(void)
{
	for (int interleave = 0; interleave < 2; interleave++) {
		partial(interleave, true, sizeof(message_buffer));
		partial(interleave, true, 700);
		partial(interleave, false, sizeof(message_buffer));
		partial(interleave, false, 700);
	}
}

/* Nothing more comes in while the filter is there. */
static void let_nothing_in(int server, bool nothing)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &drop};
	int none = 0;

	if (nothing ? setsockopt(server, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program))
		    : setsockopt(server, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)))
		die("filter");
}

/* The middle of A's message is late: without interleaving B waits for it, though it is there. */
static void r05_partial_stops(void)
{
	const size_t more_than_the_window = 200000, a_while = 30000;

	for (int interleave = 0; interleave < 2; interleave++) {
		int server = partial_scene(interleave, true), of_a = 0, of_b = 0;
		struct assembly *wholes = calloc(2, sizeof(*wholes));
		struct receipt *r = new_receipt();
		bool spoken = false, stopped = false;

		tell("== interleave %d", interleave);
		set_int(peers[0].fd, SOL_SOCKET, SO_SNDBUF, 400000);
		peer_sends(&peers[0], more_than_the_window);
		while (of_a + of_b < 2) {
			if (!spoken && wholes[0].size > a_while) {
				peer_sends(&peers[1], 100);
				let_nothing_in(server, true);
				spoken = true;
			}
			if (take(r, server, stopped ? 0 : MSG_DONTWAIT) < 0) {
				if (stopped)
					die("nothing comes");
				stopped = true;
				tell("A %s, B %s", of_a ? "whole" : "cut",
				     of_b ? "heard" : "waits");
				let_nothing_in(server, false);
				continue;
			}

			struct peer *peer = peer_of_port(port_of(&r->name));

			assemble(&wholes[peer - peers], r);
			*(peer == peers ? &of_a : &of_b) += !!(r->header.msg_flags & MSG_EOR);
		}
		tell_notes();
		close_scene(server);
	}
}

/* Receives until A's association has changed; A's pieces are counted, all else is noted. */
static size_t hear_a_dying(int server)
{
	struct receipt *r = new_receipt();
	size_t pieces = 0;

	for (bool ended = false; !ended;) {
		struct line line = {.length = 0};

		if (take(r, server, 0) < 0)
			die("nothing comes");
		if (!(r->header.msg_flags & MSG_NOTIFICATION) &&
		    port_of(&r->name) == peers[0].port) {
			pieces += (size_t)r->size;
			continue;
		}
		describe(&line, r);
		note(port_of(&r->name) == peers[0].port ? "A" : "B", "%s", line.text);
		ended = strstr(line.text, "ASSOC_CHANGE A") != NULL;
	}
	free(r);
	return pieces;
}

/* The sender dies in the middle of a message that was already given in part. */
static void r05_partial_abort(void)
{
	const size_t more_than_the_window = 120000;

	for (int interleave = 0; interleave < 2; interleave++) {
		int server = partial_scene(interleave, true);
		size_t got;

		subscribe(server, SUB_DATA | SUB_ASSOC | SUB_PARTIAL);
		set_int(peers[0].fd, SOL_SOCKET, SO_SNDBUF, 400000);
		peer_sends(&peers[0], more_than_the_window);
		bite(server, 24);
		bite(server, 24);
		peer_sends(&peers[1], 100);
		order(ABORT, &peers[0], 0);
		await_end(&peers[0]);
		got = 48 + hear_a_dying(server);
		note_next(server);
		tell_notes();
		tell("of A's message came %s", got < more_than_the_window ? "a part" : "all");
		hear("then", server, MSG_DONTWAIT);
		close_scene(server);
	}
}

/* A is in the middle of a message, which stops there; B, whose association is peeled, has spoken.
 */
static int half_read_scene(bool greet_a)
{
	int server = partial_scene(0, false);

	greet(server, greet_a ? 2 : 1);
	set_int(peers[0].fd, SOL_SOCKET, SO_SNDBUF, 400000);
	peer_sends(&peers[0], 200000);
	await_input(server);
	pause_ms(50);
	bite(server, 24);
	peer_sends(&peers[1], 100);
	let_nothing_in(server, true);
	return server;
}

/* Takes all there is of A's message. */
static void take_pieces(int server)
{
	struct receipt *r = new_receipt();
	bool others = false;

	while (take(r, server, MSG_DONTWAIT) >= 0)
		others |= port_of(&r->name) != peers[0].port;
	tell("nothing but A's: %s", others ? "no" : "yes");
	free(r);
}

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Waits SPAN_MS for the rest; returns what the wait does, and in *SPENT_MS its processor time. */
static int one_wait(int server, int epoll, int span_ms, uint64_t *spent_ms)
{
	struct pollfd p = {.fd = server, .events = POLLIN};
	uint64_t began = cpu_ms();
	struct epoll_event event;
	int n = epoll >= 0 ? epoll_wait(epoll, &event, 1, span_ms) : poll(&p, 1, span_ms);

	*spent_ms = cpu_ms() - began;
	return n;
}

/*
 * A wait must not go round and round because B could be heard, who must wait. What goes round is
 * busy each time; who sleeps looks so once, where the guest's host takes its processor away.
 */
static void wait_for_rest(const char *label, int server, int epoll)
{
	const int span_ms = 400;
	bool asleep = false;
	int n = 0;

	for (int i = 0; i < 3 && !asleep && !n; i++) {
		uint64_t spent_ms;

		n = one_wait(server, epoll, span_ms, &spent_ms);
		asleep = spent_ms < (uint64_t)span_ms / 2;
	}
	tell("%s: %d, %s", label, n, asleep ? "asleep" : "busy");
}

static void waits_for_rest(bool greet_a)
{
	int server = half_read_scene(greet_a), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event))
		die("epoll");
	take_pieces(server);
	wait_for_rest("poll", server, -1);
	wait_for_rest("epoll_wait", server, epoll);
	set_timeout(server, SO_RCVTIMEO, 250);
	hear("for a while", server, 0);
	let_nothing_in(server, false);
	await_input(server);
	close(epoll);
	close_scene(server);
}

static void r05_waits_for_rest(void)
{
	waits_for_rest(true);
	waits_for_rest(false);
}

/* What still came of A's message does not count. */
static void take_until_b(int server)
{
	struct receipt *r = new_receipt();
	struct line line = {.length = 0};

	do
		if (take(r, server, 0) < 0)
			break;
	while (port_of(&r->name) == peers[0].port);
	describe(&line, r);
	tell("at last:%s", line.text);
	free(r);
}

/* A's abort is told to nobody: who sleeps until the rest comes hears B instead. */
static void r05_abort_unheard(void)
{
	for (int greeted = 0; greeted < 2; greeted++) {
		int server = half_read_scene(greeted);

		subscribe(server, SUB_DATA);
		take_pieces(server);
		let_nothing_in(server, false);
		order(ABORT, &peers[0], 200);
		set_timeout(server, SO_RCVTIMEO, 5000);
		take_until_b(server);
		hear("then", server, MSG_DONTWAIT);
		close_scene(server);
	}
}

/* ---- R06: flags ---- */

static void flags_on(int server, int flags, size_t capacity, const char *label)
{
	static struct receipt *r;
	struct line line = {.length = 0};

	r = r ? r : new_receipt();
	r->capacity = capacity;
	take(r, server, flags);
	describe(&line, r);
	tell("%s (%zu):%s", label, capacity, line.text);
}

/* What a peek shows is what the next receive returns, whoever speaks in between. */
static void r06_peek(void)
{
	int server = open_server();

	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 1);
	for (int p = 0; p < 3; p++)
		connect_peer(new_peer(), server);
	for (int round = 0; round < 3; round++)
		for (int p = 0; p < 3; p++) {
			peer_sends(&peers[p], 100);
			await_input(server);
			flags_on(server, MSG_PEEK, 1000, "peek");
			peer_sends(&peers[(p + 1) % 3], 60);
			flags_on(server, MSG_PEEK, 10, "short peek");
			flags_on(server, MSG_PEEK | MSG_DONTWAIT, 0, "empty peek");
			tell("poll: %s", poll_names(poll_now(server)));
			flags_on(server, MSG_PEEK | MSG_DONTWAIT, 100, "exact peek");
			flags_on(server, 0, 40, "bite");
			flags_on(server, MSG_PEEK, 1000, "peek at the rest");
			flags_on(server, 0, 1000, "rest");
			flags_on(server, MSG_PEEK, 1000, "peek");
			flags_on(server, 0, 1000, "other");
			flags_on(server, MSG_PEEK | MSG_DONTWAIT, 1000, "peek at nothing");
		}
	close_scene(server);
}

/* Programs peek to learn the size or the sender, then read with another call. */
static void r06_peek_then_read(void)
{
	int server = open_server();
	char buffer[300];

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < COUNT(calls); i++) {
			for (int p = 0; p < 2; p++)
				peer_sends(&peers[p], 100);
			from_length = sizeof(from);
			ssize_t n = recvfrom(server, buffer, sizeof(buffer), MSG_PEEK,
					     (struct sockaddr *)&from, &from_length);
			const struct peer *peer = peer_of_port(port_of(&from));

			n = n == 100 && peer ? 100 : -1;
			ssize_t m = calls[i].call(server, message_buffer, sizeof(message_buffer));

			tell("%s: %s", calls[i].name,
			     m == n && memcmp(buffer, message_buffer, 100) == 0 ? "same" : "other");
			m = calls[i].call(server, message_buffer, sizeof(message_buffer));
			tell("%s: %s", calls[i].name,
			     m == n && memcmp(buffer, message_buffer, 100) != 0 ? "other" : "same");
		}
	hear("then", server, MSG_DONTWAIT);
	close_scene(server);
}

static void r06_flags(void)
{
	static const struct {
		int flags;
		const char *name;
	} tries[] = {{MSG_WAITALL, "MSG_WAITALL"},
		     {MSG_TRUNC, "MSG_TRUNC"},
		     {MSG_OOB, "MSG_OOB"},
		     {MSG_CMSG_CLOEXEC, "MSG_CMSG_CLOEXEC"},
		     {MSG_DONTROUTE, "MSG_DONTROUTE"},
		     {MSG_EOR, "MSG_EOR"},
		     {MSG_NOSIGNAL, "MSG_NOSIGNAL"},
		     {MSG_WAITFORONE, "MSG_WAITFORONE"},
		     {MSG_TRUNC | MSG_PEEK, "MSG_TRUNC|MSG_PEEK"},
		     {MSG_WAITALL | MSG_PEEK, "MSG_WAITALL|MSG_PEEK"},
		     {0x4, "0x4"}};
	int server = open_server();

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < COUNT(tries); i++) {
			peer_sends(&peers[p], 60);
			await_input(server);
			flags_on(server, MSG_ERRQUEUE, 100, "MSG_ERRQUEUE");
			flags_on(server, MSG_ERRQUEUE | MSG_DONTWAIT, 100, "MSG_ERRQUEUE");
			flags_on(server, tries[i].flags, 1000, tries[i].name);
			peer_sends(&peers[p], 60);
			flags_on(server, tries[i].flags, 20, tries[i].name);
			hear_all("left", server);
		}
	close_scene(server);
}

/* Reads of nothing take nothing and hide nothing. */
static void r06_empty_reads(void)
{
	int server = open_server();
	char buffer[100];
	struct msghdr none = {.msg_iovlen = 0};
	struct iovec empty = {buffer, 0};

	connect_peer(new_peer(), server);
	connect_peer(new_peer(), server);
	for (int k = 0; k < 3; k++)
		for (int p = 0; p < 2; p++) {
			peer_sends(&peers[p], 60);
			await_input(server);
			OUTCOME("read", read(server, buffer, 0));
			OUTCOME("recv", recv(server, buffer, 0, 0));
			OUTCOME("recvfrom", recvfrom(server, NULL, 0, 0, NULL, NULL));
			OUTCOME("readv of nothing", readv(server, NULL, 0));
			OUTCOME("readv of an empty part", readv(server, &empty, 1));
			OUTCOME("recvmsg", recvmsg(server, &none, 0));
			tell("poll: %s", poll_names(poll_now(server)));
			hear_all("then", server);
			OUTCOME("read with nothing there", read(server, buffer, 0));
			OUTCOME("recv with nothing there", recv(server, buffer, 0, MSG_DONTWAIT));
		}
	close_scene(server);
}

/* ---- R07: blocking ---- */

static void sends_later(struct peer *peer, long ms)
{
	order_messages(peer, ms, 1, 80);
}

static void timed_hear(const char *label, int fd, int flags)
{
	double began = now();

	hear(label, fd, flags);
	tell("%s: %s", label, how_long(now() - began));
}

/* The receive sleeps until someone says something: one already known, then a new one. */
static void r07_sleeps(void)
{
	int server = open_scene_with_companion(4, false);

	for (int round = 0; round < 2; round++)
		for (int p = 0; p < 3; p++) {
			sends_later(&peers[p], 120);
			timed_hear("sleeps", server, 0);
		}
	sends_later(&peers[3], 120);
	timed_hear("newcomer", server, 0);
	close_scene(server);
}

/* The same asleep in every call. */
static void r07_every_call(void)
{
	int server = open_scene_with_companion(2, true);

	for (size_t i = 0; i < COUNT(calls); i++) {
		double began = now();

		sends_later(&peers[i % 2], 90);
		receive_by(i, server);
		tell("%s: %s", calls[i].name, how_long(now() - began));
	}
	close_scene(server);
}

static void r07_timeout(void)
{
	int server = open_scene_with_companion(3, false);
	char buffer[10];

	for (int p = 0; p < 2; p++) {
		order_messages(&peers[p], 0, 1, 50);
		hear("greeting", server, 0);
	}
	timed_hear("MSG_DONTWAIT", server, MSG_DONTWAIT);
	set_timeout(server, SO_RCVTIMEO, 130);
	timed_hear("timeout", server, 0);
	timed_hear("timeout with MSG_WAITALL", server, MSG_WAITALL);
	for (size_t i = 0; i < COUNT(calls); i++) {
		double began = now();

		receive_by(i, server);
		tell("%s: %s", calls[i].name, how_long(now() - began));
	}
	timed_hear("MSG_DONTWAIT", server, MSG_DONTWAIT);
	/* twice that is late */
	set_timeout(server, SO_RCVTIMEO, 900);
	sends_later(&peers[0], 150);
	timed_hear("before the timeout", server, 0);
	sends_later(&peers[2], 150);
	timed_hear("newcomer", server, 0);
	timed_hear("again nothing", server, 0);
	fcntl(server, F_SETFL, O_NONBLOCK);
	timed_hear("O_NONBLOCK", server, 0);
	OUTCOME("read", read(server, buffer, sizeof(buffer)));
	fcntl(server, F_SETFL, 0);
	timed_hear("blocking again", server, 0);
	close_scene(server);
}

/* Sockets with nothing behind them. */
static void r07_nobody(void)
{
	int fd = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);

	timed_hear("unbound", fd, 0);
	timed_hear("unbound", fd, MSG_DONTWAIT);
	tell("poll: %s", poll_names(poll_now(fd)));
	close(fd);
	fd = bound_socket(SOCK_SEQPACKET);
	timed_hear("bound", fd, 0);
	set_timeout(fd, SO_RCVTIMEO, 100);
	timed_hear("bound, with timeout", fd, 0);
	if (listen(fd, 10))
		die("listen");
	timed_hear("listening, with timeout", fd, 0);
	if (listen(fd, 0))
		die("listen 0");
	timed_hear("no longer listening", fd, 0);
	close(fd);
}

/*
 * A one-to-many client does not listen: it may sleep while it has associations, wherever they live,
 * and hears ENOTCONN when it has none.
 */
static void r07_client(void)
{
	int client = open_client_with_companion(2);

	set_timeout(client, SO_RCVTIMEO, 200);
	timed_hear("client", client, 0);
	for (int p = 0; p < 2; p++) {
		sends_later(&peers[p], 90);
		timed_hear("client", client, 0);
	}
	order_messages(&peers[0], 0, 1, 70);
	order(CLOSE, &peers[0], 0);
	await_associations(local_port(client), 0, 1);
	timed_hear("one left", client, 0);
	timed_hear("one left", client, 0);
	order(ABORT, &peers[1], 0);
	await_associations(local_port(client), 0, 0);
	timed_hear("none left", client, 0);
	timed_hear("none left", client, MSG_DONTWAIT);
	close_scene(client);
}

/* The last association of a client ends while it sleeps. */
static void asleep_at_the_end(enum action end, unsigned events)
{
	int client = open_client_with_companion(1);

	subscribe(client, events);
	set_timeout(client, SO_RCVTIMEO, 500);
	order(end, &peers[0], 120);
	timed_hear("asleep", client, 0);
	timed_hear("and then", client, 0);
	timed_hear("and then", client, 0);
	close_scene(client);
}

static void r07_client_asleep(void)
{
	asleep_at_the_end(CLOSE, SUB_DATA);
	asleep_at_the_end(ABORT, SUB_DATA);
	asleep_at_the_end(CLOSE, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	asleep_at_the_end(ABORT, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
}

/* The end of an association says nothing to a server that asked for nothing, and it sleeps on. */
static void r07_server_asleep(void)
{
	int server = open_scene_with_companion(3, true);

	set_timeout(server, SO_RCVTIMEO, 500);
	order(CLOSE, &peers[0], 100);
	order(ABORT, &peers[1], 30);
	order_messages(&peers[2], 60, 1, 60);
	timed_hear("two ends, then a message", server, 0);
	timed_hear("nothing more", server, 0);
	close_scene(server);
}

/* ---- R08: vectors ---- */

static int receive_vector(int server, unsigned length, int flags, long timeout_ms)
{
	static char buffers[10][200];
	struct mmsghdr vector[10] = {{.msg_len = 0}};
	struct iovec iov[10];
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
	int n;

	for (int i = 0; i < 10; i++) {
		iov[i] = (struct iovec){buffers[i], sizeof(buffers[i])};
		vector[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = recvmmsg(server, vector, length, flags, timeout_ms ? &timeout : NULL);
	for (int i = 0; i < n; i++)
		if (message_number(buffers[i], vector[i].msg_len) < 0)
			tell("%d is not whole", i);
	return n;
}

static void r08_vectors(void)
{
	int server = open_scene(3);

	for (int i = 0; i < 4; i++)
		for (int p = 0; p < 3; p++)
			peer_sends(&peers[p], 60);
	OUTCOME("none", receive_vector(server, 0, 0, 0));
	OUTCOME("two", receive_vector(server, 2, 0, 0));
	OUTCOME("two in time", receive_vector(server, 2, 0, 1000));
	OUTCOME("what is there, one at least", receive_vector(server, 5, MSG_WAITFORONE, 0));
	OUTCOME("what is there", receive_vector(server, 10, MSG_DONTWAIT, 0));
	OUTCOME("nothing", receive_vector(server, 10, MSG_DONTWAIT, 0));
	set_timeout(server, SO_RCVTIMEO, 100);
	OUTCOME("nothing in time", receive_vector(server, 10, MSG_WAITFORONE, 0));
	close_scene(server);
}

/* ---- R09: how much there is ---- */

static void r09_sizes(void)
{
	int server = open_scene(2), size = -1;
	struct receipt *r = new_receipt();

	OUTCOME("nothing", ioctl(server, FIONREAD, &size));
	tell("%d", size);
	for (int i = 0; i < 6; i++)
		peer_sends(&peers[i & 1], HEADER + 100 * (size_t)i);
	for (int i = 0; i < 6; i++) {
		OUTCOME("ask", ioctl(server, FIONREAD, &size));
		if (take(r, server, 0) != size)
			tell("%zd and not %d", r->size, size);
	}
	peer_sends(&peers[0], 100);
	await_input(server);
	r->capacity = 40;
	take(r, server, 0);
	OUTCOME("half read", ioctl(server, FIONREAD, &size));
	tell("%d", size);
	OUTCOME("SIOCOUTQ", ioctl(server, TIOCOUTQ, &size));
	free(r);
	close_scene(server);
}

/* ---- R10: what comes next ---- */

static void r10_next(void)
{
	int server = open_scene(1);

	set_int(server, SOL_SCTP, SCTP_RECVNXTINFO, 1);
	for (uint16_t i = 0; i < 4; i++)
		peer_sends_on(&peers[0], HEADER + 10u * i, i, 40u + i, 0);
	hear_all("next", server);
	close_scene(server);
}

static const struct test tests[] = {
	{"r01-calls", r01_calls},
	{"r01-mixed", r01_mixed},
	{"r01-notifications", r01_notifications},
	{"r01-overflow", r01_overflow},
	{"r01-bad-arguments", r01_bad_arguments},
	{"r02-three", r02_three},
	{"r02-twenty", r02_twenty},
	{"r02-hundreds", r02_hundreds},
	{"r02-nobody-starves", r02_nobody_starves},
	{"r02-turns", r02_turns},
	{"r02-joining", r02_joining},
	{"r03-fields", r03_fields},
	{"r03-names", r03_names},
	{"r03-odd-names", r03_odd_names},
	{"r03-ipv6", r03_ipv6},
	{"r04-wishes", r04_wishes},
	{"r04-first", r04_first},
	{"r04-room", r04_room},
	{"r04-nowhere", r04_nowhere},
	{"r04-none", r04_none},
	{"r04-library", r04_library},
	{"r05-bites", r05_bites},
	{"r05-plain-reads", r05_plain_reads},
	{"r05-notification", r05_notification},
	{"r05-exact", r05_exact},
	{"r05-dying-gracefully", r05_dying_gracefully},
	{"r05-dying-hard", r05_dying_hard},
	{"r05-partial", r05_partial},
	{"r05-partial-stops", r05_partial_stops},
	{"r05-partial-abort", r05_partial_abort},
	{"r05-waits-for-rest", r05_waits_for_rest},
	{"r05-abort-unheard", r05_abort_unheard},
	{"r06-peek", r06_peek},
	{"r06-peek-then-read", r06_peek_then_read},
	{"r06-flags", r06_flags},
	{"r06-empty-reads", r06_empty_reads},
	{"r07-sleeps", r07_sleeps},
	{"r07-every-call", r07_every_call},
	{"r07-timeout", r07_timeout},
	{"r07-nobody", r07_nobody},
	{"r07-client", r07_client},
	{"r07-client-asleep", r07_client_asleep},
	{"r07-server-asleep", r07_server_asleep},
	{"r08-vectors", r08_vectors},
	{"r09-sizes", r09_sizes},
	{"r10-next", r10_next},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
