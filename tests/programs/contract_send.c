/* SPDX-License-Identifier: MIT */
/* contract_send: rows S01, S02, S03 and S05, what a program sends and where it goes. */
#include <sys/mman.h>

#include "contract.h"

/* ---- S01: every call that sends ---- */

static struct sockaddr_in address_of(const struct peer *peer)
{
	return loopback(1, peer->port);
}

/* How many messages there are for it, whatever they say. */
static void hears_something(struct peer *peer)
{
	set_timeout(peer->fd, SO_RCVTIMEO, 200);
	while (recv(peer->fd, message_buffer, 1000, 0) > 0)
		tell("%s hears something", peer->name);
	set_timeout(peer->fd, SO_RCVTIMEO, 5000);
}

/* What a call is told: the id or the address, with a stream and a ppid where it can carry them. */
struct target {
	sctp_assoc_t id;
	struct sockaddr_in *to;
	uint16_t stream;
	uint32_t ppid;
};

static struct sending sending_to(const struct target *t, enum carrier carrier)
{
	return (struct sending){.id = t->id,
				.to = (struct sockaddr *)t->to,
				.to_length = sizeof(*t->to),
				.carrier = carrier,
				.stream = t->stream,
				.ppid = t->ppid};
}

static ssize_t by_sendmsg(int fd, const struct target *t, char *data, size_t size)
{
	struct sending s = sending_to(t, PLAIN);

	return send_bytes(fd, &s, data, size);
}

static ssize_t by_sndrcv(int fd, const struct target *t, char *data, size_t size)
{
	struct sending s = sending_to(t, SNDRCV);

	return send_bytes(fd, &s, data, size);
}

static ssize_t by_sndinfo(int fd, const struct target *t, char *data, size_t size)
{
	struct sending s = sending_to(t, SNDINFO);

	return send_bytes(fd, &s, data, size);
}

typedef int sendmmsg_call(int, struct mmsghdr *, unsigned, int);

static ssize_t with_sendmmsg(sendmmsg_call *call, int fd, const struct target *t, char *data,
			     size_t size)
{
	_Alignas(struct cmsghdr) char control[2][256] = {{0}};
	struct iovec iov[2] = {{data, size}, {data, size}};
	struct mmsghdr headers[2] = {{.msg_len = 0}};
	struct sending s = sending_to(t, SNDRCV);
	int n;

	for (int i = 0; i < 2; i++) {
		headers[i].msg_hdr.msg_name = t->to;
		headers[i].msg_hdr.msg_namelen = t->to ? sizeof(*t->to) : 0;
		headers[i].msg_hdr.msg_iov = &iov[i];
		headers[i].msg_hdr.msg_iovlen = 1;
		headers[i].msg_hdr.msg_control = control[i];
		headers[i].msg_hdr.msg_controllen = write_carrier(control[i], &s);
	}
	n = call(fd, headers, 1, 0);
	return n < 0 ? n : n == 1 ? (ssize_t)headers[0].msg_len : -2;
}

static ssize_t by_sendmmsg(int fd, const struct target *t, char *data, size_t size)
{
	return with_sendmmsg(sendmmsg, fd, t, data, size);
}

static ssize_t by_alias_sendmmsg(int fd, const struct target *t, char *data, size_t size)
{
	sendmmsg_call *call = (sendmmsg_call *)dlsym(RTLD_DEFAULT, "__sendmmsg");

	return with_sendmmsg(call ? call : sendmmsg, fd, t, data, size);
}

static ssize_t by_sendto(int fd, const struct target *t, char *data, size_t size)
{
	return sendto(fd, data, size, 0, (struct sockaddr *)t->to, t->to ? sizeof(*t->to) : 0);
}

static ssize_t by_sctp_sendmsg(int fd, const struct target *t, char *data, size_t size)
{
	return sctp_sendmsg(fd, data, size, (struct sockaddr *)t->to, t->to ? sizeof(*t->to) : 0,
			    htonl(t->ppid), 0, t->stream, 0, 0);
}

static ssize_t by_sctp_send(int fd, const struct target *t, char *data, size_t size)
{
	struct sctp_sndrcvinfo info = {
		.sinfo_assoc_id = t->id, .sinfo_stream = t->stream, .sinfo_ppid = htonl(t->ppid)};

	return sctp_send(fd, data, size, &info, 0);
}

static ssize_t by_sctp_sendv(int fd, const struct target *t, char *data, size_t size)
{
	struct sctp_sndinfo info = {
		.snd_assoc_id = t->id, .snd_sid = t->stream, .snd_ppid = htonl(t->ppid)};
	struct iovec iov = {data, size};

	return sctp_sendv(fd, &iov, 1, (struct sockaddr *)t->to, t->to ? 1 : 0, &info, sizeof(info),
			  SCTP_SENDV_SNDINFO, 0);
}

static ssize_t by_sctp_sendv_spa(int fd, const struct target *t, char *data, size_t size)
{
	struct sctp_sendv_spa info = {
		.sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID,
		.sendv_sndinfo = {.snd_assoc_id = t->id,
				  .snd_sid = t->stream,
				  .snd_ppid = htonl(t->ppid)},
		.sendv_prinfo = {.pr_policy = SCTP_PR_SCTP_TTL, .pr_value = 5000}};
	struct iovec iov[2] = {{data, 10}, {data + 10, size - 10}};

	return sctp_sendv(fd, iov, 2, (struct sockaddr *)t->to, t->to ? 1 : 0, &info, sizeof(info),
			  SCTP_SENDV_SPA, 0);
}

static ssize_t by_send(int fd, const struct target *t, char *data, size_t size)
{
	(void)t;
	return send(fd, data, size, 0);
}

static ssize_t by_alias_send(int fd, const struct target *t, char *data, size_t size)
{
	ssize_t (*call)(int, const void *, size_t, int) =
		(ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_DEFAULT, "__send");

	(void)t;
	return (call ? call : send)(fd, data, size, 0);
}

static ssize_t by_write(int fd, const struct target *t, char *data, size_t size)
{
	(void)t;
	return write(fd, data, size);
}

static ssize_t by_alias_write(int fd, const struct target *t, char *data, size_t size)
{
	ssize_t (*call)(int, const void *, size_t) =
		(ssize_t(*)(int, const void *, size_t))dlsym(RTLD_DEFAULT, "__write");

	(void)t;
	return (call ? call : write)(fd, data, size);
}

