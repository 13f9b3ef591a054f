/* SPDX-License-Identifier: MIT */
/* contract_notify: rows N01 to N03, what a program is told, and how associations end. */
#include <linux/filter.h>

#include "contract.h"

/* ---- N01: subscriptions ---- */

/*
 * What happens to two associations, one that the program has heard of and one that is new: data
 * both ways, a graceful end and an abort. All that the program sees of it, under the one whom it
 * concerns.
 */
static void happenings(int server, struct peer *known)
{
	struct peer *new = new_peer();

	connect_peer(new, server);
	peer_sends(new, 40);
	peer_sends(known, 40);
	for (int k = 0; k < 10; k++)
		note_next(server);
	OUTCOME("to the known one", send_to_peer(server, known, 50));
	peer_hears(known);
	for (int k = 0; k < 10; k++)
		note_next(server);
	peer_sends(known, 30);
	close_peer(known);
	await_end(known);
	abort_peer(new);
	await_end(new);
	for (int k = 0; k < 10; k++)
		note_next(server);
	tell_notes();
	hear("nothing more", server, MSG_DONTWAIT);
}

/* Each subscription alone, made before there is anybody or later. */
static void each_subscription(bool later)
{
	for (unsigned bit = 0; bit < 14; bit++) {
		int server = open_server();

		tell("== event %u", bit);
		if (!later)
			subscribe(server, SUB_DATA | 1U << bit);
		connect_peer(new_peer(), server);
		greet(server, 1);
		if (later)
			subscribe(server, SUB_DATA | 1U << bit);
		for (int k = 0; k < 5; k++)
			note_next(server);
		happenings(server, &peers[0]);
		close_scene(server);
	}
}

static void n01_early(void)
{
	each_subscription(false);
}

static void n01_later(void)
{
	each_subscription(true);
}

static void show_events(int server)
{
	uint8_t bytes[20];
	socklen_t length = sizeof(bytes);
	struct line line = {.length = 0};

	memset(bytes, 9, sizeof(bytes));
	int r = getsockopt(server, SOL_SCTP, SCTP_EVENTS, bytes, &length);

	for (unsigned i = 0; i < length && i < sizeof(bytes); i++)
		add(&line, "%u", bytes[i]);
	tell("SCTP_EVENTS: %d, %u bytes: %s", r, length, line.text);
}

/* Programs were built with structures of many lengths. */
static void n01_lengths(void)
{
	static const socklen_t lengths[] = {0, 1, 2, 6, 8, 9, 10, 11, 12, 13, 14};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		int server = open_scene(1);

		subscribe(server, SUB_DATA);
		tell("== length %u", lengths[i]);
		OUTCOME("SCTP_EVENTS", subscribe_length(server, 0x7fff, lengths[i]));
		for (socklen_t n = 1; n <= 16; n += 5) {
			uint8_t bytes[20];
			socklen_t length = n;

			OUTCOME("get", getsockopt(server, SOL_SCTP, SCTP_EVENTS, bytes, &length));
			tell("%u of %u", length, n);
		}
		show_events(server);
		for (int k = 0; k < 5; k++)
			note_next(server);
		happenings(server, &peers[0]);
		close_scene(server);
	}
	for (socklen_t n = 15; n < 1000; n *= 3) {
		uint8_t bytes[1000] = {1, 1, 1};
		int server = open_scene(1);

		OUTCOME("too long", setsockopt(server, SOL_SCTP, SCTP_EVENTS, bytes, n));
		show_events(server);
		close_scene(server);
	}
}

static int set_event(int server, sctp_assoc_t id, int type, int on)
{
	struct sctp_event event = {
		.se_assoc_id = id, .se_type = (uint16_t)type, .se_on = (uint8_t)on};

	return setsockopt(server, SOL_SCTP, SCTP_EVENT, &event, sizeof(event));
}

