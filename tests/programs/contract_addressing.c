/* SPDX-License-Identifier: MIT */
/*
 * contract_addressing: rows S01, S03, S04, O02 to O04, O06 and R07, where sends go when names,
 * addresses and associations change, and where what is set on a socket goes.
 */
#include "contract.h"

#include <limits.h>
#include <net/if.h>
#include <sched.h>

/* Addresses are added and taken away (RFC 5061), which only those do who know each other (RFC
 * 4895).
 */
static void switch_on_asconf(int fd)
{
	static const int features[] = {SCTP_ASCONF_SUPPORTED, SCTP_AUTH_SUPPORTED};

	for (size_t i = 0; i < COUNT(features); i++) {
		struct sctp_assoc_value on = {0, 1};

		if (setsockopt(fd, SOL_SCTP, features[i], &on, sizeof(on)))
			die("feature %d", features[i]);
	}
}

static struct peer *new_asconf_peer(void)
{
	struct peer *peer = new_peer();

	switch_on_asconf(peer->fd);
	return peer;
}

/* ---- S04: SCTP_SENDALL while one of them ends ---- */

/* It has more under way than its peer takes, so its end has to wait. */
static void let_end_slowly(int server, const struct peer *peer)
{
	struct sending s = {.id = peer->id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};

	for (int i = 0; i < 40; i++)
		send_bytes(server, &s, message_buffer, 1000);
	s.flags = SCTP_EOF;
	OUTCOME("EOF", send_bytes(server, &s, "", 0));
}

static void send_to_all_others(int server, enum carrier carrier)
{
	struct sending all = {.carrier = carrier, .flags = SCTP_SENDALL};
	char data[60];

	make_message(data, "Z", carrier, sizeof(data));
	OUTCOME("to all", send_bytes(server, &all, data, sizeof(data)));
	for (int p = 1; p < 4; p++)
		peer_hears(&peers[p]);
}

static void s04_all_but_one(void)
{
	int server = open_server();

	for (int p = 0; p < 4; p++) {
		if (p == 0)
			set_int(new_peer()->fd, SOL_SOCKET, SO_RCVBUF, 4096);
		else
			new_peer();
		connect_peer(&peers[p], server);
	}
	greet(server, 4);
	let_end_slowly(server, &peers[0]);
	send_to_all_others(server, SNDRCV);
	send_to_all_others(server, SNDINFO);
	abort_peer(&peers[0]);
	await_end(&peers[0]);
	send_to_all_others(server, SNDRCV);
	close_scene(server);
}

/* ---- S01, S03: names ---- */

/* Sends to a name by sendto and by sendmsg; who gets it says so. */
static void send_to_name(int server, const char *label, const void *name, socklen_t length)
{
	struct sending s = {.to = name, .to_length = length};
	char data[60];

	for (int k = 0; k < 2; k++) {
		struct line line = {.length = 0};

		add(&line, "%s%s", k ? "sendmsg: " : "sendto: ", label);
		make_message(data, "A", peers[0].heard++, sizeof(data));
		if (OUTCOME(line.text, k ? send_bytes(server, &s, data, sizeof(data))
					 : sendto(server, data, sizeof(data), 0, name, length)) > 0)
			peer_hears(&peers[0]);
	}
}

static void s03_names(void)
{
	int server = open_scene(2);
	struct sockaddr_in own = loopback(1, peers[0].port);
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = peers[0].port};
	char room[200] = {0};

	memcpy(room, &own, sizeof(own));
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
	mapped.sin6_addr.s6_addr[12] = 127;
	mapped.sin6_addr.s6_addr[15] = 1;
	send_to_name(server, "its name", room, sizeof(own));
	send_to_name(server, "the longest name", room, sizeof(struct sockaddr_storage));
	send_to_name(server, "a name that is too long", room, sizeof(struct sockaddr_storage) + 1);
	send_to_name(server, "a far longer name", room, sizeof(room));
	send_to_name(server, "an IPv4 address as IPv6", &mapped, sizeof(mapped));
	for (int p = 0; p < 2; p++)
		peer_hears_nothing_more(&peers[p]);
	close_scene(server);
}