static ssize_t by_writev(int fd, const struct target *t, char *data, size_t size)
{
	struct iovec iov[2] = {{data, 10}, {data + 10, size - 10}};

	(void)t;
	return writev(fd, iov, 2);
}

static ssize_t by_pwritev2(int fd, const struct target *t, char *data, size_t size)
{
	struct iovec iov = {data, size};

	(void)t;
	return pwritev2(fd, &iov, 1, -1, 0);
}

enum { BY_ID = 1, BY_ADDRESS = 2 };

static const struct {
	const char *name;
	ssize_t (*call)(int fd, const struct target *t, char *data, size_t size);
	int can;
} calls[] = {
	{"sendmsg", by_sendmsg, BY_ADDRESS},
	{"sendmsg SNDRCV", by_sndrcv, BY_ID | BY_ADDRESS},
	{"sendmsg SNDINFO", by_sndinfo, BY_ID | BY_ADDRESS},
	{"sendmmsg", by_sendmmsg, BY_ID | BY_ADDRESS},
	{"__sendmmsg", by_alias_sendmmsg, BY_ID | BY_ADDRESS},
	{"sendto", by_sendto, BY_ADDRESS},
	{"sctp_sendmsg", by_sctp_sendmsg, BY_ADDRESS},
	{"sctp_send", by_sctp_send, BY_ID},
	{"sctp_sendv", by_sctp_sendv, BY_ID | BY_ADDRESS},
	{"sctp_sendv SPA", by_sctp_sendv_spa, BY_ID | BY_ADDRESS},
	{"send", by_send, 0},
	{"__send", by_alias_send, 0},
	{"write", by_write, 0},
	{"__write", by_alias_write, 0},
	{"writev", by_writev, 0},
	{"pwritev2", by_pwritev2, 0},
};

static void send_by(size_t i, int server, const struct target *t, struct peer *peer)
{
	char data[100];

	make_message(data, peer->name, peer->heard++, sizeof(data));
	OUTCOME(calls[i].name, calls[i].call(server, t, data, sizeof(data)));
}

/* By id, by address, by both (the address decides), by neither. */
static void s01_calls(void)
{
	int server = open_scene(2);

	for (size_t i = 0; i < COUNT(calls); i++)
		for (int p = 0; p < 2; p++) {
			struct sockaddr_in to = address_of(&peers[p]);
			struct target by_id = {peers[p].id, NULL, 1, 46};
			struct target by_address = {0, &to, 2, 47};
			struct target by_both = {peers[p].id, &to, 3, 48};
			struct target by_contradiction = {peers[1 - p].id, &to, 4, 49};
			struct target by_nobody = {9999999, &to, 5, 50};

			if (calls[i].can & BY_ID) {
				send_by(i, server, &by_id, &peers[p]);
				peer_hears(&peers[p]);
			}
			if (calls[i].can & BY_ADDRESS) {
				send_by(i, server, &by_address, &peers[p]);
				peer_hears(&peers[p]);
			}
			if (calls[i].can == (BY_ID | BY_ADDRESS)) {
				send_by(i, server, &by_both, &peers[p]);
				peer_hears(&peers[p]);
				send_by(i, server, &by_contradiction, &peers[p]);
				peer_hears(&peers[p]);
				send_by(i, server, &by_nobody, &peers[p]);
				peer_hears(&peers[p]);
			}
			if (!calls[i].can)
				send_by(i, server, &by_id, &peers[p]);
		}
	for (int p = 0; p < 2; p++)
		peer_hears_nothing_more(&peers[p]);
	close_scene(server);
}

/* Sending to an association from which nothing was ever received. */
static void s01_first(void)
{
	int server = open_server();
	sctp_assoc_t ids[2];

	subscribe(server, SUB_ASSOC | SUB_DATA);
	for (int p = 0; p < 2; p++) {
		connect_peer(new_peer(), server);
		hear("up", server, 0);
		ids[p] = peers[p].id;
	}
	for (int p = 0; p < 2; p++) {
		struct target by_id = {ids[p], NULL, 1, 2};
		struct sockaddr_in to = address_of(&peers[p]);
		struct target by_address = {0, &to, 2, 3};

		for (int k = 0; k < 2; k++) {
			send_by(1, server, &by_id, &peers[p]);
			peer_hears(&peers[p]);
			send_by(0, server, &by_address, &peers[p]);
			peer_hears(&peers[p]);
			peer_sends(&peers[p], 50);
			hear("answer", server, 0);
		}
	}
	close_scene(server);
}

/* Streams, flags and sizes of all kinds arrive as they were sent. */
static void s01_kinds(void)
{
	static const size_t sizes[] = {HEADER, 500, 1400, 1500, 9000, 60000};
	int server = open_scene(2);
	struct sctp_sndinfo defaults = {.snd_sid = 7, .snd_ppid = htonl(77)};

	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < COUNT(sizes); i++) {
			struct sending s = {.id = peers[p].id,
					    .carrier = i % 2 ? SNDINFO : SNDRCV,
					    .stream = (uint16_t)i,
					    .ppid = (uint32_t)(i * 1000),
					    .flags = i % 3 == 1 ? SCTP_UNORDERED : 0,
					    .message_flags = i % 3 == 0	  ? MSG_DONTWAIT
							     : i % 3 == 1 ? MSG_NOSIGNAL
									  : MSG_EOR};

			make_message(message_buffer, peers[p].name, peers[p].heard++, sizes[i]);
			OUTCOME("send", send_bytes(server, &s, message_buffer, sizes[i]));
			peer_hears(&peers[p]);
		}
	for (int p = 0; p < 2; p++) {
		struct sockaddr_in to = address_of(&peers[p]);
		struct target by_address = {0, &to, 0, 0};

		defaults.snd_assoc_id = peers[p].id;
		OUTCOME("defaults", setsockopt(server, SOL_SCTP, SCTP_DEFAULT_SNDINFO, &defaults,
					       sizeof(defaults)));
		send_by(0, server, &by_address, &peers[p]);
		peer_hears(&peers[p]);
		send_by(5, server, &by_address, &peers[p]);
		peer_hears(&peers[p]);
	}
	close_scene(server);
}

