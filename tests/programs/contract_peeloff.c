/* SPDX-License-Identifier: MIT */
/* contract_peeloff: rows X01 to X04, associations that the program takes itself. */
#include <sys/mman.h>

#include "contract.h"

/* ---- the four ways ---- */

static int by_function(int fd, sctp_assoc_t id, unsigned flags)
{
	(void)flags;
	return sctp_peeloff(fd, id);
}

static int by_option(int fd, sctp_assoc_t id, unsigned flags)
{
	sctp_peeloff_arg_t arg = {.associd = id, .sd = -7};
	socklen_t length = sizeof(arg);

	(void)flags;

	int r = getsockopt(fd, SOL_SCTP, SCTP_SOCKOPT_PEELOFF, &arg, &length);

	if (r > 0 && r != arg.sd)
		tell("returns %d, tells of %d", r, arg.sd);
	return r < 0 ? r : arg.sd;
}

static int by_flags_option(int fd, sctp_assoc_t id, unsigned flags)
{
	sctp_peeloff_flags_arg_t arg = {.p_arg = {.associd = id, .sd = -7}, .flags = flags};
	socklen_t length = sizeof(arg);
	int r = getsockopt(fd, SOL_SCTP, SCTP_SOCKOPT_PEELOFF_FLAGS, &arg, &length);

	return r < 0 ? r : arg.p_arg.sd;
}

typedef int flags_function(int fd, sctp_assoc_t id, unsigned flags);

/* No released libsctp exports it, though all declare it: then the option is the same. */
static int by_flags_function(int fd, sctp_assoc_t id, unsigned flags)
{
	flags_function *call = (flags_function *)dlsym(RTLD_DEFAULT, "sctp_peeloff_flags");

	return (call ? call : by_flags_option)(fd, id, flags);
}

static const struct {
	const char *name;
	flags_function *call;
	bool flags;
} ways[] = {{"sctp_peeloff", by_function, false},
	    {"SCTP_SOCKOPT_PEELOFF", by_option, false},
	    {"sctp_peeloff_flags", by_flags_function, true},
	    {"SCTP_SOCKOPT_PEELOFF_FLAGS", by_flags_option, true}};

static void tell_descriptor(const char *label, int fd)
{
	struct sockaddr_in address = {0};
	socklen_t length = sizeof(address);
	int type = -1, accepts = -1, named;
	struct line line = {.length = 0};

	add(&line, "number %d, flags %#x, status %#x", fd, (unsigned)fcntl(fd, F_GETFD),
	    (unsigned)fcntl(fd, F_GETFL));
	named = getpeername(fd, (struct sockaddr *)&address, &length);

	const struct peer *peer = peer_of_port(address.sin_port);

	add(&line, ", peer %d %s", named, peer ? peer->name : "-");
	length = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length);
	tell("%s: %s, type %d, accepts %d", label, line.text, type, accepts);
}

/* Everything that one may do with what was taken, and what is left of it on the server. */
static void use(int server, int own, struct peer *peer)
{
	struct pollfd both[] = {{server, POLLIN, 0}, {own, POLLIN | POLLOUT, 0}};

	hear_all("queued", own);
	peer_sends(peer, 60);
	await_input(own);
	poll(both, 2, 0);
	tell("server %s, own %s", poll_names(both[0].revents), poll_names(both[1].revents));
	hear("on the own one", own, 0);
	hear("on the server", server, MSG_DONTWAIT);
	make_message(message_buffer, peer->name, peer->heard++, 50);
	OUTCOME("write", write(own, message_buffer, 50));
	peer_hears(peer);
	OUTCOME("send on the own one", send_to_peer(own, peer, 50));
	peer_hears(peer);
	OUTCOME("send on the server", send_to_peer(server, peer, 50));
	peer->heard--;
	peer_hears_nothing_more(peer);

	struct sockaddr_in to = loopback(1, peer->port);

	OUTCOME("send to its address",
		sendto(server, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)));
	OUTCOME("connect to its address", connect(server, (struct sockaddr *)&to, sizeof(to)));
	OUTCOME("listen", listen(own, 1));
	OUTCOME("peel again", sctp_peeloff(server, peer->id));
	OUTCOME("peel the peeled", sctp_peeloff(own, peer->id));
}

