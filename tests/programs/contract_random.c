/* SPDX-License-Identifier: MIT */
/*
 * contract_random SEED STEPS: a program that does anything that a program may do, in an order drawn
 * from SEED. What it sees of each association is told at the end, one after the other, since the
 * order among associations is nobody's promise; nothing else may differ.
 */
#include "contract.h"

static uint64_t state;

static unsigned draw(unsigned below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(state >> 33) % below;
}

static int server, twin = -1;
static int events;	      /* subscribed */
static bool rcvinfo;	      /* switched on */
static int own[MAX_PEERS];    /* what the program has taken, by peer */
static bool ended[MAX_PEERS]; /* by either side */

/* Any number that stands for the server. */
static int any_number(void)
{
	return twin >= 0 && draw(2) ? twin : server;
}

static struct peer *any_peer(void)
{
	return peer_count ? &peers[draw((unsigned)peer_count)] : NULL;
}

static bool lives(const struct peer *peer)
{
	return peer && !ended[peer - peers];
}

/* ---- receiving ---- */

/* How the n-th thing of a peer is received depends on nothing but that, whenever its turn is. */
static size_t capacity_for(const struct peer *peer, unsigned turn)
{
	static const size_t capacities[] = {10, 50, 100, 700, 3000, 100000, 100000, 100000};
	unsigned mix = (unsigned)(peer - peers) * 2654435761U + turn * 40503U;

	return capacities[(mix >> 7) % COUNT(capacities)];
}

static unsigned turns[MAX_PEERS];

static void note_receipt(const struct peer *peer, struct receipt *r, const char *where)
{
	struct line line = {.length = 0};

	describe(&line, r);
	note(peer ? peer->name : "-", "%s%s", where, line.text);
}

/* Receives one thing, having looked at it first: both are of the same sender. */
static bool receive_one(int fd, const char *where)
{
	static struct receipt *r;
	struct peer *peer;
	in_port_t port;
	bool more;

	r = r ? r : new_receipt();
	r->capacity = 100000;
	if (take(r, fd, MSG_DONTWAIT | MSG_PEEK) < 0) {
		if (r->error != EAGAIN)
			note("-", "%s %s", where, errno_name(r->error));
		return false;
	}
	learn(r);
	port = port_of(&r->name);
	peer = peer_of_port(port);
	if (!peer)
		die("from nobody");
	do {
		r->capacity = capacity_for(peer, turns[peer - peers]++);
		take(r, fd, MSG_DONTWAIT);
		note_receipt(peer, r, where);
		if (r->size < 0 || port_of(&r->name) != port)
			note("-", "another than was seen");
		more = r->size >= 0 && !(r->header.msg_flags & MSG_EOR);
	} while (more);
	return true;
}

static void receive_all(void)
{
	int fd = any_number();

	while (receive_one(fd, "server"))
		;
	for (int p = 0; p < peer_count; p++)
		while (own[p] > 0 && !ended[p] && receive_one(own[p], "own"))
			;
	tell("all received, poll %s", poll_names(poll_now(fd) & ~POLLPRI));
}

/* ---- steps ---- */

static void newcomer(void)
{
	if (peer_count >= 12)
		return;
	connect_peer(new_peer(), server);
	own[peer_count - 1] = -1;
	ended[peer_count - 1] = false;
}

static void peer_speaks(void)
{
	static const size_t sizes[] = {30, 60, 100, 500, 1400, 5000, 20000};
	struct peer *peer = any_peer();
	unsigned times = 1 + draw(3);

	for (unsigned i = 0; i < times; i++) {
		size_t size = sizes[draw(COUNT(sizes))];
		uint16_t stream = (uint16_t)draw(5);
		uint32_t ppid = draw(100), flags = draw(4) || size > 1400 ? 0 : SCTP_UNORDERED;

		if (lives(peer))
			peer_sends_on(peer, size, stream, ppid, flags);
	}
	for (int i = 0; lives(peer) && i < 50; i++)
		await_delivery(peer);
}