/* A message in several parts, some of them empty. */
static void s01_parts(void)
{
	int server = open_scene(1);
	char data[100];
	struct sockaddr_in to = address_of(&peers[0]);

	for (int k = 0; k < 2; k++) {
		struct iovec iov[] = {{data, 1}, {NULL, 0}, {data + 1, 50}, {data + 51, 49}};
		struct msghdr header = {.msg_name = &to,
					.msg_namelen = sizeof(to),
					.msg_iov = iov,
					.msg_iovlen = 4};

		make_message(data, "A", peers[0].heard++, sizeof(data));
		OUTCOME("parts", sendmsg(server, &header, 0));
		peer_hears(&peers[0]);
	}
	close_scene(server);
}

/* sendmmsg to several associations: how many went out, and what stops it. */
static void s01_many(void)
{
	_Alignas(struct cmsghdr) char control[6][256];
	char data[6][60];
	struct iovec iov[6];
	struct mmsghdr headers[6];
	int server = open_scene(3);

	for (int bad = -1; bad < 6; bad += 3) {
		memset(headers, 0, sizeof(headers));
		memset(control, 0, sizeof(control));
		for (int i = 0; i < 6; i++) {
			struct peer *peer = &peers[i % 3];
			struct sending s = {.id = i == bad ? 7777777 : peer->id, .carrier = SNDRCV};

			iov[i] = (struct iovec){data[i], sizeof(data[i])};
			make_message(data[i], peer->name, peer->heard++, sizeof(data[i]));
			headers[i].msg_hdr.msg_iov = &iov[i];
			headers[i].msg_hdr.msg_iovlen = 1;
			headers[i].msg_hdr.msg_control = control[i];
			headers[i].msg_hdr.msg_controllen = write_carrier(control[i], &s);
		}
		OUTCOME("sendmmsg", sendmmsg(server, headers, 6, 0));
		for (int i = 0; i < 6; i++)
			tell("length %u", headers[i].msg_len);
		for (int i = 0; i < (bad < 0 ? 6 : bad); i++)
			peer_hears(&peers[i % 3]);
		for (int p = 0; p < 3; p++)
			peer_hears_nothing_more(&peers[p]);
	}
	OUTCOME("the first is bad", sendmmsg(server, headers + 5, 1, MSG_NOSIGNAL));
	OUTCOME("none", sendmmsg(server, headers, 0, 0));
	close_scene(server);
}

/* Any address of a multi-homed peer reaches it; one that is not its own makes a new association. */
static void s01_multihomed(void)
{
	int server = open_server();
	struct peer *peer = new_peer();
	struct sockaddr_in second = loopback(2, peer->port), to;
	char data[60];

	if (sctp_bindx(peer->fd, (struct sockaddr *)&second, 1, SCTP_BINDX_ADD_ADDR))
		die("sctp_bindx");
	connect_peer(peer, server);
	connect_peer(new_peer(), server);
	greet(server, 2);
	for (int k = 0; k < 2; k++)
		for (int last = 1; last <= 2; last++) {
			to = loopback(last, peer->port);
			make_message(data, "A", peer->heard++, sizeof(data));
			OUTCOME("by one of its addresses",
				sendto(server, data, sizeof(data), 0, (struct sockaddr *)&to,
				       sizeof(to)));
			peer_hears(peer);
		}
	send_to_peer(server, &peers[1], 50);
	peer_hears(&peers[1]);
	OUTCOME("connect to the second",
		connect(server, (struct sockaddr *)&second, sizeof(second)));
	close_scene(server);
}

/* The control messages that carry more: addresses, lifetimes, keys. */
static void more_controls(int server, struct peer *peer, int type, const void *info, size_t size)
{
	_Alignas(struct cmsghdr) char control[512] = {0};
	struct sending s = {.id = peer->id, .carrier = SNDINFO};
	char data[60];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	size_t used = write_carrier(control, &s);
	struct cmsghdr *c = (struct cmsghdr *)(void *)(control + used);
	struct line line = {.length = 0};

	c->cmsg_level = IPPROTO_SCTP;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), info, size);
	header.msg_controllen = used + CMSG_SPACE(size);
	make_message(data, peer->name, peer->heard++, sizeof(data));
	add(&line, "with control message %d of %zu", type, size);
	if (OUTCOME(line.text, sendmsg(server, &header, 0)) > 0)
		peer_hears(peer);
}

static void s01_controls(void)
{
	int server = open_scene(2);

	for (int p = 0; p < 2; p++) {
		struct in_addr own = {htonl(INADDR_LOOPBACK)};
		struct sctp_prinfo pr = {.pr_policy = SCTP_PR_SCTP_RTX, .pr_value = 3};
		struct sctp_authinfo auth = {.auth_keynumber = 7};
		struct in6_addr six = in6addr_loopback;

		more_controls(server, &peers[p], SCTP_PRINFO, &pr, sizeof(pr));
		pr.pr_policy = SCTP_PR_SCTP_TTL;
		more_controls(server, &peers[p], SCTP_PRINFO, &pr, sizeof(pr));
		pr.pr_policy = 0x7777;
		more_controls(server, &peers[p], SCTP_PRINFO, &pr, sizeof(pr));
		more_controls(server, &peers[p], SCTP_PRINFO, &pr, sizeof(pr) - 1);
		more_controls(server, &peers[p], SCTP_AUTHINFO, &auth, sizeof(auth));
		more_controls(server, &peers[p], SCTP_AUTHINFO, &auth, 1);
		more_controls(server, &peers[p], SCTP_DSTADDRV4, &own, sizeof(own));
		more_controls(server, &peers[p], SCTP_DSTADDRV6, &six, sizeof(six));
		more_controls(server, &peers[p], SCTP_NXTINFO, &auth, sizeof(auth));
		more_controls(server, &peers[p], 99, &auth, sizeof(auth));
		more_controls(server, &peers[p], SCTP_INIT, &auth, sizeof(auth));
	}
	for (int p = 0; p < 2; p++)
		peer_hears_nothing_more(&peers[p]);
	close_scene(server);
}