/* Known or new, with something queued, by each way and with all flags. */
static void x01_ways(void)
{
	static const unsigned flags[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK,
					 SOCK_CLOEXEC | SOCK_NONBLOCK, 0x7700ff};

	for (size_t way = 0; way < COUNT(ways); way++)
		for (size_t f = 0; f < (ways[way].flags ? COUNT(flags) : 1); f++) {
			int server = open_scene(2), own;

			tell("== %s, flags %#x", ways[way].name, flags[f]);
			peer_sends(&peers[0], 60);
			peer_sends(&peers[1], 60);
			peer_sends(&peers[0], 70);
			own = ways[way].call(server, peers[0].id, flags[f]);
			tell_descriptor("own", own);
			use(server, own, &peers[0]);
			hear_all("B", server);
			OUTCOME("to B", send_to_peer(server, &peers[1], 50));
			peer_hears(&peers[1]);
			close(own);
			peer_hears(&peers[0]);
			peer_sends(&peers[1], 60);
			hear_all("B", server);
			close_scene(server);
		}
}

/* An association that nothing has been received from, and one that is only known by its coming. */
static void x01_new(void)
{
	for (int heard = 0; heard < 2; heard++) {
		int server = open_server(), own;
		struct sctp_assoc_ids *all = (struct sctp_assoc_ids *)(void *)message_buffer;
		socklen_t length = 100;

		subscribe(server, SUB_DATA | SUB_ASSOC);
		connect_peer(new_peer(), server);
		connect_peer(new_peer(), server);
		peer_sends(&peers[0], 50);
		if (getsockopt(server, SOL_SCTP, SCTP_GET_ASSOC_ID_LIST, all, &length))
			die("ids");
		peers[0].id = all->gaids_assoc_id[0];
		peers[1].id = all->gaids_assoc_id[1];
		if (peers[0].id > peers[1].id) { /* newest first */
			peers[0].id = all->gaids_assoc_id[1];
			peers[1].id = all->gaids_assoc_id[0];
		}
		if (heard)
			hear("coming", server, 0);
		own = sctp_peeloff(server, peers[0].id);
		tell_descriptor("own", own);
		use(server, own, &peers[0]);
		hear_all("server", server);
		close(own);
		close_scene(server);
	}
}

/* The rest of a half-read message goes along. */
static void x01_half_read(void)
{
	int server = open_scene(2), own;
	char bite[30];

	peer_sends(&peers[0], 100);
	peer_sends(&peers[0], 60);
	OUTCOME("bite", recv(server, bite, 30, 0));
	peer_sends(&peers[1], 60);
	own = sctp_peeloff(server, peers[0].id);
	tell_descriptor("own", own);
	hear_all("own", own);
	hear_all("server", server);
	close(own);
	close_scene(server);
}

/* The lowest free number, as always. */
static void x01_numbers(void)
{
	int server = open_scene(3), files[6], own[3];

	for (int i = 0; i < 6; i++)
		files[i] = open("/dev/null", O_RDONLY);
	close(files[1]);
	close(files[4]);
	for (int p = 0; p < 3; p++) {
		own[p] = sctp_peeloff(server, peers[p].id);
		tell("%s: %d", peers[p].name, own[p]);
	}
	close(own[0]);
	tell("next: %d", open("/dev/null", O_RDONLY));
	tell("and: %d", dup(own[1]));
	peer_sends(&peers[2], 50);
	hear("C", own[2], 0);
	close_scene(server);
}

/* How what was taken ends is no affair of ours: the kernel's own way, on a plain descriptor. */
static void x01_ends(void)
{
	for (int end = 0; end < 4; end++)
		for (int events = 0; events < 2; events++) {
			int server = open_scene(2), own;
			struct sending s = {.id = 0, .carrier = SNDRCV};

			tell("== end %d, events %d", end, events);
			subscribe(server, SUB_DATA | (events ? SUB_ASSOC | SUB_SHUTDOWN : 0));
			peer_sends(&peers[0], 60);
			own = sctp_peeloff(server, peers[0].id);
			set_timeout(own, SO_RCVTIMEO, 200);
			if (end == 0)
				close_peer(&peers[0]);
			if (end == 1)
				abort_peer(&peers[0]);
			if (end >= 2) {
				s.flags = end == 2 ? SCTP_EOF : SCTP_ABORT;
				OUTCOME("end", send_bytes(own, &s, "", 0));
				if (end == 2)
					peer_hears(&peers[0]);
				abort_peer(&peers[0]);
			}
			await_end(&peers[0]);
			for (int k = 0; k < 5; k++) {
				tell("poll: %s", poll_names(poll_now(own)));
				hear("own", own, 0);
			}
			hear("own, not waiting", own, MSG_DONTWAIT);
			s.flags = 0;
			OUTCOME("send", send_bytes(own, &s, "x", 1));
			OUTCOME("send", send_bytes(own, &s, "x", 1));
			peer_sends(&peers[1], 60);
			hear_all("server", server);
			close(own);
			close_scene(server);
		}
}

