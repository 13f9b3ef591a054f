/* SPDX-License-Identifier: MIT */
/*
 * contract_extensions: rows N05 and S04, what extensions of SCTP tell and do: lifetimes (RFC 3758),
 * streams that are reset and added (RFC 6525), keys (RFC 4895), adaptation (RFC 5061).
 */
#include "contract.h"

static void switch_on(int fd, int feature)
{
	struct sctp_assoc_value on = {0, 1}, all = {0, 7};

	if (setsockopt(fd, SOL_SCTP, feature, &on, sizeof(on)))
		die("feature %d", feature);
	if (feature == SCTP_RECONFIG_SUPPORTED &&
	    setsockopt(fd, SOL_SCTP, SCTP_ENABLE_STREAM_RESET, &all, sizeof(all)))
		die("SCTP_ENABLE_STREAM_RESET");
}

static void want(int server, uint16_t type)
{
	struct sctp_event event = {.se_assoc_id = SCTP_ALL_ASSOC, .se_type = type, .se_on = 1};

	if (setsockopt(server, SOL_SCTP, SCTP_EVENT, &event, sizeof(event)))
		die("SCTP_EVENT %#x", type);
}

static int open_listening(int feature)
{
	int server = bound_socket(SOCK_SEQPACKET);

	subscribe(server, SUB_DATA);
	if (feature)
		switch_on(server, feature);
	if (listen(server, 10))
		die("listen");
	return server;
}

static void note_until_quiet(int server)
{
	struct pollfd p = {.fd = server, .events = POLLIN};

	while (poll(&p, 1, 100) == 1)
		note_next(server);
	tell_notes();
}

/* ---- streams ---- */

static int reset_stream(int fd, sctp_assoc_t id, uint16_t stream)
{
	union {
		struct sctp_reset_streams reset;
		char room[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)];
	} r = {.reset = {.srs_assoc_id = id,
			 .srs_flags = SCTP_STREAM_RESET_OUTGOING,
			 .srs_number_streams = 1}};

	memcpy(r.room + sizeof(r.reset), &stream, sizeof(stream));
	return setsockopt(fd, SOL_SCTP, SCTP_RESET_STREAMS, &r, sizeof(r.room));
}

static int add_streams(int fd, sctp_assoc_t id, uint16_t count)
{
	struct sctp_add_streams more = {.sas_assoc_id = id, .sas_outstrms = count};

	return setsockopt(fd, SOL_SCTP, SCTP_ADD_STREAMS, &more, sizeof(more));
}

static void n05_streams(void)
{
	int server = open_listening(SCTP_RECONFIG_SUPPORTED);

	for (int p = 0; p < 2; p++) {
		switch_on(new_peer()->fd, SCTP_RECONFIG_SUPPORTED);
		connect_peer(&peers[p], server);
	}
	greet(server, 2);
	want(server, SCTP_STREAM_RESET_EVENT);
	want(server, SCTP_STREAM_CHANGE_EVENT);
	for (int p = 0; p < 2; p++) {
		OUTCOME("reset", reset_stream(server, peers[p].id, 3));
		note_until_quiet(server);
		OUTCOME("peer resets", reset_stream(peers[p].fd, 0, 2));
		note_until_quiet(server);
		OUTCOME("add", add_streams(server, peers[p].id, 2));
		note_until_quiet(server);
		OUTCOME("peer adds", add_streams(peers[p].fd, 0, 2));
		note_until_quiet(server);
		OUTCOME("send", send_to_peer(server, &peers[p], 50));
		peer_hears(&peers[p]);
		peer_sends_on(&peers[p], 50, 11, 0, 0);
		note_until_quiet(server);
	}
	close_scene(server);
}

/* ---- adaptation, keys ---- */