/* Control messages that are damaged; nothing goes out by them. */
static void s01_damaged_controls(void)
{
	int server = open_scene(1);
	static const size_t lengths[] = {0, 1, 15, 16, 17, 47, 48, 49, 1000000, (size_t)-1};
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV};

	for (size_t i = 0; i < COUNT(lengths); i++)
		for (size_t room = 0; room < 3; room++) {
			_Alignas(struct cmsghdr) char control[256] = {0};
			struct cmsghdr *c = (struct cmsghdr *)(void *)control;
			char data[60];
			struct iovec iov = {data, sizeof(data)};
			struct msghdr header = {
				.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
			struct line line = {.length = 0};

			header.msg_controllen = write_carrier(control, &s);
			header.msg_controllen -= room == 1;
			header.msg_controllen += room == 2 ? 8 : 0;
			c->cmsg_len = lengths[i];
			make_message(data, "A", peers[0].heard++, sizeof(data));
			add(&line, "length %zd in %zu", (ssize_t)lengths[i],
			    (size_t)header.msg_controllen);
			if (OUTCOME(line.text, sendmsg(server, &header, MSG_NOSIGNAL)) > 0)
				peer_hears(&peers[0]);
		}
	peer_hears_nothing_more(&peers[0]);
	close_scene(server);
}

/* Control messages that say more than the buffer has, which ends where nothing may be read. */
static void s01_cut_controls(void)
{
	int server = open_scene(1);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *end = (char *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
		    page;
	static const ssize_t lengths[] = {48, 1000000, -1, -8, -16, -48};
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV};
	_Alignas(struct cmsghdr) char control[256] = {0};
	size_t used = write_carrier(control, &s);

	if (mprotect(end, page, PROT_NONE))
		die("mprotect");
	for (size_t i = 0; i < COUNT(lengths); i++)
		for (size_t room = 1; room <= used; room += room < 16 ? 5 : 8) {
			struct iovec iov = {message_buffer, 60};
			struct msghdr header = {.msg_iov = &iov,
						.msg_iovlen = 1,
						.msg_control = end - room,
						.msg_controllen = room};
			size_t length = (size_t)lengths[i];
			struct line line = {.length = 0};

			memcpy(control, &length, sizeof(length));
			memcpy(end - room, control, room);
			make_message(message_buffer, "A", peers[0].heard++, 60);
			add(&line, "length %zd in %zu", lengths[i], room);
			if (OUTCOME(line.text, sendmsg(server, &header, MSG_NOSIGNAL)) > 0)
				peer_hears(&peers[0]);
		}
	peer_hears_nothing_more(&peers[0]);
	close_scene(server);
}

/* Pointers into nowhere: EFAULT, and the association is none the worse. */
static void s01_nowhere(void)
{
	int server = open_scene(1);
	struct sockaddr_in to = address_of(&peers[0]);
	void *volatile nowhere = (void *)8;
	_Alignas(struct cmsghdr) char control[256] = {0};
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV};
	struct iovec iov = {message_buffer, 50}, bad = {nowhere, 50};
	size_t used = write_carrier(control, &s);
	static const size_t lengths[] = {1, 16, 48, 1000000, (size_t)-1};

	struct msghdr headers[] = {
		{.msg_iov = nowhere,
		 .msg_iovlen = 1,
		 .msg_control = control,
		 .msg_controllen = used},
		{.msg_iov = &bad, .msg_iovlen = 1, .msg_control = control, .msg_controllen = used},
		{.msg_iov = &iov,
		 .msg_iovlen = 5000,
		 .msg_control = control,
		 .msg_controllen = used},
		{.msg_name = nowhere, .msg_namelen = 16, .msg_iov = &iov, .msg_iovlen = 1},
		{.msg_name = NULL, .msg_namelen = 16, .msg_iov = &iov, .msg_iovlen = 1},
		{.msg_name = &to, .msg_namelen = 200, .msg_iov = &iov, .msg_iovlen = 1},
		{.msg_name = &to, .msg_namelen = 0xffffffff, .msg_iov = &iov, .msg_iovlen = 1},
		{.msg_name = &to, .msg_namelen = 128, .msg_iov = &iov, .msg_iovlen = 1},
	};

	make_message(message_buffer, "A", 0, 50);
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct mmsghdr many = {.msg_hdr = headers[i]};

		tell("header %zu", i);
		OUTCOME("sendmsg", sendmsg(server, &headers[i], MSG_NOSIGNAL));
		OUTCOME("sendmmsg", sendmmsg(server, &many, 1, MSG_NOSIGNAL));
	}
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct msghdr header = {.msg_iov = &iov,
					.msg_iovlen = 1,
					.msg_control = nowhere,
					.msg_controllen = lengths[i]};

		OUTCOME("control nowhere", sendmsg(server, &header, MSG_NOSIGNAL));
		header.msg_control = NULL;
		OUTCOME("control NULL", sendmsg(server, &header, MSG_NOSIGNAL));
	}
	OUTCOME("no header", sendmsg(server, nowhere, MSG_NOSIGNAL));
	OUTCOME("no headers", sendmmsg(server, nowhere, 2, MSG_NOSIGNAL));
	OUTCOME("writev nowhere", writev(server, nowhere, 2));
	hears_something(&peers[0]);
	peers[0].heard = 1;
	OUTCOME("A", send_to_peer(server, &peers[0], 50));
	peer_hears(&peers[0]);
	close_scene(server);
}