/* Subscriptions on what was taken are its own, from then on. */
static void x01_subscriptions(void)
{
	int server = open_scene(3), own[2];
	uint8_t bytes[14];
	socklen_t length;

	subscribe(server, SUB_DATA | SUB_SHUTDOWN);
	for (int p = 0; p < 2; p++) {
		struct line line = {.length = 0};

		own[p] = sctp_peeloff(server, peers[p].id);
		length = sizeof(bytes);
		if (getsockopt(own[p], SOL_SCTP, SCTP_EVENTS, bytes, &length))
			die("SCTP_EVENTS");
		for (size_t i = 0; i < sizeof(bytes); i++)
			add(&line, "%u", bytes[i]);
		for (int type = SCTP_ASSOC_CHANGE; type <= SCTP_SENDER_DRY_EVENT; type++) {
			struct sctp_event event = {.se_assoc_id = peers[p].id,
						   .se_type = (uint16_t)type};

			length = sizeof(event);
			if (getsockopt(own[p], SOL_SCTP, SCTP_EVENT, &event, &length))
				die("SCTP_EVENT");
			add(&line, " %u", event.se_on);
		}
		tell("events: %s", line.text);
	}
	subscribe(own[1], SUB_DATA | SUB_ASSOC);
	subscribe(server, SUB_DATA);
	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, 1);
	for (int p = 0; p < 3; p++) {
		peer_sends(&peers[p], 50);
		close_peer(&peers[p]);
		await_end(&peers[p]);
		hear_all(peers[p].name, p < 2 ? own[p] : server);
	}
	close(own[0]);
	close(own[1]);
	close_scene(server);
}

/* In a set of its own, in dups, after the server is closed. */
static void x01_life(void)
{
	int server = open_scene(2), set = epoll_create1(0), own, twin;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1}, got = {0};

	epoll_ctl(set, EPOLL_CTL_ADD, server, &event);
	own = sctp_peeloff(server, peers[0].id);
	event.data.u64 = 2;
	OUTCOME("add", epoll_ctl(set, EPOLL_CTL_ADD, own, &event));
	for (int p = 0; p < 2; p++) {
		peer_sends(&peers[p], 50);
		await_input(p == 0 ? own : server);
		OUTCOME("wait", epoll_wait(set, &got, 1, 0));
		tell("%d", (int)got.data.u64);
		hear("it", p == 0 ? own : server, 0);
		OUTCOME("wait", epoll_wait(set, &got, 1, 0));
	}
	twin = dup(own);
	close(own);
	peer_sends(&peers[0], 50);
	hear("twin", twin, 0);
	close(server);
	peer_hears(&peers[1]);
	peer_sends(&peers[0], 50);
	hear("the server is closed", twin, 0);
	OUTCOME("to A", send_to_peer(twin, &peers[0], 50));
	peer_hears(&peers[0]);
	close(twin);
	peer_hears(&peers[0]);
	close(set);
	close_scene(-1);
}

/* ---- X02: the function that no library exports ---- */

static void x02_exported(void)
{
	flags_function *call = (flags_function *)dlsym(RTLD_DEFAULT, "sctp_peeloff_flags");
	int server = open_scene(3), own;
	static const unsigned flags[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK | SOCK_CLOEXEC};

	tell("sctp_peeloff_flags: %s", call ? "there" : "absent");
	for (int p = 0; call && p < 3; p++) {
		own = call(server, peers[p].id, flags[p]);
		tell_descriptor("own", own);
		peer_sends(&peers[p], 50);
		await_input(own);
		hear("own", own, 0);
	}
	if (call)
		OUTCOME("unknown", call(server, 7654321, 0));
	close_scene(server);
}