/* Two control messages that name different associations, in either order. */
static void s01_two_ids(void)
{
	static const enum carrier orders[][2] = {
		{SNDINFO, SNDRCV}, {SNDRCV, SNDINFO}, {SNDINFO, SNDINFO}, {SNDRCV, SNDRCV}};
	int server = open_scene(2);

	for (unsigned i = 0; i < COUNT(orders); i++) {
		_Alignas(struct cmsghdr) char control[512] = {0};
		struct sending first = {.id = peers[0].id, .carrier = orders[i][0], .stream = 1};
		struct sending second = {.id = peers[1].id, .carrier = orders[i][1], .stream = 2};
		char data[60];
		struct iovec iov = {data, sizeof(data)};
		struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
		size_t used = write_carrier(control, &first);

		header.msg_controllen = used + write_carrier(control + used, &second);
		make_message(data, "Z", i, sizeof(data));
		if (OUTCOME("for A, then for B", sendmsg(server, &header, 0)) < 0)
			continue;

		struct pollfd set[] = {{peers[0].fd, POLLIN, 0}, {peers[1].fd, POLLIN, 0}};

		if (poll(set, 2, 5000) != 1)
			tell("not one of them hears it");
		for (int p = 0; p < 2; p++)
			peer_hears_nothing_more(&peers[p]);
	}
	close_scene(server);
}

/* ---- S03: writes that say to whom nothing goes ---- */

static void s03_vectors(void)
{
	int server = open_scene(2);
	char data[50] = "nobody's";
	struct iovec empty = {data, 0}, full = {data, sizeof(data)};
	const int flags[] = {0, RWF_NOWAIT, 0x40000000};

	OUTCOME("writev, no vectors", writev(server, &full, 0));
	OUTCOME("writev, an empty one", writev(server, &empty, 1));
	OUTCOME("writev", writev(server, &full, 1));
	for (size_t i = 0; i < COUNT(flags); i++) {
		tell("-- flags %#x --", (unsigned)flags[i]);
		OUTCOME("pwritev2, no vectors", pwritev2(server, &full, 0, -1, flags[i]));
		OUTCOME("pwritev2, an empty one", pwritev2(server, &empty, 1, -1, flags[i]));
		OUTCOME("pwritev2", pwritev2(server, &full, 1, -1, flags[i]));
		OUTCOME("pwritev2 at 0", pwritev2(server, &full, 1, 0, flags[i]));
	}
	for (int p = 0; p < 2; p++)
		peer_hears_nothing_more(&peers[p]);
	close_scene(server);
}

/* ---- S01, O06: addresses that come and go ---- */

static int count_addresses(int fd, sctp_assoc_t id)
{
	struct sockaddr *addresses;
	int n = sctp_getpaddrs(fd, id, &addresses);

	if (n > 0)
		sctp_freepaddrs(addresses);
	return n;
}

/* Tells how many addresses the other side has more than at first, when it has so many. */
static void await_addresses(const char *label, int fd, sctp_assoc_t id, int first, int more)
{
	for (int i = 0; i < 1000 && count_addresses(fd, id) != first + more; i++)
		pause_ms(10);
	tell("%s: %+d", label, count_addresses(fd, id) - first);
}

static void s01_more_addresses(void)
{
	int server = open_server(), first;
	struct peer *peer;

	switch_on_asconf(server);
	for (int p = 0; p < 2; p++)
		connect_peer(new_asconf_peer(), server);
	greet(server, 2);
	peer = &peers[0];
	first = count_addresses(server, peer->id);
	for (int last = 6; last <= 7; last++) {
		struct sockaddr_in more = loopback(last, peer->port);
		char data[60];

		OUTCOME("A adds an address",
			sctp_bindx(peer->fd, (struct sockaddr *)&more, 1, SCTP_BINDX_ADD_ADDR));
		await_addresses("its server knows", server, peer->id, first, last - 5);
		make_message(data, "A", peer->heard++, sizeof(data));
		if (OUTCOME("to that", sendto(server, data, sizeof(data), 0,
					      (struct sockaddr *)&more, sizeof(more))) > 0)
			peer_hears(peer);
	}
	send_to_peer(server, &peers[1], 50);
	peer_hears(&peers[1]);
	close_scene(server);
}