static void show_event(int server, const char *label, sctp_assoc_t id, int type)
{
	struct sctp_event event = {.se_assoc_id = id, .se_type = (uint16_t)type, .se_on = 77};
	socklen_t length = sizeof(event);
	int r = getsockopt(server, SOL_SCTP, SCTP_EVENT, &event, &length);

	tell("SCTP_EVENT of %s: %d %s, on %u", label, r, errno_name(r ? errno : 0), event.se_on);
}

/* One association's subscription is not another's; new ones get the socket's. */
static void n01_one_association(void)
{
	static const int types[] = {SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT, SCTP_SENDER_DRY_EVENT,
				    SCTP_SEND_FAILED, SCTP_DATA_IO_EVENT};

	for (size_t i = 0; i < COUNT(types); i++)
		for (int which = 0; which < 5; which++) {
			int server = open_scene(2);
			const sctp_assoc_t ids[] = {peers[0].id, SCTP_FUTURE_ASSOC,
						    SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC, 7777777};
			static const char *const names[] = {"A", "future ones", "current ones",
							    "all", "nobody"};

			tell("== type %#x for %s", types[i], names[which]);
			OUTCOME("on", set_event(server, ids[which], types[i], 1));
			show_event(server, "A", peers[0].id, types[i]);
			show_event(server, "B", peers[1].id, types[i]);
			show_event(server, "future ones", SCTP_FUTURE_ASSOC, types[i]);
			show_event(server, "current ones", SCTP_CURRENT_ASSOC, types[i]);
			show_events(server);
			for (int k = 0; k < 5; k++)
				note_next(server);
			happenings(server, &peers[0]);
			peer_sends(&peers[1], 40);
			close_peer(&peers[1]);
			await_end(&peers[1]);
			hear_all("B", server);
			close_scene(server);
		}
}

/* On and off again while associations live, and between their events. */
static void n01_changes(void)
{
	int server = open_scene(6);

	for (int p = 0; p < 6; p++) {
		unsigned events = (p & 1 ? SUB_ASSOC : 0) | (p & 2 ? SUB_SHUTDOWN : 0);

		subscribe(server, SUB_DATA | events);
		if (p == 4)
			set_event(server, peers[4].id, SCTP_ASSOC_CHANGE, 1);
		peer_sends(&peers[p], 40);
		close_peer(&peers[p]);
		await_end(&peers[p]);
		tell("== shutdown %d, change %d", p >> 1 & 1, p & 1);
		hear_all("then", server);
	}
	close_scene(server);
}

/* What was told before the program changed its mind is still there. */
static void n01_queued(void)
{
	int server = open_scene(3);

	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	close_peer(&peers[0]);
	await_end(&peers[0]);
	subscribe(server, SUB_DATA);
	abort_peer(&peers[1]);
	await_end(&peers[1]);
	tell("poll: %s", poll_names(poll_now(server)));
	hear_all("subscribed then", server);
	peer_sends(&peers[2], 40);
	close_peer(&peers[2]);
	await_end(&peers[2]);
	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	hear_all("not subscribed then", server);
	close_scene(server);
}

/* A program that wants nothing but data sees nothing else, whatever happens around it. */
static void n01_nothing(void)
{
	int server = open_server(), data = 0, other = 0;
	struct receipt *r = new_receipt();

	subscribe(server, 0);
	for (int k = 0; k < 80; k++) {
		connect_peer(new_peer(), server);
		peer_sends(&peers[k], 40);
		await_input(server);
		for (int i = 0; i < 3; i++)
			if (take(r, server, MSG_DONTWAIT) > 0) {
				other += !!(r->header.msg_flags & MSG_NOTIFICATION);
				data += message_number(r->data, (size_t)r->size) >= 0;
			}
		if (k % 2)
			close_peer(&peers[k]);
		else
			abort_peer(&peers[k]);
		await_end(&peers[k]);
		if (take(r, server, MSG_DONTWAIT) >= 0)
			other++;
	}
	tell("%d messages, %d other things", data, other);
	close_scene(server);
}