/* ---- X03: errors ---- */

static void each_way(const char *label, int fd, sctp_assoc_t id)
{
	struct line line = {.length = 0};

	for (size_t way = 0; way < COUNT(ways); way++) {
		errno = 0;
		sigpipes = 0;

		int r = ways[way].call(fd, id, 0);

		add(&line, " %d %s%s", r, errno_name(r < 0 ? errno : 0),
		    sigpipes ? " SIGPIPE" : "");
		if (r >= 0)
			close(r);
	}
	tell("%s:%s", label, line.text);
}

static void x03_errors(void)
{
	int server = open_scene(3), other, pipes[2], own;
	sctp_assoc_t others;
	volatile int bad = 77777, minus = -1;

	other = open_server();
	connect_peer(new_peer(), other);
	greet(other, 1);
	others = peers[3].id;
	if (pipe(pipes))
		die("pipe");
	own = sctp_peeloff(server, peers[1].id);
	close_peer(&peers[2]);
	await_end(&peers[2]);

	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
	int file = open("/dev/null", O_RDWR), stream = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	int local = socket(AF_UNIX, SOCK_SEQPACKET, 0), set = epoll_create1(0);
	int unbound = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);

	each_way("no descriptor", bad, peers[0].id);
	each_way("negative descriptor", minus, peers[0].id);
	each_way("a file", file, peers[0].id);
	each_way("a pipe", pipes[0], peers[0].id);
	each_way("an epoll set", set, peers[0].id);
	each_way("TCP", tcp, peers[0].id);
	each_way("UDP", udp, peers[0].id);
	each_way("a local socket", local, peers[0].id);
	each_way("one-to-one", stream, peers[0].id);
	each_way("one-to-one, connected", peers[0].fd, peers[0].id);
	each_way("unbound one-to-many", unbound, peers[0].id);
	each_way("unknown id", server, 7654321);
	each_way("id 0", server, 0);
	each_way("id 1", server, 1);
	each_way("id 2", server, 2);
	each_way("id -1", server, -1);
	each_way("lowest id", server, INT32_MIN);
	each_way("another socket's id", server, others);
	each_way("an id taken before", server, peers[1].id);
	each_way("an ended id", server, peers[2].id);
	each_way("what was taken, its id", own, peers[1].id);
	each_way("what was taken, id 0", own, 0);
	peer_sends(&peers[0], 50);
	hear("A is untouched", server, 0);
	peer_sends(&peers[3], 50);
	hear("the other's too", other, 0);
	close(own);
	close(other);
	close_scene(server);
}

static void x03_arguments(void)
{
	int server = open_scene(2);
	char *volatile nowhere = (char *)8;
	sctp_peeloff_flags_arg_t arg = {.p_arg = {.associd = peers[0].id}};
	static const int names[] = {SCTP_SOCKOPT_PEELOFF, SCTP_SOCKOPT_PEELOFF_FLAGS};

	for (int k = 0; k < 2; k++) {
		socklen_t full = k == 0 ? sizeof(sctp_peeloff_arg_t) : sizeof(arg), length;

		tell("== option %d", names[k]);
		for (length = 0; length < full; length += 4) {
			socklen_t given = length;

			OUTCOME("short", getsockopt(server, SOL_SCTP, names[k], &arg, &given));
			tell("%u", given);
		}
		length = (socklen_t)-1;
		OUTCOME("negative", getsockopt(server, SOL_SCTP, names[k], &arg, &length));
		length = full;
		OUTCOME("nowhere", getsockopt(server, SOL_SCTP, names[k], nowhere, &length));
		OUTCOME("length nowhere",
			getsockopt(server, SOL_SCTP, names[k], &arg, (socklen_t *)(void *)nowhere));
		OUTCOME("setsockopt", setsockopt(server, SOL_SCTP, names[k], &arg, full));
		OUTCOME("another level", getsockopt(server, IPPROTO_IP, names[k], &arg, &length));
		OUTCOME("sctp_opt_info",
			sctp_opt_info(server, peers[0].id, names[k], &arg, &length));
		peer_sends(&peers[0], 50);
		hear("A is untouched", server, 0);
		OUTCOME("to A", send_to_peer(server, &peers[0], 50));
		peer_hears(&peers[0]);
	}
	/* more room than needed, and what is returned of it */
	struct {
		sctp_peeloff_flags_arg_t arg;
		uint32_t more[4];
	} wide = {.arg = {.p_arg = {.associd = peers[0].id}}, .more = {5, 5, 5, 5}};
	socklen_t length = sizeof(wide);
	int own = getsockopt(server, SOL_SCTP, SCTP_SOCKOPT_PEELOFF_FLAGS, &wide, &length);

	tell("wide: %s, number %d, length %u, beyond %u", own < 0 ? errno_name(errno) : "ok",
	     wide.arg.p_arg.sd, length, wide.more[0]);
	wide.arg.p_arg.associd = peers[1].id;
	length = sizeof(wide);
	own = getsockopt(server, SOL_SCTP, SCTP_SOCKOPT_PEELOFF, &wide, &length);
	tell("wide: %s, number %d, length %u, beyond %u", own < 0 ? errno_name(errno) : "ok",
	     wide.arg.p_arg.sd, length, wide.more[0]);
	close_scene(server);
}