/* In a network of its own, the loopback has an address more, or has not; by the oldest of ways,
 * without a child that would have the sockets too. */
static void set_loopback_flags(int fd, const char *name, short flags)
{
	struct ifreq request = {.ifr_flags = flags};

	strcpy(request.ifr_name, name);
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die("%s", name);
}

static void set_extra_address(bool there)
{
	/* an IPv4 one, also where all others are IPv6 */
	const struct {
		sa_family_t family;
		in_port_t port;
		uint8_t address[12];
	} address = {PF_INET, 0, {127, 77, 0, 1}};
	struct ifreq request = {.ifr_name = "lo:7"};
	int fd = socket(PF_INET, SOCK_DGRAM, 0);

	memcpy(&request.ifr_addr, &address, sizeof(address));
	if (!there)
		set_loopback_flags(fd, "lo:7", 0);
	else if (ioctl(fd, SIOCSIFADDR, &request))
		die("address");
	close(fd);
}

static void enter_own_network(void)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	fd = socket(PF_INET, SOCK_DGRAM, 0);
	set_loopback_flags(fd, "lo", IFF_UP);
	close(fd);
}

static int open_everywhere(void)
{
	struct sockaddr_in everywhere = {.sin_family = AF_INET};
	int fd = socket(context_family(SOCK_SEQPACKET), SOCK_SEQPACKET, IPPROTO_SCTP);

	if (fd < 0 || bind(fd, (struct sockaddr *)&everywhere, sizeof(everywhere)))
		die("everywhere");
	be_prompt(fd);
	switch_on_asconf(fd);
	if (listen(fd, 10))
		die("listen");
	subscribe(fd, SUB_DATA);
	return fd;
}

/* Switched on before there is anybody, or when all are there. */
static void o06_auto_asconf(void)
{
	enter_own_network();
	for (int late = 0; late < 2; late++) {
		int server = open_everywhere(), first;

		tell("-- %s --", late ? "late" : "early");
		if (!late)
			set_int(server, SOL_SCTP, SCTP_AUTO_ASCONF, 1);
		connect_peer(new_asconf_peer(), server);
		greet(server, 1);
		if (late)
			set_int(server, SOL_SCTP, SCTP_AUTO_ASCONF, 1);
		first = count_addresses(peers[0].fd, 0);
		set_extra_address(true);
		await_addresses("an address comes", peers[0].fd, 0, first, 1);
		set_extra_address(false);
		await_addresses("and goes", peers[0].fd, 0, first, 0);
		OUTCOME("send", send_to_peer(server, &peers[0], 50));
		peer_hears(&peers[0]);
		close_scene(server);
	}
}

/* What is taken from the socket its peers no longer send to, and another may have it. */
static void o06_removed(void)
{
	int server = open_server(), other, first;
	struct sockaddr_in third = loopback(3, local_port(server));

	switch_on_asconf(server);
	OUTCOME("add", sctp_bindx(server, (struct sockaddr *)&third, 1, SCTP_BINDX_ADD_ADDR));
	for (int p = 0; p < 2; p++)
		connect_peer(new_asconf_peer(), server);
	greet(server, 2);
	first = count_addresses(peers[0].fd, 0);
	OUTCOME("remove", sctp_bindx(server, (struct sockaddr *)&third, 1, SCTP_BINDX_REM_ADDR));
	for (int p = 0; p < 2; p++)
		await_addresses(peers[p].name, peers[p].fd, 0, first, -1);
	other = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	OUTCOME("another takes it", bind(other, (struct sockaddr *)&third, sizeof(third)));
	close(other);
	for (int p = 0; p < 2; p++) {
		OUTCOME("send", send_to_peer(server, &peers[p], 50));
		peer_hears(&peers[p]);
	}
	close_scene(server);
}