static void n05_adaptation(void)
{
	struct sctp_setadaptation layer = {.ssb_adaptation_ind = 77};
	int server = open_listening(0);

	subscribe(server, SUB_DATA | SUB_ADAPTATION | SUB_ASSOC);
	for (int p = 0; p < 3; p++) {
		struct peer *peer = new_peer();

		layer.ssb_adaptation_ind += 1;
		if (setsockopt(peer->fd, SOL_SCTP, SCTP_ADAPTATION_LAYER, &layer, sizeof(layer)))
			die("SCTP_ADAPTATION_LAYER");
		connect_peer(peer, server);
		if (p == 2)
			peer_sends(peer, 50);
		else
			note_until_quiet(server);
		if (p != 2)
			greet(server, 1);
	}
	note_until_quiet(server);
	for (int p = 0; p < 3; p++)
		peer_sends(&peers[p], 50);
	note_until_quiet(server);
	close_scene(server);
}

static void n05_authentication(void)
{
	for (int with = 0; with < 2; with++) {
		int server = open_listening(SCTP_AUTH_SUPPORTED);

		want(server, SCTP_AUTHENTICATION_EVENT);
		for (int p = 0; p < 2; p++) {
			if (with)
				switch_on(new_peer()->fd, SCTP_AUTH_SUPPORTED);
			else
				new_peer();
			connect_peer(&peers[p], server);
			note_until_quiet(server);
			greet(server, 1);
		}
		for (int p = 0; p < 2; p++)
			peer_sends(&peers[p], 50);
		note_until_quiet(server);
		close_scene(server);
	}
}

/* ---- lifetimes ---- */

static void say(int server, struct peer *peer, uint32_t lifetime)
{
	struct sockaddr_in to = loopback(1, peer->port);

	make_message(message_buffer, peer->name, peer->heard++, 1000);
	if (sctp_sendmsg(server, message_buffer, 1000, (struct sockaddr *)&to, sizeof(to), 0, 0, 0,
			 lifetime, 0) != 1000)
		die("send");
}

/* What a peer does not take in time is dropped, and told; the rest arrives, in order. */
static void s04_lifetimes(void)
{
	int server = open_listening(0), failed = 0;
	struct sctp_rtoinfo soon = {.srto_initial = 100, .srto_max = 200, .srto_min = 50};
	struct receipt *r = new_receipt();
	struct sctp_prstatus status = {.sprstat_policy = SCTP_PR_SCTP_TTL};
	socklen_t length = sizeof(status);

	if (setsockopt(server, SOL_SCTP, SCTP_RTOINFO, &soon, sizeof(soon)))
		die("SCTP_RTOINFO");
	for (int p = 0; p < 2; p++) {
		set_int(new_peer()->fd, SOL_SOCKET, SO_RCVBUF, 8000);
		connect_peer(&peers[p], server);
	}
	greet(server, 2);
	subscribe(server, SUB_DATA | SUB_SEND_FAILED);
	for (int i = 0; i < 20; i++)
		say(server, &peers[0], 0);
	for (int i = 0; i < 5; i++)
		say(server, &peers[0], 30);
	say(server, &peers[0], 0);
	say(server, &peers[1], 30);
	peer_hears(&peers[1]);
	pause_ms(100);
	for (int i = 0; i < 21; i++)
		peer_hears(&peers[0]);
	pause_ms(50);
	peer_hears_nothing_more(&peers[0]);
	while (take(r, server, MSG_DONTWAIT) >= 0)
		failed += ((union sctp_notification *)(void *)r->data)->sn_header.sn_type ==
			  SCTP_SEND_FAILED;
	tell("%d failed", failed);
	status.sprstat_assoc_id = peers[0].id;
	OUTCOME("status", getsockopt(server, SOL_SCTP, SCTP_PR_ASSOC_STATUS, &status, &length));
	tell("%d abandoned",
	     (int)(status.sprstat_abandoned_sent + status.sprstat_abandoned_unsent));
	free(r);
	close_scene(server);
}

static const struct test tests[] = {
	{"n05-streams", n05_streams},
	{"n05-adaptation", n05_adaptation},
	{"n05-authentication", n05_authentication},
	{"s04-lifetimes", s04_lifetimes},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