static void peer_ends(void)
{
	struct peer *peer = any_peer();
	unsigned how = draw(2);

	if (!lives(peer) || draw(3))
		return;
	/* what was sent to it and not heard would make an abort of it */
	while (recv(peer->fd, message_buffer, sizeof(message_buffer), MSG_DONTWAIT) > 0)
		;
	if (how)
		abort_peer(peer);
	else
		close_peer(peer);
	await_end(peer);
	ended[peer - peers] = true;
}

static ssize_t send_somehow(struct peer *peer, unsigned how, const void *data, size_t size,
			    uint16_t flags)
{
	struct sockaddr_in to = loopback(1, peer->port);
	struct sending s = {.id = peer->id, .flags = flags, .message_flags = MSG_DONTWAIT};

	if (how >= 2) {
		s.to = (struct sockaddr *)&to;
		s.to_length = sizeof(to);
	}
	s.carrier = how % 2 ? SNDINFO : SNDRCV;
	if (how == 4) {
		s.carrier = flags ? SNDRCV : PLAIN;
		s.id = 0;
	}
	return send_bytes(any_number(), &s, data, size);
}

static void speak(void)
{
	struct peer *peer = any_peer();
	unsigned how = draw(5);
	char data[80];

	if (!peer || peer->id == 0)
		return;
	if (how >= 2 && !lives(peer)) /* its address is anybody's: it would be a new association */
		how = draw(2);
	make_message(data, peer->name, peer->heard++, sizeof(data));

	ssize_t n = send_somehow(peer, how, data, sizeof(data), 0);

	tell("to %s by %u: %zd %s", peer->name, how, n, errno_name(n < 0 ? errno : 0));
	if (n > 0)
		peer_hears(peer);
}

static void end(void)
{
	struct peer *peer = any_peer();
	bool abrupt = draw(2);
	unsigned how = draw(5);

	if (!peer || peer->id == 0 || draw(4))
		return;
	if (!lives(peer))
		how = draw(2);

	ssize_t n = send_somehow(peer, how, "", 0, abrupt ? SCTP_ABORT : SCTP_EOF);

	tell("end of %s by %u: %zd %s", peer->name, how, n, errno_name(n < 0 ? errno : 0));
	if (n < 0 || !lives(peer))
		return;
	while (recv(peer->fd, message_buffer, sizeof(message_buffer), 0) > 0)
		;
	close_peer(peer);
	await_end(peer);
	ended[peer - peers] = true;
}

static void change_subscription(void)
{
	events = (int)draw(64) | (draw(8) ? SUB_DATA : 0);
	events &= ~(SUB_ADDRESS | SUB_SEND_FAILED);
	subscribe(any_number(), (unsigned)events);
}

static void change_one_subscription(void)
{
	struct peer *peer = any_peer();
	struct sctp_event event = {
		.se_type = (uint16_t)(draw(2) ? SCTP_ASSOC_CHANGE : SCTP_SHUTDOWN_EVENT),
		.se_on = (uint8_t)draw(2)};

	if (!peer || peer->id == 0)
		return;
	event.se_assoc_id = draw(4) ? peer->id : (sctp_assoc_t)draw(3);

	int r = setsockopt(any_number(), SOL_SCTP, SCTP_EVENT, &event, sizeof(event));

	tell("SCTP_EVENT: %s", errno_name(r ? errno : 0));
}

static void switch_information(void)
{
	rcvinfo = draw(2);
	set_int(any_number(), SOL_SCTP, SCTP_RECVRCVINFO, rcvinfo);
}

static void ask_options(void)
{
	struct peer *peer = any_peer();
	struct sctp_assoc_value context = {.assoc_value = draw(100)};
	struct sctp_status status = {.sstat_assoc_id = peer ? peer->id : 0};
	socklen_t length = sizeof(status);
	uint32_t number = 0;

	int r = getsockopt(server, SOL_SCTP, SCTP_STATUS, &status, &length);

	tell("status: %s %d", errno_name(r ? errno : 0), r ? 0 : status.sstat_state);
	length = sizeof(number);
	r = getsockopt(server, SOL_SCTP, SCTP_GET_ASSOC_NUMBER, &number, &length);
	tell("associations: %d %u", r, number);
	context.assoc_id = peer && peer->id ? peer->id : 0;
	r = setsockopt(any_number(), SOL_SCTP, SCTP_CONTEXT, &context, sizeof(context));
	tell("context: %s", errno_name(r ? errno : 0));
}

