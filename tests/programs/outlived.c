/* SPDX-License-Identifier: MIT */
/*
 * outlived: two processes share a socket, and one of them, "victim" by its name, may be killed at
 * any time (fault_matrix -k). The other has all that was not taken, and goes on. What this prints
 * is the same whenever that was.
 */
#include "contract.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { FIRST = 3, MOST = 8 };

/* What both know. */
static struct {
	struct peer peers[MOST];
	atomic_uint taken[MOST]; /* messages of each that the victim has for certain */
	atomic_int in_hand;	 /* it may have one more */
	int count;
} * shared;

static struct receipt *receipt;

/* ---- the victim ---- */

static void victim_takes(int server, int count)
{
	while (count-- > 0) {
		atomic_store(&shared->in_hand, 1);
		if (take(receipt, server, 0) >= 0) {
			struct peer *peer = peer_of_port(port_of(&receipt->name));

			learn(receipt);
			if (peer)
				atomic_fetch_add(&shared->taken[peer - peers], 1);
		}
		atomic_store(&shared->in_hand, 0);
	}
}

static void victim_answers(int server)
{
	for (int p = 0; p < peer_count; p++)
		send_to_peer(server, &peers[p], 60);
}

static void victim_waits(int server)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = server};
	int set = epoll_create1(EPOLL_CLOEXEC);

	poll_now(server);
	epoll_ctl(set, EPOLL_CTL_ADD, server, &event);
	for (int i = 0; i < 2; i++) {
		epoll_wait(set, &event, 1, 2000);
		victim_takes(server, 1);
	}
	close(set);
}

static void victim_sets(int server)
{
	struct sctp_rtoinfo rto = {.srto_assoc_id = peers[0].id};
	socklen_t length = sizeof(rto);

	getsockopt(server, SOL_SCTP, SCTP_RTOINFO, &rto, &length);
	setsockopt(server, SOL_SCTP, SCTP_RTOINFO, &rto, sizeof(rto));
	set_int(server, SOL_SCTP, SCTP_NODELAY, 1);
	subscribe(server, SUB_DATA | SUB_ADAPTATION);
	subscribe(server, SUB_DATA);
}

static void victim_notices(int server)
{
	(void)poll_now(server);
	victim_answers(server);
}

/* What the peers do, then what the victim does with it. */
static const struct step {
	int messages;	/* from each peer */
	bool newcomer;	/* one more peer, with a message: the victim is the first to hear it */
	bool departure; /* the first peer goes */
	int taken;	/* how many of all that it takes first */
	void (*act)(int server);
} steps[] = {
	{.messages = 1, .taken = FIRST},
	{.newcomer = true, .taken = 1, .act = victim_answers},
	{.messages = 2, .taken = 5, .act = victim_answers},
	{.newcomer = true, .messages = 1, .taken = 4, .act = victim_waits},
	{.act = victim_sets},
	{.departure = true, .act = victim_notices},
	{.newcomer = true, .taken = 1},
	{.messages = 1, .taken = 2},
};

static _Noreturn void be_victim(int server, int line)
{
	char order;

	alarm(10);
	prctl(PR_SET_NAME, "victim");
	for (int p = 0; p < peer_count; p++)
		close(peers[p].fd);
	while (read(line, &order, 1) == 1) {
		const struct step *step = &steps[(int)order];

		peer_count = shared->count;
		for (int p = 0; p < peer_count; p++)
			if (!peers[p].port)
				peers[p] = shared->peers[p];
		victim_takes(server, step->taken);
		if (step->act)
			step->act(server);
		if (write(line, "", 1) != 1)
			break;
	}
	close(server);
	_exit(0);
}

/* ---- the other ---- */

static void peers_act(int server, const struct step *step)
{
	if (step->newcomer)
		connect_peer(new_peer(), server);
	for (int p = 0; p < peer_count; p++)
		for (int i = 0; i < step->messages && peers[p].fd >= 0; i++)
			peer_sends(&peers[p], 50);
	if (step->newcomer && !step->messages)
		peer_sends(&peers[peer_count - 1], 50);
	if (step->departure) {
		close_peer(&peers[0]);
		await_end(&peers[0]);
	}
	memcpy(shared->peers, peers, sizeof(shared->peers));
	shared->count = peer_count;
}

