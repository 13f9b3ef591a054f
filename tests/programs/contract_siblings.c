/* SPDX-License-Identifier: MIT */
/* contract P02: processes that share a socket after fork, and what each may do with it. */
#include "contract.h"

/* What a sibling is told to do, with the peer that it is about as its parent knows it. */
struct deed {
	char what;
	struct peer peer;
};

struct sibling {
	pid_t pid;
	int line;
};

/* Receives one message or notification if there is any, and says so. */
static void receives(const char *who, int fd)
{
	struct receipt *r = new_receipt();

	await_input(fd);
	if (take(r, fd, MSG_DONTWAIT) < 0) {
		tell("%s: %s", who, errno_name(errno));
	} else if (r->header.msg_flags & MSG_NOTIFICATION) {
		struct line line = {0};

		describe(&line, r);
		tell("%s: %s", who, line.text);
	} else {
		learn(r);
		tell("%s: %.7s", who, r->data);
	}
	free(r);
}

static void sends_by_address(const char *who, int fd, struct peer *peer)
{
	struct sockaddr_in to = loopback(1, peer->port);
	struct sending s = {.to = (struct sockaddr *)&to, .to_length = sizeof(to)};

	make_message(message_buffer, peer->name, peer->heard, 60);
	OUTCOME(who, send_bytes(fd, &s, message_buffer, 60));
}

static void asks(const char *who, int fd, const struct peer *peer)
{
	struct sctp_status status = {.sstat_assoc_id = peer->id};
	struct sctp_rtoinfo rto = {.srto_assoc_id = peer->id};
	struct sockaddr *addresses;
	socklen_t length = sizeof(status);
	uint32_t count = 0;

	OUTCOME(who, getsockopt(fd, IPPROTO_SCTP, SCTP_STATUS, &status, &length));
	tell("%s: state %s", who, state_name(status.sstat_state));
	length = sizeof(rto);
	OUTCOME("rto", getsockopt(fd, IPPROTO_SCTP, SCTP_RTOINFO, &rto, &length));
	rto.srto_max += 10;
	OUTCOME("set", setsockopt(fd, IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof(rto)));
	tell("%s: maximum %u", who, rto.srto_max);
	length = sizeof(count);
	OUTCOME("number", getsockopt(fd, IPPROTO_SCTP, SCTP_GET_ASSOC_NUMBER, &count, &length));
	tell("%s: %u associations", who, count);
	OUTCOME("addresses", sctp_getpaddrs(fd, peer->id, &addresses));
}

/* True while it goes on. */
static bool does(const char *who, int fd, struct deed *deed)
{
	static int own = -1;

	switch (deed->what) {
	case 'r':
		receives(who, fd);
		break;
	case 'i':
		OUTCOME(who, send_to_peer(fd, &deed->peer, 60));
		break;
	case 'a':
		sends_by_address(who, fd, &deed->peer);
		break;
	case 'o':
		asks(who, fd, &deed->peer);
		break;
	case 'w':
		tell("%s: %s", who, poll_names(poll_now(fd)));
		break;
	case 'p':
		own = sctp_peeloff(fd, deed->peer.id);
		tell("%s: %s", who, own < 0 ? errno_name(errno) : "its own");
		break;
	case 'R':
		receives(who, own);
		break;
	case 'n':
		set_int(fd, SOL_SOCKET, SO_PRIORITY, 3);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		break;
	case 'c':
		close(fd);
		break;
	case 'k':
		kill(getpid(), SIGKILL);
		break;
	default:
		return false;
	}
	return true;
}