/* Notifications come by the calls that cannot mark them, too: none that was not asked for. */
static void n01_plain_reads(void)
{
	int server = open_scene(3);
	char buffer[200];

	subscribe(server, SUB_SHUTDOWN);
	fcntl(server, F_SETFL, O_NONBLOCK);
	for (int p = 0; p < 3; p++) {
		union sctp_notification *n = (union sctp_notification *)(void *)buffer;

		peer_sends(&peers[p], 40);
		if (p == 1)
			abort_peer(&peers[p]);
		else
			close_peer(&peers[p]);
		await_end(&peers[p]);
		OUTCOME("read", read(server, buffer, sizeof(buffer)));
		buffer[0] = 0;
		OUTCOME("read", read(server, buffer, sizeof(buffer)));
		if (p != 1)
			tell("type %#x", n->sn_header.sn_type);
		OUTCOME("read", read(server, buffer, sizeof(buffer)));
		tell("poll: %s", poll_names(poll_now(server)));
	}
	close_scene(server);
}

/* ---- N02: ends ---- */

static const char *const ends[] = {"the peer closes",	  "the peer aborts",	"EOF",	    "ABORT",
				   "ABORT with a reason", "the peer is silent", "autoclose"};
enum { PEER_CLOSES, PEER_ABORTS, OWN_EOF, OWN_ABORT, OWN_ABORT_WITH_REASON, SILENCE, AUTOCLOSE };

/* The peer's kernel no longer hears us. */
static void deafen(struct peer *peer)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &nothing};

	if (setsockopt(peer->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		die("SO_ATTACH_FILTER");
}

static void be_impatient(int server)
{
	struct sctp_rtoinfo rto = {.srto_initial = 50, .srto_max = 60, .srto_min = 40};
	struct sctp_assocparams assoc = {.sasoc_asocmaxrxt = 2};
	struct sctp_paddrparams path = {.spp_pathmaxrxt = 2};

	if (setsockopt(server, SOL_SCTP, SCTP_RTOINFO, &rto, sizeof(rto)) ||
	    setsockopt(server, SOL_SCTP, SCTP_ASSOCINFO, &assoc, sizeof(assoc)) ||
	    setsockopt(server, SOL_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)))
		die("impatience");
}

static void end_association(int server, struct peer *peer, int how)
{
	struct sending s = {.id = peer->id, .carrier = SNDINFO};

	switch (how) {
	case PEER_CLOSES:
		close_peer(peer);
		break;
	case PEER_ABORTS:
		abort_peer(peer);
		break;
	case OWN_EOF:
		s.flags = SCTP_EOF;
		OUTCOME("EOF", send_bytes(server, &s, "", 0));
		peer_hears(peer);
		close_peer(peer);
		break;
	case OWN_ABORT:
	case OWN_ABORT_WITH_REASON:
		s.flags = SCTP_ABORT;
		OUTCOME("ABORT", send_bytes(server, &s, "because", how == OWN_ABORT ? 0 : 7));
		break;
	case SILENCE:
		deafen(peer);
		OUTCOME("into silence", send_to_peer(server, peer, 60));
		break;
	case AUTOCLOSE:
		peer_hears(peer);
		close_peer(peer);
	}
	for (int i = 0; i < 300 && kernel_associations(local_port(server), peer->port); i++)
		pause_ms(10);
}

static void look_at_the_end(int server, sctp_assoc_t id)
{
	struct sctp_status status = {.sstat_assoc_id = id};
	socklen_t length = sizeof(status);
	struct sending s = {.id = id, .carrier = SNDRCV};
	int error = -1;

	tell("poll: %s", poll_names(poll_now(server)));
	OUTCOME("SCTP_STATUS", getsockopt(server, SOL_SCTP, SCTP_STATUS, &status, &length));
	length = sizeof(error);
	getsockopt(server, SOL_SOCKET, SO_ERROR, &error, &length);
	tell("SO_ERROR: %s", errno_name(error));
	OUTCOME("send by its id", send_bytes(server, &s, "x", 1));
	OUTCOME("and again", send_bytes(server, &s, "x", 1));
	hear("receive", server, MSG_DONTWAIT);
}