/* ---- O02, O03, R07: in the middle of another thread's receive ---- */

/* Its first message has been taken; where it is peeled off for it, that is going on. */
static struct {
	int fd;
	struct receipt *receipt;
	pthread_t thread;
} amid;

static void *receive_once(void *unused)
{
	(void)unused;
	take_by_recvmsg(amid.receipt, amid.fd, 0);
	return NULL;
}

/* Where the kernel has A's association, and how much of what it sent is unread. A look from
 * outside.
 */
static void look_up(int fd, unsigned long *inode, unsigned *unread)
{
	FILE *file = fopen("/proc/net/sctp/assocs", "re");
	in_port_t port = ntohs(local_port(fd));
	char text[2000];
	unsigned l, r;

	if (!file)
		die("/proc/net/sctp/assocs");
	*inode = *unread = 0;
	while (fgets(text, sizeof(text), file))
		if (sscanf(text, "%*s %*s %*s %*s %*s %*s %*s %*s %u %*s %lu %u %u", unread, inode,
			   &l, &r) == 4 &&
		    l == port && r == ntohs(peers[0].port))
			break;
	fclose(file);
}

/* Where nothing is peeled off there is nothing to see, and so it does not wait for long. */
static void await_amid(int fd)
{
	unsigned long inode;
	unsigned unread;
	struct stat own;

	if (fstat(fd, &own))
		die("fstat");
	do {
		pause_ms(5);
		look_up(fd, &inode, &unread);
	} while (unread > 0);
	for (int i = 0; i < 100 && inode == own.st_ino; i++) {
		pause_ms(10);
		look_up(fd, &inode, &unread);
	}
}

static void begin_receive(int fd)
{
	peer_sends(&peers[0], 50);
	await_input(fd);
	amid.fd = fd;
	amid.receipt = new_receipt();
	if (pthread_create(&amid.thread, NULL, receive_once, NULL))
		die("thread");
	await_amid(fd);
}

/* With the next message, for one that was not peeled off as others came in between. */
static void end_receive(void)
{
	struct line line = {.length = 0};

	pthread_join(amid.thread, NULL);
	describe(&line, amid.receipt);
	tell("received:%s", line.text);
	free(amid.receipt);
	peer_sends(&peers[0], 50);
	hear("next", amid.fd, 0);
}

static int open_amid(void)
{
	int server = open_server();

	connect_peer(new_peer(), server);
	begin_receive(server);
	return server;
}

static void o02_context_amid(void)
{
	struct sctp_assoc_value context = {.assoc_id = SCTP_ALL_ASSOC, .assoc_value = 77};
	socklen_t length = sizeof(context);
	int server = open_amid();

	OUTCOME("set", setsockopt(server, SOL_SCTP, SCTP_CONTEXT, &context, sizeof(context)));
	end_receive();
	context = (struct sctp_assoc_value){.assoc_id = peers[0].id};
	OUTCOME("get", getsockopt(server, SOL_SCTP, SCTP_CONTEXT, &context, &length));
	tell("%u", context.assoc_value);
	close_scene(server);
}

static void o02_events_amid(void)
{
	struct sctp_event event = {.se_type = SCTP_SHUTDOWN_EVENT};
	socklen_t length = sizeof(event);
	int server = open_amid();

	subscribe(server, SUB_DATA | SUB_SHUTDOWN);
	end_receive();
	event.se_assoc_id = peers[0].id;
	OUTCOME("get", getsockopt(server, SOL_SCTP, SCTP_EVENT, &event, &length));
	tell("%d", event.se_on);
	close_peer(&peers[0]);
	hear("then", server, 0);
	close_scene(server);
}

