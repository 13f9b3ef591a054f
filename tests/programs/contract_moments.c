/* SPDX-License-Identifier: MIT */
/*
 * contract_moments: rows F05 and F06, what peers do while they are peeled off. The companion does
 * it as soon as the server receives; a peel may take long.
 */
#include "contract.h"

#define ROUNDS 4

/* All that comes of an association, in its order; what others say comes under their names. */
static void note_all(int server, int count)
{
	for (int i = 0; i < count; i++) {
		struct pollfd p = {.fd = server, .events = POLLIN};

		if (poll(&p, 1, 100) != 1)
			return;
		note_next(server);
	}
}

/*
 * The first message of A waits, its end comes 1, 2, 3... ms after the order: before, in and after
 * the peel that the receive makes.
 */
static void end_in_peel(enum action end, unsigned events)
{
	for (int round = 0; round < ROUNDS; round++) {
		int server = open_scene_with_companion(2, false);
		in_port_t port = peers[0].port;

		subscribe(server, SUB_DATA | events);
		order_messages(&peers[0], 0, 2, 60);
		order_messages(&peers[1], 0, 1, 60);
		await_companion();
		order(end, &peers[0], 5 * round);
		note_all(server, 10);
		await_companion();
		await_associations(0, port, 0);
		order_messages(&peers[1], 0, 1, 60);
		note_all(server, 10);
		tell("== %d ms", 5 * round);
		tell_notes();
		hear("then", server, MSG_DONTWAIT);
		OUTCOME("to B", send_to_peer(server, &peers[1], 50));
		tell("poll %s", poll_names(poll_now(server)));
		close_scene(server);
	}
}

static void f05_closes(void)
{
	end_in_peel(CLOSE, 0);
	end_in_peel(CLOSE, SUB_ASSOC | SUB_SHUTDOWN);
}

static void f05_aborts(void)
{
	end_in_peel(ABORT, 0);
	end_in_peel(ABORT, SUB_ASSOC | SUB_SHUTDOWN);
}

/* Four flood, and go on while the first messages are taken. */
static void f06_floods(void)
{
	int server = open_scene_with_companion(4, false), wrong = 0;
	struct receipt *r = new_receipt();

	for (int k = 0; k < 3; k++) {
		give_order((struct order){.action = LOAD, .times = 15});
		for (int i = 0; i < 60; i++) {
			if (take(r, server, 0) < 0)
				die("receive");
			wrong += !is_next(r);
		}
	}
	tell_taken();
	tell("%d wrong", wrong);
	free(r);
	close_scene(server);
}

/* A peer that takes nothing is sent to until it stalls, and speaks for the first time. */
static void f06_stalls(void)
{
	int server = open_scene_with_companion(2, true), sent = 0, heard = 0;
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};

	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	while (send_bytes(server, &s, message_buffer, 1000) == 1000)
		sent++;
	order_messages(&peers[0], 0, 3, 60);
	order_messages(&peers[1], 0, 3, 60);
	note_all(server, 6);
	tell_notes();
	while (heard < sent && recv(peers[0].fd, message_buffer, 1000, 0) == 1000)
		heard++;
	tell("all: %d", heard == sent);
	OUTCOME("to B", send_to_peer(server, &peers[1], 50));
	peer_hears(&peers[1]);
	close_scene(server);
}

static const struct test tests[] = {
	{"f05-closes", f05_closes},
	{"f05-aborts", f05_aborts},
	{"f06-floods", f06_floods},
	{"f06-stalls", f06_stalls},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