/*
 * One association ends in this way, with so many messages unread; another goes on. The program
 * looks before it receives, or sleeps in the receive, or does something else first.
 */
static void one_end(int how, unsigned events, int unread, int manner)
{
	int server = open_server();
	sctp_assoc_t id;

	tell("== %s, events %#x, %d unread, manner %d", ends[how], events, unread, manner);
	if (how == SILENCE)
		be_impatient(server);
	if (how == AUTOCLOSE)
		set_int(server, SOL_SCTP, SCTP_AUTOCLOSE, 1);
	for (int p = 0; p < (how == AUTOCLOSE ? 1 : 2); p++)
		connect_peer(new_peer(), server);
	greet(server, peer_count);
	id = peers[0].id;
	subscribe(server, SUB_DATA | events);
	set_timeout(server, SO_RCVTIMEO, 20);
	for (int i = 0; i < unread; i++)
		peer_sends(&peers[0], 60);
	end_association(server, &peers[0], how);
	if (manner == 1)
		look_at_the_end(server, id);
	if (manner == 2 && how != AUTOCLOSE)
		OUTCOME("send to B", send_to_peer(server, &peers[1], 50));
	for (int i = 0; i < 8; i++) {
		if (manner == 0)
			tell("poll: %s", poll_names(poll_now(server)));
		if (hear("receive", server, manner == 0 ? MSG_DONTWAIT : 0) < 0)
			break;
	}
	look_at_the_end(server, id);
	if (how != AUTOCLOSE) {
		peer_sends(&peers[1], 50);
		hear("B", server, 0);
		OUTCOME("to B", send_to_peer(server, &peers[1], 50));
		peer_hears(&peers[1]);
	}
	close_scene(server);
}

static void n02_ends(int how)
{
	static const unsigned events[] = {0, SUB_ASSOC, SUB_SHUTDOWN, SUB_ASSOC | SUB_SHUTDOWN,
					  SUB_ASSOC | SUB_SHUTDOWN | SUB_SEND_FAILED | SUB_ADDRESS |
						  SUB_PEER_ERROR};

	for (size_t e = 0; e < COUNT(events); e++)
		for (int unread = 0; unread <= 2; unread += 2)
			for (int manner = 0; manner < 3; manner++)
				if ((how != SILENCE && how != AUTOCLOSE) ||
				    (int)(e + (unsigned)unread / 2) % 3 == manner)
					one_end(how, events[e], unread, manner);
}

static void n02_peer_closes(void)
{
	n02_ends(PEER_CLOSES);
}

static void n02_peer_aborts(void)
{
	n02_ends(PEER_ABORTS);
}

static void n02_eof(void)
{
	n02_ends(OWN_EOF);
}

static void n02_abort(void)
{
	n02_ends(OWN_ABORT);
	one_end(OWN_ABORT_WITH_REASON, SUB_ASSOC, 0, 0);
	one_end(OWN_ABORT_WITH_REASON, 0, 1, 0);
}

static void n02_silence(void)
{
	n02_ends(SILENCE);
}

static void n02_autoclose(void)
{
	one_end(AUTOCLOSE, 0, 0, 0);
	one_end(AUTOCLOSE, SUB_ASSOC | SUB_SHUTDOWN, 0, 1);
}