static struct sibling fork_sibling(const char *who, int fd)
{
	struct deed deed;
	int line[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("socketpair");
	fflush(stdout);
	pid = fork();
	if (pid != 0) {
		close(line[1]);
		return (struct sibling){pid, line[0]};
	}
	alarm(60);
	close(line[0]);
	while (read(line[1], &deed, sizeof(deed)) == (ssize_t)sizeof(deed) &&
	       does(who, fd, &deed)) {
		fflush(stdout);
		if (write(line[1], "", 1) != 1)
			break;
	}
	_exit(0);
}

/* 'k' and 'q' are its last deeds. */
static void tell_sibling(const struct sibling *sibling, char what, const struct peer *peer)
{
	struct deed deed = {.what = what};
	char done;

	if (peer)
		deed.peer = *peer;
	fflush(stdout);
	if (write(sibling->line, &deed, sizeof(deed)) != (ssize_t)sizeof(deed))
		die("the sibling");
	if (what == 'k' || what == 'q') {
		waitpid(sibling->pid, NULL, 0);
		close(sibling->line);
	} else if (read(sibling->line, &done, 1) != 1) {
		die("the sibling does not answer");
	}
}

/* A peer that has come since the fork, and whose first message the parent has received. */
static struct peer *newcomer(int server)
{
	struct peer *peer = new_peer();