/* An IPv6 socket: peers of both families, addressed in all ways. */
static void s01_ipv6(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	int server = socket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP);
	struct peer *four, *six;
	char data[60];

	if (bind(server, (struct sockaddr *)&any, sizeof(any)) || listen(server, 10))
		die("IPv6 server");
	subscribe(server, SUB_DATA);
	four = new_peer();
	connect_peer(four, server);
	six = new_peer();
	close(six->fd);
	six->fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_SCTP);
	subscribe(six->fd, SUB_DATA);
	any.sin6_addr = in6addr_loopback;
	if (bind(six->fd, (struct sockaddr *)&any, sizeof(any)))
		die("IPv6 peer");
	six->port = local_port(six->fd);
	any.sin6_port = local_port(server);
	if (connect(six->fd, (struct sockaddr *)&any, sizeof(any)))
		die("IPv6 peer connects");
	greet(server, 2);

	for (int k = 0; k < 2; k++) {
		struct sockaddr_in plain = address_of(four);
		struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = four->port};
		struct sockaddr_in6 native = {.sin6_family = AF_INET6,
					      .sin6_port = six->port,
					      .sin6_addr = in6addr_loopback};

		mapped.sin6_addr.s6_addr32[2] = htonl(0xffff);
		mapped.sin6_addr.s6_addr32[3] = htonl(INADDR_LOOPBACK);
		make_message(data, four->name, four->heard++, sizeof(data));
		OUTCOME("IPv4 address", sendto(server, data, sizeof(data), MSG_NOSIGNAL,
					       (struct sockaddr *)&plain, sizeof(plain)));
		make_message(data, four->name, four->heard++, sizeof(data));
		OUTCOME("mapped address", sendto(server, data, sizeof(data), MSG_NOSIGNAL,
						 (struct sockaddr *)&mapped, sizeof(mapped)));
		make_message(data, six->name, six->heard++, sizeof(data));
		OUTCOME("IPv6 address", sendto(server, data, sizeof(data), MSG_NOSIGNAL,
					       (struct sockaddr *)&native, sizeof(native)));
		native.sin6_scope_id = 1;
		native.sin6_flowinfo = htonl(5);
		make_message(data, six->name, six->heard++, sizeof(data));
		OUTCOME("with a scope", sendto(server, data, sizeof(data), MSG_NOSIGNAL,
					       (struct sockaddr *)&native, sizeof(native)));
		OUTCOME("short", sendto(server, data, sizeof(data), MSG_NOSIGNAL,
					(struct sockaddr *)&native, 24));
		OUTCOME("connect", connect(server, (struct sockaddr *)&plain, sizeof(plain)));
		OUTCOME("connect", connect(server, (struct sockaddr *)&mapped, sizeof(mapped)));
		OUTCOME("connect", connect(server, (struct sockaddr *)&native, sizeof(native)));
		for (int p = 0; p < 2; p++) {
			OUTCOME("by id", send_to_peer(server, &peers[p], 40));
			for (int i = 0; i < 3; i++)
				peer_hears(&peers[p]);
			peer_hears_nothing_more(&peers[p]);
		}
	}
	close_scene(server);
}

/* ---- S02: a new association by a send ---- */

static void s02_new(void)
{
	int server = open_scene(2);
	struct peer *peer;

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	for (int k = 0; k < 3; k++) {
		struct sockaddr_in to;
		char data[60];

		peer = new_peer();
		listen_as_peer(peer);
		to = address_of(peer);
		make_message(data, peer->name, peer->heard++, sizeof(data));
		OUTCOME("to someone new",
			k == 0	 ? sendto(server, data, sizeof(data), 0, (struct sockaddr *)&to,
					  sizeof(to))
			: k == 1 ? sctp_sendmsg(server, data, sizeof(data), (struct sockaddr *)&to,
						sizeof(to), 0, 0, 3, 0, 0)
				 : by_sndinfo(server, &(struct target){0, &to, 4, 5}, data,
					      sizeof(data)));
		accept_as_peer(peer);
		hear("up", server, 0);
		peer_hears(peer);
		peer_sends(peer, 70);
		hear("answer", server, 0);
		OUTCOME("again", send_to_peer(server, peer, 80));
		peer_hears(peer);
		peer_sends(&peers[k % 2], 50);
		hear("others", server, 0);
		OUTCOME("to others", send_to_peer(server, &peers[k % 2], 80));
		peer_hears(&peers[k % 2]);
	}
	close_scene(server);
}

/* Nobody is there. */
static void s02_refused(void)
{
	int server = open_scene(1);
	struct peer *nobody = new_peer();
	struct sockaddr_in to = address_of(nobody);
	struct target t = {0, &to, 0, 0};

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SEND_FAILED);
	send_by(5, server, &t, nobody);
	await_input(server);
	hear_all("then", server);
	tell("poll: %s", poll_names(poll_now(server)));
	OUTCOME("A", send_to_peer(server, &peers[0], 50));
	peer_hears(&peers[0]);
	close_scene(server);
}

/* The association has ended, its peer listens again: a send to the address begins anew. */
static void s02_again(void)
{
	int server = open_scene(1), listener;
	struct peer *peer = &peers[0];
	struct sockaddr_in to = address_of(peer);
	sctp_assoc_t before = peer->id;

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	close_peer(peer);
	await_end(peer);
	hear_all("ended", server);
	/* last words have kept its port until now */
	await_end(peer);
	hear_all("over", server);
	listener = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1))
		die("the peer again");
	subscribe(listener, SUB_DATA);
	peer->id = 0;
	peer->tsn_known = false;
	send_by(5, server, &(struct target){0, &to, 0, 0}, peer);
	peer->fd = listener;
	accept_as_peer(peer);
	hear("up", server, 0);
	tell("the id is %s", peer->id == before ? "the same" : "new");
	peer_hears(peer);
	peer_sends(peer, 60);
	hear("answer", server, 0);
	OUTCOME("by the new id", send_to_peer(server, peer, 60));
	peer_hears(peer);
	send_by(1, server, &(struct target){before, NULL, 0, 0}, peer);
	close_scene(server);
}

/* ---- S03: errors ---- */

static void s03_ids(void)
{
	int server = open_scene(4);
	sctp_assoc_t ended, aborted, taken;
	char data[50];
	int own;

	ended = peers[1].id;
	aborted = peers[2].id;
	taken = peers[3].id;
	close_peer(&peers[1]);
	abort_peer(&peers[2]);
	await_end(&peers[1]);
	await_end(&peers[2]);
	own = sctp_peeloff(server, taken);
	tell("taken: %d", own);

	const struct {
		const char *name;
		sctp_assoc_t id;
	} ids[] = {{"ended", ended},	 {"aborted", aborted}, {"taken", taken},
		   {"unknown", 7654321}, {"none", 0},	       {"current", 1},
		   {"all", 2},		 {"negative", -1},     {"lowest", INT32_MIN}};

	for (size_t i = 0; i < COUNT(ids); i++)
		for (int carrier = SNDRCV; carrier <= SNDINFO; carrier++)
			for (int quiet = 0; quiet < 2; quiet++) {
				struct sending s = {.id = ids[i].id,
						    .carrier = (enum carrier)carrier,
						    .message_flags = quiet ? MSG_NOSIGNAL : 0};

				make_message(data, "X", 0, sizeof(data));
				OUTCOME(ids[i].name, send_bytes(server, &s, data, sizeof(data)));
			}
	for (size_t i = 0; i < COUNT(ids); i++)
		for (unsigned flag = SCTP_ABORT; flag; flag = flag == SCTP_ABORT ? SCTP_EOF : 0) {
			struct sending s = {
				.id = ids[i].id, .carrier = SNDRCV, .flags = (uint16_t)flag};

			OUTCOME(flag == SCTP_EOF ? "EOF" : "ABORT", send_bytes(server, &s, "", 0));
		}
	OUTCOME("A", send_to_peer(server, &peers[0], 50));
	peer_hears(&peers[0]);
	peer_hears_nothing_more(&peers[0]);
	peer_hears_nothing_more(&peers[3]);
	close(own);
	close_scene(server);
}