/* Asleep when it ends: with a subscription the sleep ends, without it goes on. */
static void n02_asleep(void)
{
	for (int events = 0; events < 2; events++)
		for (int how = 0; how < 2; how++)
			for (int manner = 0; manner < 3; manner++) {
				int server = open_scene_with_companion(2, true);
				struct pollfd p = {.fd = server, .events = POLLIN | POLLRDHUP};
				double began;

				tell("== %s, events %d, manner %d", ends[how], events, manner);
				subscribe(server,
					  SUB_DATA | (events ? SUB_ASSOC | SUB_SHUTDOWN : 0));
				set_timeout(server, SO_RCVTIMEO, 400);
				order(how ? ABORT : CLOSE, &peers[0], 50);
				began = now();
				if (manner == 0) {
					OUTCOME("poll", poll(&p, 1, 400));
					tell("%s", poll_names(p.revents));
				} else if (manner == 1) {
					hear("receive", server, 0);
				} else {
					/* another speaks a little later */
					order_messages(&peers[1], 60, 1, 50);
					hear("receive", server, 0);
				}
				tell("%s", how_long(now() - began)[0] == 'a' ? "in time" : "late");
				await_end(&peers[0]);
				await_companion();
				for (int k = 0; k < 3; k++)
					note_next(server);
				tell_notes();
				hear("then", server, MSG_DONTWAIT);
				close_scene(server);
			}
}

/* The program ends the association twice, or in the wrong order, or one that is gone. */
static void n02_twice(void)
{
	static const uint16_t flags[][2] = {{SCTP_EOF, SCTP_EOF},
					    {SCTP_EOF, SCTP_ABORT},
					    {SCTP_ABORT, SCTP_EOF},
					    {SCTP_ABORT, SCTP_ABORT}};

	for (size_t i = 0; i < COUNT(flags); i++)
		for (int by_address = 0; by_address < 2; by_address++) {
			int server = open_scene(2);
			struct sockaddr_in to = loopback(1, peers[0].port);
			struct sending s = {.id = peers[0].id, .carrier = SNDRCV};

			if (by_address)
				s = (struct sending){.to = (struct sockaddr *)&to,
						     .to_length = sizeof(to),
						     .carrier = SNDRCV};
			subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
			for (int k = 0; k < 2; k++) {
				s.flags = flags[i][k];
				OUTCOME(s.flags == SCTP_EOF ? "EOF" : "ABORT",
					send_bytes(server, &s, "", 0));
				await_associations(local_port(server), peers[0].port, 0);
			}
			hear_all("then", server);
			OUTCOME("B", send_to_peer(server, &peers[1], 50));
			peer_hears(&peers[1]);
			close_scene(server);
		}
}

/* ---- N04: the same peer again ---- */

