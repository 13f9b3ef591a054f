/* SPDX-License-Identifier: MIT */
/* contract_paths: rows S04 and N05 with peers of two addresses, 127.0.0.1 and 127.0.0.2. */
#include "contract.h"

static struct peer *new_peer_of_two(void)
{
	struct peer *peer = new_peer();
	struct sockaddr_in second = loopback(2, peer->port);

	if (sctp_bindx(peer->fd, (struct sockaddr *)&second, 1, SCTP_BINDX_ADD_ADDR))
		die("sctp_bindx");
	return peer;
}

static int open_server_of_paths(void)
{
	struct sctp_paddrparams path = {
		.spp_flags = SPP_HB_ENABLE, .spp_hbinterval = 50, .spp_pathmaxrxt = 1};
	struct sctp_rtoinfo soon = {.srto_initial = 100, .srto_max = 200, .srto_min = 50};
	int server = open_server();

	if (setsockopt(server, SOL_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)) ||
	    setsockopt(server, SOL_SCTP, SCTP_RTOINFO, &soon, sizeof(soon)))
		die("path");
	return server;
}

static int path_state(int server, const struct peer *peer, int last)
{
	struct sctp_paddrinfo info = {.spinfo_assoc_id = peer->id};
	struct sockaddr_in address = loopback(last, peer->port);
	socklen_t length = sizeof(info);

	memcpy(&info.spinfo_address, &address, sizeof(address));
	if (getsockopt(server, SOL_SCTP, SCTP_GET_PEER_ADDR_INFO, &info, &length))
		return -1;
	return info.spinfo_state;
}

static void await_path(int server, const struct peer *peer, int last, int state)
{
	for (int i = 0; i < 500 && path_state(server, peer, last) != state; i++)
		pause_ms(10);
	if (path_state(server, peer, last) != state)
		tell("path %d of %s: %d", last, peer->name, path_state(server, peer, last));
}

/* ---- S04: the path of one message ---- */

static bool has_data(const uint8_t *packet, size_t size)
{
	size_t at = (size_t)(packet[0] & 15) * 4 + 12;

	while (at + 4 <= size) {
		size_t length = (size_t)packet[at + 2] << 8 | packet[at + 3];

		if (packet[at] == 0)
			return true;
		at += length < 4 ? 4 : (length + 3) & ~(size_t)3;
	}
	return false;
}

/* To which of a peer's addresses the server's data went. */
static void tell_paths(int wire, int server)
{
	struct line line = {.length = 0};
	uint8_t packet[2000];
	in_port_t port = local_port(server);
	ssize_t n;

	while ((n = recv(wire, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		if (memcmp(packet + (packet[0] & 15) * 4, &port, sizeof(port)) == 0 &&
		    has_data(packet, (size_t)n))
			add(&line, " .%d", packet[19]);
	tell("on the wire:%s", line.text);
}

static void send_over(int server, struct peer *peer, int last, uint16_t flags)
{
	struct sockaddr_in to = loopback(last, peer->port);
	struct sending s = {.to = (struct sockaddr *)&to,
			    .to_length = sizeof(to),
			    .carrier = SNDRCV,
			    .flags = flags};

	make_message(message_buffer, peer->name, peer->heard++, 60);
	OUTCOME("send", send_bytes(server, &s, message_buffer, 60));
	peer_hears(peer);
}

static void over(bool late)
{
	int wire = socket(AF_INET, SOCK_RAW, IPPROTO_SCTP), server = open_server_of_paths();
	struct peer *peer = new_peer_of_two();

	if (wire < 0)
		die("raw socket");
	connect_peer(peer, server);
	connect_peer(new_peer(), server);
	if (late)
		greet(server, 2);
	else
		send_over(server, peer, 1, SCTP_ADDR_OVER);
	if (!late)
		greet(server, 2);
	await_path(server, peer, 2, SCTP_ACTIVE);
	tell_paths(wire, server);
	for (int k = 0; k < 2; k++)
		for (int last = 1; last <= 2; last++) {
			send_over(server, peer, last, 0);
			tell_paths(wire, server);
			send_over(server, peer, last, SCTP_ADDR_OVER);
			tell_paths(wire, server);
		}
	peer_sends(&peers[1], 50);
	hear("B", server, 0);
	close(wire);
	close_scene(server);
}

static void s04_over(void)
{
	over(false);
}

static void s04_over_late(void)
{
	over(true);
}

/* ---- N05: SCTP_PEER_ADDR_CHANGE ---- */

static void set_primary(int server, const struct peer *peer, int last)
{
	struct sctp_setprim primary = {.ssp_assoc_id = peer->id};
	struct sockaddr_in address = loopback(last, peer->port);

	memcpy(&primary.ssp_addr, &address, sizeof(address));
	OUTCOME("primary",
		setsockopt(server, SOL_SCTP, SCTP_PRIMARY_ADDR, &primary, sizeof(primary)));
}

/* The way to 127.0.0.2 is closed or open, by the table of local routes. */
static void open_second_path(bool is_open)
{
	const char *command = is_open ? "ip route del unreachable 127.0.0.2 table local"
				      : "ip route add unreachable 127.0.0.2 table local";

	if (system(command) != 0)
		die("%s", command);
}

static void note_until_quiet(int server)
{
	struct pollfd p = {.fd = server, .events = POLLIN};

	while (poll(&p, 1, 300) == 1)
		note_next(server);
}

static void n05_paths(void)
{
	int server = open_server_of_paths();

	for (int p = 0; p < 2; p++)
		connect_peer(new_peer_of_two(), server);
	greet(server, 2);
	for (int p = 0; p < 2; p++)
		await_path(server, &peers[p], 2, SCTP_ACTIVE);
	subscribe(server, SUB_DATA | SUB_ADDRESS);
	for (int last = 2; last >= 1; last--) {
		set_primary(server, &peers[0], last);
		note_until_quiet(server);
	}
	tell_notes();
	open_second_path(false);
	for (int p = 0; p < 2; p++)
		await_path(server, &peers[p], 2, SCTP_INACTIVE);
	note_until_quiet(server);
	tell_notes();
	for (int p = 0; p < 2; p++) {
		OUTCOME("send", send_to_peer(server, &peers[p], 50));
		peer_hears(&peers[p]);
	}
	open_second_path(true);
	for (int p = 0; p < 2; p++)
		await_path(server, &peers[p], 2, SCTP_ACTIVE);
	note_until_quiet(server);
	tell_notes();
	close_scene(server);
}

/* The path that is in use fails: what is under way comes by the other, once. */
static void n05_failover(void)
{
	int server = open_server_of_paths();
	struct peer *peer = new_peer_of_two();

	connect_peer(peer, server);
	connect_peer(new_peer(), server);
	greet(server, 2);
	await_path(server, peer, 2, SCTP_ACTIVE);
	set_primary(server, peer, 2);
	open_second_path(false);
	for (int k = 0; k < 5; k++) {
		OUTCOME("send", send_to_peer(server, peer, 50));
		peer_hears(peer);
	}
	open_second_path(true);
	peer_sends(peer, 50);
	hear("answer", server, 0);
	close_scene(server);
}

static const struct test tests[] = {
	{"s04-over", s04_over},
	{"s04-over-late", s04_over_late},
	{"n05-paths", n05_paths},
	{"n05-failover", n05_failover},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