/* Calls that cannot name anybody, and what they do to a program that ignores SIGPIPE or dies of it.
 */
static void s03_nobody_named(void)
{
	int server = open_scene(2), status;
	struct target t = {0, NULL, 0, 0};

	for (size_t i = 0; i < COUNT(calls); i++)
		send_by(i, server, &t, &peers[0]);
	OUTCOME("send quietly", send(server, "x", 1, MSG_NOSIGNAL));
	signal(SIGPIPE, SIG_IGN);
	OUTCOME("write, ignored", write(server, "x", 1));
	by_sndrcv(server, &(struct target){7777777, NULL, 0, 0}, message_buffer, 50);
	tell("still alive");
	signal(SIGPIPE, SIG_DFL);
	fflush(stdout);
	if (fork() == 0) {
		by_sndrcv(server, &(struct target){7777777, NULL, 0, 0}, message_buffer, 50);
		_exit(0);
	}
	wait(&status);
	tell("a child: %s", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "goes on");
	close_scene(server);
}

/* A blocked SIGPIPE stays pending, once, in the thread that sent. */
static void s03_blocked_signal(void)
{
	int server = open_scene(1);
	sigset_t pipe_only, pending;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
	for (int k = 0; k < 2; k++) {
		OUTCOME("send", by_sndrcv(server, &(struct target){7777777, NULL, 0, 0},
					  message_buffer, 50));
		sigpending(&pending);
		tell("pending: %d", sigismember(&pending, SIGPIPE));
	}
	sigpipes = 0;
	pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
	tell("delivered: %d", (int)sigpipes);
	OUTCOME("A", send_to_peer(server, &peers[0], 50));
	peer_hears(&peers[0]);
	close_scene(server);
}

static void s03_arguments(void)
{
	int server = open_scene(1);
	struct sockaddr_in to = address_of(&peers[0]), wrong;
	char *volatile nowhere = (char *)8;
	volatile size_t huge = 100000000;

	for (int by_address = 0; by_address < 2; by_address++) {
		struct sending s = {.id = peers[0].id, .carrier = SNDRCV};

		tell("== by %s", by_address ? "address" : "id");
		if (by_address)
			s = (struct sending){.to = (struct sockaddr *)&to,
					     .to_length = sizeof(to),
					     .carrier = SNDINFO};
		make_message(message_buffer, "A", peers[0].heard, 60);
		OUTCOME("nothing", send_bytes(server, &s, message_buffer, 0));
		OUTCOME("nowhere", send_bytes(server, &s, nowhere, 60));
		OUTCOME("too much", send_bytes(server, &s, message_buffer, huge));
		s.stream = 10;
		OUTCOME("stream 10", send_bytes(server, &s, message_buffer, 60));
		s.stream = 65535;
		OUTCOME("stream 65535", send_bytes(server, &s, message_buffer, 60));
		s.stream = 0;
		s.flags = SCTP_EOF;
		OUTCOME("EOF with data", send_bytes(server, &s, message_buffer, 60));
		s.flags = SCTP_EOF | SCTP_ABORT | 0x1000;
		OUTCOME("bad flags", send_bytes(server, &s, message_buffer, 60));
		s.flags = SCTP_ADDR_OVER;
		OUTCOME("override without address",
			by_address ? 0 : send_bytes(server, &s, message_buffer, 60));
		s.flags = 0;
		s.message_flags = MSG_OOB;
		OUTCOME("MSG_OOB", send_bytes(server, &s, message_buffer, 60));
		s.message_flags = 0;
	}
	hears_something(&peers[0]);
	for (socklen_t length = 0; length <= 40; length += length == 16 ? 24 : 4)
		OUTCOME("short name",
			sendto(server, message_buffer, 60, 0, (struct sockaddr *)&to, length));
	hears_something(&peers[0]);
	wrong = to;
	wrong.sin_family = AF_UNIX;
	OUTCOME("AF_UNIX", sendto(server, "x", 1, 0, (struct sockaddr *)&wrong, sizeof(wrong)));
	wrong.sin_family = AF_UNSPEC;
	OUTCOME("AF_UNSPEC", sendto(server, "x", 1, 0, (struct sockaddr *)&wrong, sizeof(wrong)));
	wrong = to;
	memset(&wrong.sin_addr, 255, sizeof(wrong.sin_addr));
	OUTCOME("broadcast", sendto(server, "x", 1, 0, (struct sockaddr *)&wrong, sizeof(wrong)));
	memset(&wrong.sin_addr, 0, sizeof(wrong.sin_addr));
	OUTCOME("any", sendto(server, "x", 1, 0, (struct sockaddr *)&wrong, sizeof(wrong)));
	wrong = to;
	wrong.sin_port = 0;
	OUTCOME("port 0", sendto(server, "x", 1, 0, (struct sockaddr *)&wrong, sizeof(wrong)));
	OUTCOME("a name nowhere",
		sendto(server, "x", 1, 0, (struct sockaddr *)(void *)nowhere, 16));
	hears_something(&peers[0]);
	close_scene(server);
}

/* A peer that does not listen: the buffer fills, and it is full only for who waits. */
static void s03_full(void)
{
	int server = open_scene(1), sent = 0;
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};
	double began;

	while (sent < 5000 && send_bytes(server, &s, message_buffer, 1000) == 1000)
		sent++;
	OUTCOME("full", send_bytes(server, &s, message_buffer, 1000));
	tell("after %s", sent > 50 && sent < 5000 ? "many" : "few");
	s.message_flags = 0;
	set_timeout(server, SO_SNDTIMEO, 200);
	began = now();
	OUTCOME("with a timeout", send_bytes(server, &s, message_buffer, 1000));
	tell("%s", how_long(now() - began));
	fcntl(server, F_SETFL, O_NONBLOCK);
	OUTCOME("O_NONBLOCK", send_bytes(server, &s, message_buffer, 1000));
	fcntl(server, F_SETFL, 0);
	for (int i = 0; i < sent; i++)
		if (recv(peers[0].fd, message_buffer, sizeof(message_buffer), 0) != 1000)
			die("A hears %d", i);
	peer_hears_nothing_more(&peers[0]);
	make_message(message_buffer, "A", 1, 60);
	OUTCOME("room again", send_bytes(server, &s, message_buffer, 60));
	peer_hears(&peers[0]);
	close_scene(server);
}