static void o02_linger_amid(void)
{
	struct linger hard = {1, 0};
	int server = open_amid();

	OUTCOME("set", setsockopt(server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	end_receive();
	OUTCOME("close", close(server));
	peer_hears(&peers[0]);
	close_scene(-1);
}

static void o03_number_amid(void)
{
	uint32_t n = 0;
	socklen_t length = sizeof(n);
	int server = open_amid();

	OUTCOME("get", getsockopt(server, SOL_SCTP, SCTP_GET_ASSOC_NUMBER, &n, &length));
	tell("%u", n);
	end_receive();
	close_scene(server);
}

/* Its only association is being peeled off: it is no socket without any. */
static void r07_client_amid(void)
{
	int client = bound_socket(SOCK_SEQPACKET);
	struct peer *peer = new_peer();
	struct sockaddr_in to = loopback(1, peer->port);

	subscribe(client, SUB_DATA);
	listen_as_peer(peer);
	OUTCOME("connect", connect(client, (struct sockaddr *)&to, sizeof(to)));
	accept_as_peer(peer);
	begin_receive(client);
	/* so big that it does not ask for its delivery, which would take until the peel is over */
	peer_sends(peer, 3000);
	hear("meanwhile", client, 0);
	end_receive();
	close_scene(client);
}

/* ---- O04: what wants privileges that are gone ---- */

static void tell_option(const char *label, int fd, int name)
{
	int value = 0;
	socklen_t length = sizeof(value);

	OUTCOME(label, getsockopt(fd, SOL_SOCKET, name, &value, &length));
	tell("%d", value);
}

static void o04_privileges(void)
{
	int server = open_server();

	set_int(server, SOL_SOCKET, SO_MARK, 7);
	set_int(server, SOL_SOCKET, SO_PRIORITY, 7);
	if (setresuid(65534, 65534, 65534))
		die("setresuid");
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	greet(server, 2);
	for (int p = 0; p < 2; p++) {
		OUTCOME("send", send_to_peer(server, &peers[p], 50));
		peer_hears(&peers[p]);
	}
	tell_option("SO_MARK", server, SO_MARK);
	tell_option("SO_PRIORITY", server, SO_PRIORITY);
	close_scene(server);
}

/* ---- R07: SO_RCVTIMEO of all sizes ---- */

static void wake(int number)
{
	(void)number;
}

/* One that ends a receive, again and again: the first may come before that sleeps. */
static void set_alarm(long us)
{
	struct sigaction action = {.sa_handler = wake};
	struct itimerval timer = {.it_value = {0, us}, .it_interval = {0, us}};

	sigaction(SIGALRM, &action, NULL);
	if (setitimer(ITIMER_REAL, &timer, NULL))
		die("timer");
}

static void r07_timeouts(void)
{
	static const struct timeval times[] = {
		{LONG_MAX, 0}, {LONG_MAX / 1000, 999999}, {INT_MAX, 0}, {-1, 0}, {LONG_MIN, 0},
		{0, 0},	       {LONG_MAX, 999999},	  {0, 1}};
	int server = open_scene(2);
	char byte;

	for (size_t i = 0; i < COUNT(times); i++) {
		tell("-- %ld.%06ld --", (long)times[i].tv_sec, (long)times[i].tv_usec);
		OUTCOME("set",
			setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &times[i], sizeof(times[i])));
		set_alarm(200000);
		OUTCOME("receive", recv(server, &byte, 1, 0));
		set_alarm(0);
		peer_sends(&peers[i % 2], 50);
		hear("then", server, 0);
	}
	close_scene(server);
}

static const struct test tests[] = {
	{"s04-all-but-one", s04_all_but_one},
	{"s03-names", s03_names},
	{"s01-two-ids", s01_two_ids},
	{"s03-vectors", s03_vectors},
	{"s01-more-addresses", s01_more_addresses},
	{"o06-auto-asconf", o06_auto_asconf},
	{"o06-removed", o06_removed},
	{"o02-context-amid", o02_context_amid},
	{"o02-events-amid", o02_events_amid},
	{"o02-linger-amid", o02_linger_amid},
	{"o03-number-amid", o03_number_amid},
	{"r07-client-amid", r07_client_amid},
	{"o04-privileges", o04_privileges},
	{"r07-timeouts", r07_timeouts},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