static void take_one(void)
{
	struct peer *peer = any_peer();
	int fd;

	if (!lives(peer) || peer->id == 0 || draw(4))
		return;
	fd = sctp_peeloff(any_number(), peer->id);
	tell("take %s: %d %s", peer->name, fd, errno_name(fd < 0 ? errno : 0));
	if (fd >= 0)
		own[peer - peers] = fd;
}

static void change_numbers(void)
{
	switch (draw(4)) {
	case 0:
		if (twin < 0)
			twin = dup(server);
		break;
	case 1:
		if (twin >= 0) {
			close(server);
			server = twin;
			twin = -1;
		}
		break;
	case 2:
		fcntl(server, F_SETFL, draw(2) ? O_NONBLOCK : 0);
		break;
	default:
		tell("number: %d", dup2(server, 40 + (int)draw(20)));
	}
}

static void look_closely(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (draw(2) ? EPOLLET : 0)};
	int set = epoll_create1(0), fd = any_number();

	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);

	int n = epoll_wait(set, &event, 1, 0);

	tell("epoll: %d %s, poll %s", n, n > 0 ? poll_names((int)event.events) : "-",
	     poll_names(poll_now(fd)));
	close(set);
}

/* The same peer by a new association: what it is called stays, its id is new. */
static void come_again(void)
{
	struct peer *peer = any_peer();
	struct sockaddr_in from, to = loopback(1, local_port(server));

	if (!peer || lives(peer) || own[peer - peers] > 0)
		return;
	from = loopback(1, peer->port);
	peer->fd = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	be_prompt(peer->fd);
	set_timeout(peer->fd, SO_RCVTIMEO, 5000);
	subscribe(peer->fd, SUB_DATA);
	if (bind(peer->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(peer->fd, (struct sockaddr *)&to, sizeof(to)))
		die("%s again", peer->name);
	peer->id = 0;
	peer->tsn_known = false;
	ended[peer - peers] = false;
}

/* A set that lives on: edges may come early, but each arrival brings one. */
static void wait_for_edge(void)
{
	static int set = -1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct peer *peer = any_peer();

	if (set >= 0)
		close(set);
	set = epoll_create1(0);
	epoll_ctl(set, EPOLL_CTL_ADD, any_number(), &event);
	while (epoll_wait(set, &event, 1, 0) > 0)
		;
	if (!lives(peer) || own[peer - peers] > 0)
		return;
	peer_sends(peer, 50);
	tell("an edge: %d", epoll_wait(set, &event, 1, 1000));
}

/* A receive that may sleep, but need not when there is something. */
static void receive_patiently(void)
{
	int fd = any_number();
	bool ready = poll_now(fd) & POLLIN;

	set_timeout(fd, SO_RCVTIMEO, 10);
	fcntl(fd, F_SETFL, 0);
	tell("ready: %d", ready);
	if (!ready)
		OUTCOME("read", read(fd, message_buffer, 100));
	else
		receive_one(fd, "server");
	set_timeout(fd, SO_RCVTIMEO, 0);
	receive_all(); /* else it would matter whose turn was first */
}

static void (*const steps[])(void) = {
	newcomer,
	peer_speaks,
	peer_speaks,
	peer_speaks,
	peer_speaks,
	peer_ends,
	receive_all,
	receive_all,
	receive_all,
	speak,
	speak,
	end,
	ask_options,
	change_subscription,
	look_closely,
	take_one,
	change_numbers,
	switch_information,
	change_one_subscription,
	come_again,
	wait_for_edge,
	receive_patiently,
};

int main(int argc, char **argv)
{
	struct sigaction pipes = {.sa_handler = count_sigpipe};

	if (argc != 3)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGPIPE, &pipes, NULL);
	alarm(20);
	state = strtoull(argv[1], NULL, 10) * 0x9e3779b97f4a7c15ULL + 1;
	server = open_server();
	newcomer();
	newcomer();
	for (int i = atoi(argv[2]); i > 0; i--) {
		unsigned step = draw(COUNT(steps));

		tell("%d: step %u", i, step);
		steps[step]();
	}
	receive_all();
	tell("%d broken pipes", (int)sigpipes);
	tell_notes();
	return 0;
}