/* What is too big for the buffer, whatever the buffer is by then. */
static void s03_too_big(void)
{
	int server = open_scene(1);
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};

	make_message(message_buffer, "A", 1, 60000);
	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	OUTCOME("60000 of 40000", send_bytes(server, &s, message_buffer, 60000));
	set_int(server, SOL_SOCKET, SO_SNDBUF, 100000);
	OUTCOME("60000 of 200000", send_bytes(server, &s, message_buffer, 60000));
	peer_hears(&peers[0]);
	set_int(server, SOL_SCTP, SCTP_DISABLE_FRAGMENTS, 1);
	make_message(message_buffer, "A", 2, 70000 - 4000);
	OUTCOME("without fragments", send_bytes(server, &s, message_buffer, 66000));
	make_message(message_buffer, "A", 3, 1000);
	OUTCOME("small without fragments", send_bytes(server, &s, message_buffer, 1000));
	peer_hears(&peers[0]);
	close_scene(server);
}

/* The program itself has begun to end the association, which cannot end while its peer is full. */
static void s03_shutdown_pending(void)
{
	int server = open_server();

	for (int p = 0; p < 2; p++) {
		set_int(new_peer()->fd, SOL_SOCKET, SO_RCVBUF, 4096);
		connect_peer(&peers[p], server);
	}
	greet(server, 2);

	struct sending s = {.id = peers[0].id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};
	struct sockaddr_in to = address_of(&peers[0]);

	for (int i = 0; i < 20; i++)
		if (send_bytes(server, &s, message_buffer, 1000) != 1000)
			die("send");
	s.flags = SCTP_EOF;
	OUTCOME("EOF", send_bytes(server, &s, "", 0));
	s.flags = 0;
	for (int k = 0; k < 2; k++) {
		OUTCOME("by id", send_bytes(server, &s, message_buffer, 100));
		s.carrier = SNDINFO;
	}
	OUTCOME("by address", sendto(server, message_buffer, 100, MSG_DONTWAIT,
				     (struct sockaddr *)&to, sizeof(to)));
	s.flags = SCTP_EOF;
	OUTCOME("EOF again", send_bytes(server, &s, "", 0));
	OUTCOME("connect", connect(server, (struct sockaddr *)&to, sizeof(to)));
	peer_sends(&peers[1], 50);
	hear("B", server, 0);
	s.flags = SCTP_ABORT;
	OUTCOME("ABORT", send_bytes(server, &s, "", 0));
	await_end(&peers[0]);
	s.flags = 0;
	OUTCOME("after the abort", send_bytes(server, &s, message_buffer, 100));
	OUTCOME("B", send_to_peer(server, &peers[1], 50));
	peer_hears(&peers[1]);
	close_scene(server);
}

/* ---- S05: connect ---- */

static void s05_connect(void)
{
	int server = open_scene(2);
	struct sockaddr_in to, both[2];
	sctp_assoc_t id = -7;
	struct peer *peer;

	for (int p = 0; p < 2; p++) {
		to = address_of(&peers[p]);
		OUTCOME("connect", connect(server, (struct sockaddr *)&to, sizeof(to)));
		OUTCOME("sctp_connectx", sctp_connectx(server, (struct sockaddr *)&to, 1, &id));
		tell("id: %s", id == -7 ? "untouched" : name_of_id(id));
		OUTCOME("sctp_connectx without id",
			sctp_connectx(server, (struct sockaddr *)&to, 1, NULL));
		OUTCOME("SCTP_SOCKOPT_CONNECTX",
			setsockopt(server, SOL_SCTP, SCTP_SOCKOPT_CONNECTX, &to, sizeof(to)));
		OUTCOME("SCTP_SOCKOPT_CONNECTX_OLD",
			setsockopt(server, SOL_SCTP, SCTP_SOCKOPT_CONNECTX_OLD, &to, sizeof(to)));
		both[0] = loopback(3, peers[p].port);
		both[1] = to;
		OUTCOME("sctp_connectx to several",
			sctp_connectx(server, (struct sockaddr *)both, 2, &id));
		OUTCOME("SCTP_SENDMSG_CONNECT",
			setsockopt(server, SOL_SCTP, SCTP_SENDMSG_CONNECT, &to, sizeof(to)));
		OUTCOME("still there", send_to_peer(server, &peers[p], 50));
		peer_hears(&peers[p]);
		peer_sends(&peers[p], 60);
		hear("still there", server, 0);
	}
	for (int k = 0; k < 3; k++) {
		peer = new_peer();
		listen_as_peer(peer);
		to = address_of(peer);
		id = -7;
		if (k == 0)
			OUTCOME("connect", connect(server, (struct sockaddr *)&to, sizeof(to)));
		else if (k == 1)
			OUTCOME("sctp_connectx",
				sctp_connectx(server, (struct sockaddr *)&to, 1, &id));
		else
			OUTCOME("SCTP_SOCKOPT_CONNECTX",
				setsockopt(server, SOL_SCTP, SCTP_SOCKOPT_CONNECTX, &to,
					   sizeof(to)) < 0);
		accept_as_peer(peer);
		peer_sends(peer, 60);
		hear("new one", server, 0);
		tell("id: %s", id == -7 ? "untouched" : name_of_id(id));
		OUTCOME("connect again", connect(server, (struct sockaddr *)&to, sizeof(to)));
		OUTCOME("to it", send_to_peer(server, peer, 50));
		peer_hears(peer);
	}
	close_scene(server);
}