/* A peer of the same address and name; it goes on with its numbers, and its id is to be learnt. */
static void connect_again(struct peer *peer, int server)
{
	struct sockaddr_in from = loopback(1, peer->port), to = loopback(1, local_port(server));

	peer->fd = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	be_prompt(peer->fd);
	set_timeout(peer->fd, SO_RCVTIMEO, 5000);
	subscribe(peer->fd, SUB_DATA);
	if (bind(peer->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(peer->fd, (struct sockaddr *)&to, sizeof(to)))
		die("%s again", peer->name);
}

/* What comes, in its order, by age: the old association's id is known, the new one's is not. */
static void hear_both_lives(int server, sctp_assoc_t old)
{
	struct receipt *r = new_receipt();

	while (take(r, server, MSG_DONTWAIT) >= 0) {
		struct line line = {.length = 0};
		struct sctp_sndrcvinfo info = {.sinfo_assoc_id = 0};
		sctp_assoc_t id;

		if (r->header.msg_flags & MSG_NOTIFICATION) {
			union sctp_notification *n = (union sctp_notification *)(void *)r->data;

			id = n->sn_header.sn_type == SCTP_SHUTDOWN_EVENT
				     ? n->sn_shutdown_event.sse_assoc_id
				     : n->sn_assoc_change.sac_assoc_id;
			add(&line, " %#x", n->sn_header.sn_type);
			if (n->sn_header.sn_type == SCTP_ASSOC_CHANGE)
				add(&line, " %s", state_name(n->sn_assoc_change.sac_state));
		} else {
			struct cmsghdr *c = CMSG_FIRSTHDR(&r->header);

			if (c)
				memcpy(&info, CMSG_DATA(c), sizeof(info));
			id = info.sinfo_assoc_id;
			add_message(&line, r->data, (size_t)r->size);
			add(&line, " ssn %u", info.sinfo_ssn);
		}
		tell("%s:%s", id == old ? "old" : "new", line.text);
	}
	free(r);
}

/* It ends, with something unread, and is there again before the program looks. */
static void n04_reconnect(void)
{
	static const unsigned events[] = {0, SUB_ASSOC, SUB_SHUTDOWN, SUB_ASSOC | SUB_SHUTDOWN};

	for (int how = PEER_CLOSES; how <= OWN_ABORT; how++)
		for (size_t e = 0; e < COUNT(events); e++)
			for (int unread = 0; unread < 2; unread++) {
				int server = open_scene(2);
				struct peer *peer = &peers[0];
				sctp_assoc_t old = peer->id;

				tell("== %s, events %#x, %d unread", ends[how], events[e], unread);
				subscribe(server, SUB_DATA | events[e]);
				if (unread)
					peer_sends(peer, 60);
				end_association(server, peer, how);
				if (peer->fd >= 0)
					abort_peer(peer);
				connect_again(peer, server);
				peer_sends(peer, 50);
				hear_both_lives(server, old);
				peer_sends(peer, 50);
				hear_both_lives(server, old);

				struct sending s = {.id = old, .carrier = SNDRCV};

				OUTCOME("by the old id", send_bytes(server, &s, "x", 1));

				struct sockaddr_in to = loopback(1, peer->port);

				make_message(message_buffer, "A", peer->heard++, 40);
				OUTCOME("by address", sendto(server, message_buffer, 40, 0,
							     (struct sockaddr *)&to, sizeof(to)));
				peer_hears(peer);
				close_scene(server);
			}
}

/* The server hears nothing while its peer dies: the next INIT is a restart. */
static void restart_unheard(int server, struct peer *peer)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &nothing};
	int none = 0;

	if (setsockopt(server, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		die("SO_ATTACH_FILTER");
	abort_peer(peer);
	pause_ms(20);
	setsockopt(server, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
	connect_again(peer, server);
}

/* A restart: the same id. */
static void n04_restart(void)
{
	for (int events = 0; events < 2; events++)
		for (int unread = 0; unread < 2; unread++) {
			int server = open_scene(2);
			struct peer *peer = &peers[0];
			sctp_assoc_t old = peer->id;

			tell("== events %d, %d unread", events, unread);
			subscribe(server, SUB_DATA | (events ? SUB_ASSOC | SUB_SHUTDOWN : 0));
			if (unread)
				peer_sends(peer, 60);
			restart_unheard(server, peer);
			peer_sends(peer, 50);
			hear_both_lives(server, old);
			OUTCOME("by id", send_to_peer(server, peer, 40));
			peer_hears(peer);
			peer_sends(peer, 50);
			hear_both_lives(server, old);
			peer_sends(&peers[1], 50);
			hear("B", server, 0);
			close_scene(server);
		}
}

/* ---- N03: nothing leaks ---- */

/* Quiet ends: the next call, whatever it is, leaves no more descriptors than before. */
static void n03_closed_at_once(void)
{
	static const char *const manners[] = {"receive", "poll", "send", "option"};

	for (int how = PEER_CLOSES; how <= OWN_ABORT; how++)
		for (size_t manner = 0; manner < COUNT(manners); manner++) {
			int server = open_scene_with_companion(2, false), before = 0;

			for (int p = 1; p >= 0; p--) {
				order_messages(&peers[p], 0, 1, 50);
				if (hear("greeting", server, 0) < 0)
					die("greeting");
				if (p == 1)
					before = ask(COUNT_DESCRIPTORS);
			}
			if (how == PEER_CLOSES || how == PEER_ABORTS) {
				order(how == PEER_CLOSES ? CLOSE : ABORT, &peers[0], 0);
				await_end(&peers[0]);
			} else {
				end_association(server, &peers[0], how);
				order(CLOSE, &peers[0], 0);
				await_end(&peers[0]);
			}
			/* a send looks around a thousand times a second at most */
			pause_ms(2);
			if (manner == 0)
				hear("receive", server, MSG_DONTWAIT);
			else if (manner == 1)
				poll_now(server);
			else if (manner == 2)
				send_to_peer(server, &peers[1], 50);
			else
				look_at_the_end(server, peers[0].id);
			/* one of the peers' descriptors of our own is closed, too */
			tell("%s, %s: %s", ends[how], manners[manner],
			     ask(COUNT_DESCRIPTORS) < before ? "no more than before" : "left open");
			close_scene(server);
		}
}

static void *abort_later(void *peer)
{
	pause_ms(200);
	abort_peer(peer);
	return NULL;
}

static void *say_all_later(void *peer)
{
	pause_ms(600);
	/* so big that it does not ask for their delivery, which is slow here */
	for (int i = 0; i < 3; i++)
		peer_sends(peer, 2000);
	close_peer(peer);
	return NULL;
}

/* A restart that nobody subscribed to, and what happens in the middle of a look at it. */
static int look_at_restart(void *(*meanwhile)(void *))
{
	int server = open_scene(1);
	struct peer *peer = &peers[0];
	pthread_t thread;

	restart_unheard(server, peer);
	if (pthread_create(&thread, NULL, meanwhile, peer))
		die("pthread_create");
	poll_now(server);
	pthread_join(thread, NULL);
	await_end(peer);
	return server;
}

static void n03_ends_amid(void)
{
	int server = look_at_restart(abort_later), open = 0;

	poll_now(server);
	for (int fd = 0; fd < 1024; fd++)
		open += one_to_many(fd);
	tell("%d sockets open", open);
	close_scene(server);
}

static void n03_all_amid(void)
{
	int server = look_at_restart(say_all_later);

	for (int i = 0; i < 4; i++)
		hear("after the restart", server, MSG_DONTWAIT);
	close_scene(server);
}

/* What the program itself has filled: neither its code nor its libraries'. */
static long own_kilobytes(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[200];
	long kilobytes, sum = 0;

	if (!file)
		die("/proc/self/status");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %ld", &kilobytes) == 1 ||
		    sscanf(line, "RssShmem: %ld", &kilobytes) == 1)
			sum += kilobytes;
	fclose(file);
	return sum;
}

/* Associations come and go, in all ways, a few at a time. */
static void come_and_go(int server, int count, unsigned events)
{
	static struct receipt *r;

	r = r ? r : new_receipt();
	for (int done = 0; done < count; done += 10) {
		int first = peer_count;

		for (int p = first; p < first + 10; p++) {
			connect_peer(new_peer(), server);
			peer_sends(&peers[p], 40);
		}
		for (int heard = 0; heard < 10;) {
			if (take(r, server, 0) < 0)
				die("message");
			learn(r);
			heard += !(r->header.msg_flags & MSG_NOTIFICATION);
		}
		for (int p = first; p < first + 10; p++) {
			struct sending s = {.id = peers[p].id, .carrier = SNDRCV};

			s.flags = p % 4 == 2 ? SCTP_EOF : SCTP_ABORT;
			if (p % 4 >= 2 && send_bytes(server, &s, "", 0))
				die("end by the program");
			if (p % 4 == 0)
				abort_peer(&peers[p]);
			else
				close_peer(&peers[p]);
		}
		while (take(r, server, MSG_DONTWAIT) > 0)
			if (!events)
				die("something comes");
		peer_count = first;
	}
}

static void n03_loop(void)
{
	const char *wish = getenv("CONTRACT_ROUNDS");
	int rounds = wish ? atoi(wish) : 1000;
	/* a sanitizer keeps what was freed, and shadows of what was touched */
	long enough = getenv("PATIENCE") ? 32000 : 200;

	start_companion();
	for (int events = 0; events < 2; events++) {
		int server = open_server(), descriptors;
		long memory;

		subscribe(server, SUB_DATA | (events ? SUB_ASSOC | SUB_SHUTDOWN : 0));
		come_and_go(server, 200, (unsigned)events);
		descriptors = ask(COUNT_DESCRIPTORS);
		memory = own_kilobytes();
		come_and_go(server, rounds, (unsigned)events);
		await_associations(local_port(server), 0, 0);
		hear_all("then", server);
		tell("%d associations, %d descriptors more, memory %s", rounds,
		     ask(COUNT_DESCRIPTORS) - descriptors,
		     own_kilobytes() - memory < enough ? "as before" : "grown");
		close(server);
		tell("kernel's associations: %d", kernel_associations(0, 0));
	}
	end_companion();
}

/* Sockets that come and go leave nothing either. */
static void n03_sockets(void)
{
	int descriptors = 0;

	start_companion();
	for (int k = 0; k < 60; k++) {
		int server = open_scene(3);

		peer_sends(&peers[0], 50);
		hear("message", server, 0);
		for (int p = 0; p < 3; p++)
			if (p != k % 3)
				abort_peer(&peers[p]);
		close(server);
		close_peer(&peers[k % 3]);
		peer_count = 0;
		if (k == 5)
			descriptors = ask(COUNT_DESCRIPTORS);
	}
	tell("%d descriptors more", ask(COUNT_DESCRIPTORS) - descriptors);
	end_companion();
}

/* ---- N05: all other notifications ---- */

static void n05_dry(void)
{
	int server = open_scene(2);

	subscribe(server, SUB_DATA | SUB_DRY);
	hear_all("subscribed", server);
	for (int i = 0; i < 2; i++) {
		send_to_peer(server, &peers[i], 50);
		peer_hears(&peers[i]);
		await_input(server);
		hear_all("dry", server);
	}
	close_scene(server);
}

/* The peer ends while it has been sent more than it takes. */
static void n05_send_failed(void)
{
	int server = open_scene(1), failed = 0, lost = 0;
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV, .message_flags = MSG_DONTWAIT};
	struct receipt *r = new_receipt();

	set_int(server, SOL_SOCKET, SO_SNDBUF, 20000);
	subscribe(server, SUB_DATA | SUB_SEND_FAILED | SUB_ASSOC);
	while (send_bytes(server, &s, message_buffer, 1000) == 1000)
		;
	abort_peer(&peers[0]);
	await_end(&peers[0]);
	while (take(r, server, MSG_DONTWAIT) >= 0) {
		const union sctp_notification *event = (const void *)r->data;

		failed += event->sn_header.sn_type == SCTP_SEND_FAILED;
		lost += event->sn_header.sn_type == SCTP_ASSOC_CHANGE;
	}
	tell("%s failed, %d lost", failed > 0 ? "some" : "none", lost);
	free(r);
	close_scene(server);
}

static const struct test tests[] = {
	{"n01-early", n01_early},
	{"n01-later", n01_later},
	{"n01-lengths", n01_lengths},
	{"n01-one-association", n01_one_association},
	{"n01-changes", n01_changes},
	{"n01-queued", n01_queued},
	{"n01-nothing", n01_nothing},
	{"n01-plain-reads", n01_plain_reads},
	{"n02-peer-closes", n02_peer_closes},
	{"n02-peer-aborts", n02_peer_aborts},
	{"n02-eof", n02_eof},
	{"n02-abort", n02_abort},
	{"n02-silence", n02_silence},
	{"n02-autoclose", n02_autoclose},
	{"n02-asleep", n02_asleep},
	{"n02-twice", n02_twice},
	{"n04-reconnect", n04_reconnect},
	{"n04-restart", n04_restart},
	{"n03-closed-at-once", n03_closed_at_once},
	{"n03-ends-amid", n03_ends_amid},
	{"n03-all-amid", n03_all_amid},
	{"n03-loop", n03_loop},
	{"n03-sockets", n03_sockets},
	{"n05-dry", n05_dry},
	{"n05-send-failed", n05_send_failed},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