/* What cannot be written or numbered: the errno; what becomes of the association is the kernel's.
 */
static void x03_no_room(void)
{
	struct rlimit old, none = {.rlim_cur = 0};
	int server = open_scene(5);
	sctp_peeloff_flags_arg_t *arg =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	socklen_t length = sizeof(*arg);

	arg->p_arg.associd = peers[0].id;
	mprotect(arg, 4096, PROT_READ);
	OUTCOME("read-only",
		getsockopt(server, SOL_SCTP, SCTP_SOCKOPT_PEELOFF_FLAGS, arg, &length));
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	none.rlim_cur = (rlim_t)dup(0);
	close((int)none.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &none);
	for (size_t way = 0; way < COUNT(ways) - 1; way++)
		OUTCOME(ways[way].name, ways[way].call(server, peers[1 + way].id, 0));
	setrlimit(RLIMIT_NOFILE, &old);
	peer_sends(&peers[4], 50);
	hear("E", server, 0);
	OUTCOME("to E", send_to_peer(server, &peers[4], 50));
	peer_hears(&peers[4]);
	close_scene(server);
}

/* An association that is about to end may be taken. */
static void x03_ending(void)
{
	int server = open_server(), own;

	for (int p = 0; p < 2; p++) {
		set_int(new_peer()->fd, SOL_SOCKET, SO_RCVBUF, 4096);
		connect_peer(&peers[p], server);
	}
	greet(server, 2);
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV};

	for (int i = 0; i < 10; i++)
		if (send_bytes(server, &s, message_buffer, 1000) != 1000)
			die("send");
	s.flags = SCTP_EOF;
	OUTCOME("EOF", send_bytes(server, &s, "", 0));
	own = sctp_peeloff(server, peers[0].id);
	tell_descriptor("own", own);
	OUTCOME("send", send(own, "x", 1, 0));
	for (int i = 0; i < 10; i++)
		if (recv(peers[0].fd, message_buffer, 2000, 0) != 1000)
			tell("message %d is lost", i);
	peer_hears(&peers[0]);
	peer_sends(&peers[1], 50);
	hear("B", server, 0);
	close(own);
	close_scene(server);
}

/* ---- X04: what the shim writes about it, for a test to count ---- */

static void x04_calls(void)
{
	int server = open_scene(2), own;

	own = sctp_peeloff(server, peers[0].id);
	tell("taken: %d", own >= 0);
	tell("unknown: %d", sctp_peeloff(server, 7654321));
	own = by_flags_option(server, peers[1].id, SOCK_CLOEXEC);
	tell("taken: %d", own >= 0);
	tell("ended: %d", by_option(server, peers[0].id, 0));
	close_scene(server);
}

static const struct test tests[] = {
	{"x01-ways", x01_ways},		  {"x01-new", x01_new},
	{"x01-half-read", x01_half_read}, {"x01-numbers", x01_numbers},
	{"x01-ends", x01_ends},		  {"x01-subscriptions", x01_subscriptions},
	{"x01-life", x01_life},		  {"x02-exported", x02_exported},
	{"x03-errors", x03_errors},	  {"x03-arguments", x03_arguments},
	{"x03-no-room", x03_no_room},	  {"x03-ending", x03_ending},
	{"x04-calls", x04_calls},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