/* Not blocking, refused, not an address; a client, whose one association is peeled, connects on. */
static void s05_odd(void)
{
	int server = open_scene(1), client;
	struct sockaddr_in to = address_of(&peers[0]), none = {.sin_family = AF_UNSPEC};
	struct peer *nobody = new_peer(), *peer;

	fcntl(server, F_SETFL, O_NONBLOCK);
	OUTCOME("not blocking", connect(server, (struct sockaddr *)&to, sizeof(to)));
	fcntl(server, F_SETFL, 0);
	OUTCOME("AF_UNSPEC", connect(server, (struct sockaddr *)&none, sizeof(none)));
	OUTCOME("short", connect(server, (struct sockaddr *)&to, 4));
	memset(&to.sin_addr, 255, sizeof(to.sin_addr));
	OUTCOME("broadcast", connect(server, (struct sockaddr *)&to, sizeof(to)));
	to = address_of(nobody);
	OUTCOME("refused", connect(server, (struct sockaddr *)&to, sizeof(to)));
	peer_sends(&peers[0], 50);
	hear("A", server, 0);
	close_scene(server);

	client = bound_socket(SOCK_SEQPACKET);
	subscribe(client, SUB_DATA);
	for (int k = 0; k < 3; k++) {
		peer = new_peer();
		listen_as_peer(peer);
		to = address_of(peer);
		OUTCOME("a client connects", connect(client, (struct sockaddr *)&to, sizeof(to)));
		accept_as_peer(peer);
		OUTCOME("again", connect(client, (struct sockaddr *)&to, sizeof(to)));
		greet(client, 1);
		OUTCOME("once more", connect(client, (struct sockaddr *)&to, sizeof(to)));
		for (int i = 0; i <= k; i++) {
			OUTCOME("to it", send_to_peer(client, &peers[i], 50));
			peer_hears(&peers[i]);
		}
	}
	close_scene(client);
}

/* ---- S04: to all ---- */

static void s04_all(void)
{
	struct sending s = {.carrier = SNDRCV, .flags = SCTP_SENDALL};
	int server = open_scene(4);

	for (int i = 0; i < 3; i++) {
		OUTCOME("to all", send_bytes(server, &s, "012345678901234567890123456789", 30));
		for (int p = 0; p < 4; p++)
			peer_hears(&peers[p]);
	}
	/* one that has not spoken */
	connect_peer(new_peer(), server);
	OUTCOME("to all", send_bytes(server, &s, "012345678901234567890123456789", 30));
	s.flags = SCTP_SENDALL | SCTP_EOF;
	OUTCOME("an end to all", send_bytes(server, &s, NULL, 0));
	for (int p = 0; p < 5; p++) {
		peer_hears(&peers[p]);
		peer_hears(&peers[p]);
	}
	close_scene(server);
}

/* ---- S06, S08: a send that blocks ---- */

struct blocked {
	int fd;
	sctp_assoc_t id;
	ssize_t sent;
	int error;
};

static void *block(void *argument)
{
	static char text[1000];
	struct blocked *b = argument;
	struct sending s = {.id = b->id, .carrier = SNDRCV};

	b->sent = send_bytes(b->fd, &s, text, sizeof(text));
	b->error = errno;
	return NULL;
}

static int fill(int fd, sctp_assoc_t id)
{
	static char text[1000];
	struct sending s = {.id = id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};
	int n = 0;

	while (send_bytes(fd, &s, text, sizeof(text)) == (ssize_t)sizeof(text))
		n++;
	return n;
}

static int drain(struct peer *peer, int count)
{
	static char text[1000];
	int n = 0;

	while (n < count && recv(peer->fd, text, sizeof(text), 0) == (ssize_t)sizeof(text))
		n++;
	return n;
}

/* The association that a send is blocked in says something, and so may be peeled off. */
static void s06_blocked(void)
{
	int server = open_scene(2), count;
	struct blocked b = {.fd = server, .id = peers[0].id};
	struct receipt *r = new_receipt();
	pthread_t thread;

	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	count = fill(server, peers[0].id);
	if (pthread_create(&thread, NULL, block, &b))
		die("thread");
	pause_ms(100);
	for (int i = 0; i < 3; i++) {
		peer_sends(&peers[0], 40);
		if (take(r, server, 0) < 0)
			die("receive");
	}
	tell("all there: %d", drain(&peers[0], count + 1) == count + 1);
	pthread_join(thread, NULL);
	tell("%zd, %d SIGPIPEs", b.sent, (int)sigpipes);
	free(r);
	close_scene(server);
}

/* ---- S07: while one sends to all, others come and speak ---- */

static bool enough;

static void *send_to_all(void *argument)
{
	struct sending s = {
		.carrier = SNDRCV, .flags = SCTP_SENDALL, .message_flags = MSG_DONTWAIT};

	while (!__atomic_load_n(&enough, __ATOMIC_ACQUIRE))
		send_bytes(*(int *)argument, &s, "x", 1);
	return NULL;
}

static void s07_all_meanwhile(void)
{
	int server = open_scene(2);
	pthread_t thread;

	if (pthread_create(&thread, NULL, send_to_all, &server))
		die("thread");
	for (int i = 0; i < 12; i++) {
		connect_peer(new_peer(), server);
		greet(server, 1);
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	tell("%d peers", peer_count);
	close_scene(server);
}

static const struct test tests[] = {
	{"s01-calls", s01_calls},
	{"s01-first", s01_first},
	{"s01-kinds", s01_kinds},
	{"s01-parts", s01_parts},
	{"s01-many", s01_many},
	{"s01-multihomed", s01_multihomed},
	{"s01-controls", s01_controls},
	{"s01-damaged-controls", s01_damaged_controls},
	{"s01-cut-controls", s01_cut_controls},
	{"s01-nowhere", s01_nowhere},
	{"s01-ipv6", s01_ipv6},
	{"s02-new", s02_new},
	{"s02-refused", s02_refused},
	{"s02-again", s02_again},
	{"s03-ids", s03_ids},
	{"s03-nobody-named", s03_nobody_named},
	{"s03-blocked-signal", s03_blocked_signal},
	{"s03-arguments", s03_arguments},
	{"s03-full", s03_full},
	{"s03-too-big", s03_too_big},
	{"s03-shutdown-pending", s03_shutdown_pending},
	{"s05-connect", s05_connect},
	{"s05-odd", s05_odd},
	{"s04-all", s04_all},
	{"s06-blocked", s06_blocked},
	{"s07-all-meanwhile", s07_all_meanwhile},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