/* True: the message is one that may come now. `spare` is what the victim may have taken with it. */
static bool fits(unsigned *next, int *spare)
{
	struct peer *peer = receipt->size > 0 ? peer_of_port(port_of(&receipt->name)) : NULL;
	int number = peer ? message_number(receipt->data, (size_t)receipt->size) : -1;

	if (number >= 0 && *spare > 0 && (unsigned)number == next[peer - peers] + 1) {
		--*spare;
		next[peer - peers]++;
	}
	return number >= 0 && (unsigned)number == next[peer - peers]++;
}

static void take_the_rest(int server, unsigned *next, int *spare)
{
	struct pollfd one = {.fd = server, .events = POLLIN};

	while (poll(&one, 1, 100) > 0 && take(receipt, server, MSG_DONTWAIT) >= 0) {
		learn(receipt);
		if (!fits(next, spare)) {
			struct line line = {0};

			describe(&line, receipt);
			tell("out of order: %s", line.text);
		}
	}
}

static bool is_gone(struct peer *peer)
{
	char byte;

	while (recv(peer->fd, message_buffer, sizeof(message_buffer), MSG_DONTWAIT) > 0)
		continue;
	return recv(peer->fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN;
}

/* As servers do, whose worker was killed. */
static void fork_another(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("fork");
}

/* All that live are heard and answered by the one that is left. */
static void all_go_on(int server)
{
	unsigned next[MOST];
	int spare = atomic_load(&shared->in_hand), lost = 0;

	for (int p = 0; p < peer_count; p++)
		next[p] = atomic_load(&shared->taken[p]) + (p < FIRST ? 1u : 0u);
	take_the_rest(server, next, &spare);
	for (int p = 0; p < peer_count; p++)
		if (peers[p].fd >= 0 && is_gone(&peers[p])) {
			tell("an association has gone with the victim");
			forget_peer(&peers[p]);
		} else if (peers[p].fd >= 0) {
			peer_sends(&peers[p], 50);
		}
	take_the_rest(server, next, &spare);
	for (int p = 0; p < peer_count; p++)
		if (peers[p].fd >= 0 && next[p] != peers[p].sent)
			tell("%s: %u of %u", peers[p].name, next[p], peers[p].sent);
	for (int p = 0; p < peer_count; p++)
		if (peers[p].fd >= 0)
			lost += send_to_peer(server, &peers[p], 70) != 70 ||
				recv(peers[p].fd, message_buffer, sizeof(message_buffer), 0) != 70;
	if (lost)
		tell("%d not answered", lost);
}

static void leaves_nothing(int server)
{
	in_port_t port = local_port(server);
	int open = 0, living = kernel_associations(port, 0);

	for (int fd = 0; fd < 1024; fd++)
		open += one_to_many(fd);
	if (open > 1 + living)
		tell("%d sockets for %d associations", open, living);
	for (int p = 0; p < peer_count; p++)
		if (peers[p].fd >= 0) {
			close_peer(&peers[p]);
			await_end(&peers[p]);
		}
	if (take(receipt, server, MSG_DONTWAIT) >= 0) {
		struct line line = {0};

		describe(&line, receipt);
		tell("nobody asked for %s", line.text);
	}
	close(server);
	await_associations(port, 0, 0);
}

int main(void)
{
	int server, line[2], status;
	char answer = 0;
	pid_t victim;

	alarm(12);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	receipt = new_receipt();
	server = open_scene(FIRST);
	set_timeout(server, SO_RCVTIMEO, 2000);
	if (shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("line");
	signal(SIGPIPE, SIG_IGN);
	victim = fork();
	if (victim == 0) {
		close(line[1]);
		be_victim(server, line[0]);
	}
	close(line[0]);
	for (char i = 0; i < (char)COUNT(steps); i++) {
		peers_act(server, &steps[(int)i]);
		if (write(line[1], &i, 1) != 1 || read(line[1], &answer, 1) != 1)
			break;
		/* it hears what the other says now and then, not each time */
		if (i % 2)
			(void)poll_now(server);
	}
	close(line[1]);
	if (waitpid(victim, &status, 0) != victim ||
	    (status && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)))
		tell("the victim ended with %#x", (unsigned)status);
	fork_another();
	all_go_on(server);
	leaves_nothing(server);
	tell("end");
	return 0;
}