	connect_peer(peer, server);
	greet(server, 1);
	return peer;
}

/* Messages of one association go now to one, now to the other, and both answer. */
static void p02_traffic(void)
{
	int server = open_scene(2);
	struct sibling child = fork_sibling("child", server);
	struct peer *peer;

	newcomer(server);
	for (int i = 0; i < 12; i++) {
		peer = &peers[i % 3];
		peer_sends(peer, 50);
		if (i & 1) {
			receives("parent", server);
			tell_sibling(&child, i & 2 ? 'i' : 'a', peer);
			peer->heard++;
		} else {
			tell_sibling(&child, 'r', NULL);
			OUTCOME("parent", send_to_peer(server, peer, 60));
		}
		peer_hears(peer);
	}
	tell_sibling(&child, 'q', NULL);
	close_scene(server);
}

/* The child has never looked at the socket since it was forked. */
static void p02_first(void)
{
	static const char deeds[] = "iaowr";

	for (const char *at = deeds; *at; at++) {
		int server = open_scene(1);
		struct sibling child = fork_sibling("child", server);
		struct peer *peer = newcomer(server);

		if (*at == 'w' || *at == 'r')
			peer_sends(peer, 50);
		if (*at == 'w')
			await_input(server);
		tell_sibling(&child, *at, peer);
		tell_sibling(&child, 'q', NULL);
		close_scene(server);
	}
}

/* Where there is no /proc nobody can see who is there, and what he has open. */
static void p02_rootless(void)
{
	if (chroot(getenv("CONTRACT_ROOT")) || chdir("/"))
		die("chroot");
	p02_first();
}

/* One reads the beginning of a message, another its end: then the first hears others again. */
static void p02_rest(void)
{
	int server = open_scene(2);
	struct sibling child = fork_sibling("child", server);
	struct peer *third = new_peer();
	char bytes[10];

	for (int p = 0; p < 2; p++) {
		peer_sends(&peers[p], 50);
		receives("parent", server);
	}
	connect_peer(third, server);
	peer_sends(third, 100);
	await_input(server);
	OUTCOME("parent", recv(server, bytes, sizeof(bytes), 0));
	tell_sibling(&child, 'r', NULL);
	peer_sends(&peers[0], 50);
	await_input(server);
	receives("parent", server);
	tell_sibling(&child, 'q', NULL);
	close_scene(server);
}

/* Each hears the ends of those that the other has received from. */
static void p02_ends(void)
{
	int server = open_scene(1);
	struct sibling child = fork_sibling("child", server);
	struct peer *first = newcomer(server), *second = newcomer(server);

	subscribe(server, SUB_DATA | SUB_ASSOC);
	peer_sends(first, 50);
	tell_sibling(&child, 'r', NULL);
	close_peer(first);
	await_end(first);
	tell_sibling(&child, 'i', first);
	OUTCOME("parent", send_to_peer(server, first, 60));
	tell_sibling(&child, 'r', NULL);
	abort_peer(second);
	await_end(second);
	OUTCOME("parent", send_to_peer(server, second, 60));
	tell_sibling(&child, 'i', second);
	receives("parent", server);
	tell_sibling(&child, 'w', second);
	peer_sends(&peers[0], 50);
	tell_sibling(&child, 'r', NULL);
	tell_sibling(&child, 'q', NULL);
	close_scene(server);
}

/* The child takes an association for itself: it is on the shared socket no more. */
static void p02_moved(void)
{
	int server = open_scene(1);
	struct sibling child = fork_sibling("child", server);
	struct peer *peer = newcomer(server);

	tell_sibling(&child, 'p', peer);
	peer_sends(peer, 50);
	tell_sibling(&child, 'R', peer);
	tell("parent: %s", poll_names(poll_now(server)));
	OUTCOME("parent", send_to_peer(server, peer, 60));
	peer_sends(&peers[0], 50);
	receives("parent", server);
	tell_sibling(&child, 'q', NULL);
	close_scene(server);
}

/* The child has slept through many that have come and gone, and finds the two that have not. */
static void p02_many(void)
{
	int server = open_scene(1);
	struct sibling child = fork_sibling("child", server);
	struct peer *first = newcomer(server), *last;

	for (int i = 0; i < 200; i++) {
		struct peer *peer = newcomer(server);

		abort_peer(peer);
		await_end(peer);
	}
	last = newcomer(server);
	tell_sibling(&child, 'i', first);
	first->heard++;
	peer_hears(first);
	peer_sends(last, 50);
	tell_sibling(&child, 'r', NULL);
	tell_sibling(&child, 'i', last);
	last->heard++;
	peer_hears(last);
	tell_sibling(&child, 'q', NULL);
	close_scene(server);
}

/* What the child sets on the socket holds for both. */
static void p02_settings(void)
{
	int server = open_scene(1);
	struct sibling child = fork_sibling("child", server);
	struct peer *peer = newcomer(server);
	struct receipt *r = new_receipt();

	tell_sibling(&child, 'n', NULL);
	OUTCOME("parent", take(r, server, 0));
	peer_sends(peer, 50);
	receives("parent", server);
	tell_sibling(&child, 'q', NULL);
	close_scene(server);
	free(r);
}

/* A child is killed, another closes the socket; a third goes on. */
static void p02_deaths(void)
{
	int server = open_scene(1);
	struct sibling one = fork_sibling("one", server), two = fork_sibling("two", server), three;
	struct peer *peer = newcomer(server);

	peer_sends(peer, 50);
	tell_sibling(&one, 'r', NULL);
	peer_sends(peer, 50);
	tell_sibling(&two, 'r', NULL);
	tell_sibling(&one, 'k', NULL);
	tell_sibling(&two, 'c', NULL);
	peer = newcomer(server);
	three = fork_sibling("three", server);
	for (int i = 0; i < 2; i++) {
		for (int p = 0; p < peer_count; p++) {
			peer_sends(&peers[p], 50);
			if (i)
				receives("parent", server);
			else
				tell_sibling(&three, 'r', NULL);
			OUTCOME("parent", send_to_peer(server, &peers[p], 60));
			peer_hears(&peers[p]);
		}
	}
	tell_sibling(&two, 'q', NULL);
	tell_sibling(&three, 'q', NULL);
	close_scene(server);
}

/* The one that opened the socket goes first. */
static void p02_orphans(void)
{
	int server = open_scene(1);
	struct sibling one = fork_sibling("one", server), two = fork_sibling("two", server);
	struct peer *peer = newcomer(server);

	tell_sibling(&one, 'i', peer);
	peer->heard++;
	peer_hears(peer);
	close(server);
	for (int i = 0; i < 4; i++) {
		peer = &peers[i % 2];
		peer_sends(peer, 50);
		tell_sibling(i & 1 ? &one : &two, 'r', NULL);
		tell_sibling(i & 2 ? &one : &two, 'i', peer);
		peer->heard++;
		peer_hears(peer);
	}
	tell_sibling(&one, 'q', NULL);
	tell_sibling(&two, 'q', NULL);
	for (int p = 0; p < peer_count; p++)
		await_end(&peers[p]);
	close_scene(-1);
}

static const struct test tests[] = {
	{"p02-traffic", p02_traffic},	{"p02-first", p02_first},
	{"p02-rootless", p02_rootless}, {"p02-rest", p02_rest},
	{"p02-ends", p02_ends},		{"p02-many", p02_many},
	{"p02-moved", p02_moved},	{"p02-settings", p02_settings},
	{"p02-deaths", p02_deaths},	{"p02-orphans", p02_orphans},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
