/* SPDX-License-Identifier: MIT */
/*
 * faulted: a server's life in some tens of milliseconds, one step after the other, for the matrix
 * of faults (fault_matrix.c). What it prints is the same each time, whatever the shim meets.
 */
#include "contract.h"

static struct receipt *receipt;

/* Takes that many messages, in whatever order of peers. */
static void take_messages(int server, int count)
{
	int bad = 0, missing = 0;

	while (count-- > 0)
		if (take(receipt, server, 0) < 0) {
			missing++;
		} else {
			learn(receipt);
			bad += !is_next(receipt);
		}
	if (bad || missing)
		tell("%d bad, %d missing", bad, missing);
}

static void all_send(int first, int times)
{
	for (int i = 0; i < times; i++)
		for (int p = first; p < peer_count; p++)
			if (peers[p].fd >= 0)
				peer_sends(&peers[p], HEADER + 10u * (unsigned)i);
}

static void answer_all(int server)
{
	for (int p = 0; p < peer_count; p++)
		if (peers[p].fd >= 0) {
			if (send_to_peer(server, &peers[p], 100) != 100)
				tell("%s: no answer, %s", peers[p].name, errno_name(errno));
			peer_hears(&peers[p]);
		}
}

static void wait_in_all_ways(int server)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = server};
	int set = epoll_create1(EPOLL_CLOEXEC), woken;
	struct pollfd one = {.fd = server, .events = POLLIN};

	/* ENOMEM is among the errors that the manual names, and goes by */
	if (set < 0 || (epoll_ctl(set, EPOLL_CTL_ADD, server, &event) &&
			(errno != ENOMEM || epoll_ctl(set, EPOLL_CTL_ADD, server, &event))))
		die("epoll");
	all_send(0, 1);
	do
		woken = poll(&one, 1, 2000);
	while (woken < 0 && errno == EINTR);
	tell("poll: %d %s", woken, poll_names(one.revents));
	for (int i = 0; i < peer_count; i++) {
		do
			woken = epoll_wait(set, &event, 1, 2000);
		while (woken < 0 && errno == EINTR);
		tell("epoll: %d %s", woken, poll_names(woken == 1 ? (int)event.events : 0));
		take_messages(server, 1);
	}
	tell("then: %d", epoll_wait(set, &event, 1, 0));
	close(set);
}

static void set_options(int server)
{
	struct sctp_status status = {.sstat_assoc_id = peers[0].id};
	socklen_t length = sizeof(status);
	int size = -1;

	set_int(server, SOL_SCTP, SCTP_NODELAY, 1);
	set_int(server, SOL_SOCKET, SO_RCVBUF, 100000);
	tell("status: %d", getsockopt(server, SOL_SCTP, SCTP_STATUS, &status, &length));
	all_send(0, 1);
	for (int i = 0; i < peer_count; i++) {
		await_input(server);
		OUTCOME("FIONREAD", ioctl(server, FIONREAD, &size));
		tell("%d", size);
		take_messages(server, 1);
	}
}

/* A child takes one message of each, then the parent does. */
static void share(int server)
{
	pid_t child;
	int status;

	all_send(0, 2);
	child = fork();
	if (child == 0) {
		take_messages(server, peer_count);
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	tell("child: %d", WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
	/* what it took is not known here, but all were served in turn or not: count only */
	for (int i = 0; i < peer_count; i++)
		if (take(receipt, server, 0) < 0)
			tell("missing");
	for (int p = 0; p < peer_count; p++)
		peers[p].taken = peers[p].sent;
	tell("more: %zd", take(receipt, server, MSG_DONTWAIT));
}

static void one_leaves_another_comes(int server)
{
	subscribe(server, SUB_DATA | SUB_ASSOC);
	close_peer(&peers[0]);
	do
		if (take(receipt, server, 0) < 0)
			die("no end");
	while (!(receipt->header.msg_flags & MSG_NOTIFICATION));
	tell("%s", ((union sctp_notification *)(void *)receipt->data)->sn_assoc_change.sac_state ==
				   SCTP_SHUTDOWN_COMP
			   ? "it has left"
			   : "another notification");
	await_end(&peers[0]);
	subscribe(server, SUB_DATA);
	connect_peer(new_peer(), server);
	all_send(peer_count - 1, 2);
	take_messages(server, 2);
}

/* The program peels one off itself. */
static void peel_one(int server)
{
	int fd = sctp_peeloff(server, peers[1].id);

	if (fd < 0)
		die("peeloff");
	peer_sends(&peers[1], 50);
	take_messages(fd, 1);
	abort_peer(&peers[1]);
	await_end(&peers[1]);
	close(fd);
}

/* The rest is taken by another image of it, which has the endpoint handed over. */
static void execute(int server, char **argv)
{
	char number[3][16];

	snprintf(number[0], sizeof(number[0]), "%d", server);
	snprintf(number[1], sizeof(number[1]), "%d", peers[2].fd);
	snprintf(number[2], sizeof(number[2]), "%d", peers[3].fd);
	all_send(2, 2);
	fflush(stdout);
	execl("/proc/self/exe", argv[0], number[0], number[1], number[2], NULL);
	die("exec");
}

static void go_on(char **argv)
{
	int server = atoi(argv[1]), count = 0;

	set_timeout(server, SO_RCVTIMEO, 3000);
	for (int i = 0; i < 4; i++)
		count += take(receipt, server, 0) > 0;
	tell("taken after exec: %d", count);
	for (int i = 2; i <= 3; i++) {
		struct peer peer = {.fd = atoi(argv[i])};

		peer_count = 0;
		abort_peer(&peer);
	}
	await_associations(local_port(server), 0, 0);
	close(server);
	tell("end");
}

int main(int argc, char **argv)
{
	int server, copy;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(10);
	receipt = new_receipt();
	if (argc > 1) {
		go_on(argv);
		return 0;
	}
	server = open_scene(3);
	set_timeout(server, SO_RCVTIMEO, 3000);
	all_send(0, 3);
	take_messages(server, 9);
	answer_all(server);
	wait_in_all_ways(server);
	set_options(server);
	copy = dup(server);
	close(server);
	server = copy;
	share(server);
	one_leaves_another_comes(server);
	peel_one(server);
	execute(server, argv);
}
