/* SPDX-License-Identifier: MIT */
/* The peers: one-to-one sockets that do the plan's steps, each in its own time. */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define FAULT(peers, ...)                                                              \
	do {                                                                           \
		if (!(peers)->fault[0])                                                \
			snprintf((peers)->fault, sizeof((peers)->fault), __VA_ARGS__); \
	} while (0)

static struct life *life_of(struct peer *peer)
{
	return &peer->life[peer->lives - 1];
}

void peers_free(struct peers *peers)
{
	for (unsigned p = 0; p <= PEERS; p++) {
		if (peers->all[p].fd >= 0)
			close(peers->all[p].fd);
		for (unsigned l = 0; l < peers->all[p].lives; l++)
			free(peers->all[p].life[l].messages);
	}
	free(peers);
}

/* ---- from connect to the end ---- */

static int open_peer(const struct peers *peers, const struct peer *peer)
{
	struct sockaddr_in from = {.sin_family = AF_INET,
				   .sin_port = htons((in_port_t)(PEER_PORT + peer->number))};
	struct sctp_event_subscribe events = {.sctp_data_io_event = 1, .sctp_association_event = 1};
	struct timeval patience = {.tv_sec = peer->unheard ? 1 : 10};
	const int *set = peers->plan->set;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);

	if (fd < 0)
		return -1;
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + peer->number);
	be_patient(fd);
	setsockopt(fd, SOL_SCTP, SCTP_EVENTS, &events, sizeof(events));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (set[SET_maxseg])
		setsockopt(fd, SOL_SCTP, SCTP_MAXSEG, &set[SET_maxseg], sizeof(int));
	if (set[SET_peerbuf])
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &set[SET_peerbuf], sizeof(int));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void begin_life(struct peers *peers, struct peer *peer)
{
	fcntl(peer->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	peer->life[peer->lives] = (struct life){.ending = ALIVE, .restarted = peer->unheard};
	memset(peer->life[peer->lives].last, -1, sizeof(peer->life->last));
	peer->lives++;
	peer->leaving = peer->unheard = false;
	peer->have = 0;
	peer->deaf_until = 0;
	peers->associations++;
}

/* False while the association before is still ending. */
static bool connect_peer(struct peers *peers, struct peer *peer)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(SERVER_PORT),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int error;

	if (peer->lives == LIVES)
		return true;
	peer->fd = open_peer(peers, peer);
	if (peer->fd >= 0 && connect(peer->fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
		begin_life(peers, peer);
		return true;
	}
	error = errno;
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
	/* where the other side still has it, an INIT may be refused or not be answered */
	if (error == EADDRINUSE || error == EADDRNOTAVAIL || peer->unheard)
		return false;
	FAULT(peers, "peer %u cannot connect: %s", peer->number, strerror(error));
	return true;
}

static void end_life(struct peer *peer, enum ending ending)
{
	life_of(peer)->ending = ending;
	close(peer->fd);
	peer->fd = -1;
	peer->leaving = false;
}

static void abort_peer(struct peer *peer)
{
	struct linger hard = {1, 0};

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	end_life(peer, ABRUPT);
}

/* Whether what this peer sends gets lost on its way. tests/torture/run has prepared for that; else
 * nothing does. */
static void lose_packets(const struct peer *peer, bool lost)
{
	char from[20];
	pid_t child;

	snprintf(from, sizeof(from), "127.0.1.%u", peer->number + 1);
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		execlp("ip", "ip", "rule", lost ? "add" : "del", "pref", "50", "from", from,
		       "blackhole", (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static void restart(struct peers *peers, struct peer *peer)
{
	lose_packets(peer, true);
	abort_peer(peer);
	lose_packets(peer, false);
	peer->unheard = true;
	connect_peer(peers, peer);
}

/* ---- sending ---- */

static bool room_for_one_more(struct peers *peers, struct life *life)
{
	struct sent *more;

	if (life->sent % 256 != 0)
		return true;
	if (life->sent == NUMBERS)
		return false;
	more = realloc(life->messages, (life->sent + 256) * sizeof(*more));
	if (!more) {
		FAULT(peers, "no memory");
		return false;
	}
	life->messages = more;
	return true;
}

/* False when there was no room: it has to be tried again. */
static bool send_message(struct peers *peers, struct peer *peer, struct message head)
{
	static _Alignas(struct message) char buffer[BIGGEST];
	struct message *message = (struct message *)(void *)buffer;
	struct life *life = life_of(peer);

	if (!room_for_one_more(peers, life))
		return true;
	*message = head;
	message->peer = (uint16_t)peer->number;
	message->life = (uint16_t)(peer->lives - 1);
	message->number = life->sent;
	message_make(message);
	if (sctp_sendmsg(peer->fd, message, message->size, NULL, 0, htonl(message->ppid),
			 message->unordered ? SCTP_UNORDERED : 0, message->stream, 0, 0) < 0) {
		/* EPIPE: the server ended it on another processor a moment ago: of that it hears */
		if (errno == EAGAIN || errno == EPIPE || life->restarted ||
		    peers->plan->set[SET_kills])
			return false;
		FAULT(peers, "peer %u life %u cannot send message %u: %m", peer->number,
		      peer->lives - 1, life->sent);
		return true;
	}
	life->messages[life->sent++] = (struct sent){.stream = (uint8_t)message->stream,
						     .unordered = message->unordered,
						     .order = message->order != ORDER_NOTHING};
	life->orders += message->order != ORDER_NOTHING;
	peers->sent++;
	return true;
}

/* SEND COUNT SIZE STREAMS PPID UNORDERED: sizes are drawn up to SIZE, streams change. */
static bool send_some(struct peers *peers, struct peer *peer, const struct step *step)
{
	unsigned most = step->args[1] < BIGGEST ? step->args[1] : BIGGEST;
	unsigned least = sizeof(struct message);

	while (peer->done < step->args[0]) {
		unsigned mix = peer->done * 2654435761U + peer->number * 40503U;
		struct message head = {
			.size = most > least ? least + (mix >> 8) % (most - least + 1) : least,
			.stream = (uint16_t)(peer->done % (step->args[2] % STREAMS + 1)),
			.ppid = step->args[3],
			.unordered = step->args[4] && peer->done % 3 == 0};

		if (!send_message(peers, peer, head))
			return false;
		peer->done++;
		if (peers->fault[0] || peer->done % 16 == 0)
			break; /* the others' turn */
	}
	return peer->done >= step->args[0];
}

/* ---- echoes ---- */

static void hear_echo(struct peers *peers, struct peer *peer, const struct message *message,
		      size_t size, unsigned stream)
{
	struct life *life = life_of(peer);
	const char *fault = message_fault(message, size);
	struct sent *sent;

	/* by its id, which a restart does not change, it may reach the next life */
	if (!fault && life->restarted && message->life + 1U < peer->lives)
		return;
	if (fault || message->peer != peer->number || message->life + 1U != peer->lives ||
	    message->number >= life->sent || message->stream != stream) {
		FAULT(peers, "peer %u life %u hears message %u of peer %u life %u: %s",
		      peer->number, peer->lives - 1, message->number, message->peer, message->life,
		      fault ? fault : "not its own");
		return;
	}
	sent = &life->messages[message->number];
	if (sent->heard)
		FAULT(peers, "peer %u life %u hears message %u twice", peer->number,
		      peer->lives - 1, message->number);
	sent->heard = true;
	life->echoes++;
	if (sent->unordered || peers->plan->set[SET_threads] > 1 || peers->plan->set[SET_workers])
		return;
	if ((int)message->number < life->last[stream])
		FAULT(peers, "peer %u life %u hears message %u after %d", peer->number,
		      peer->lives - 1, message->number, life->last[stream]);
	life->last[stream] = (int)message->number;
}

/* The association is over, as was agreed, or it should not be. */
static void hear_end(struct peers *peers, struct peer *peer, int error)
{
	bool ordered = peer->leaving && life_of(peer)->ending != ALIVE;

	if (!peer->leaving || (error && life_of(peer)->ending != ABRUPT)) {
		if (!life_of(peer)->restarted && peers->plan->set[SET_kills])
			peers->severed++;
		else if (!life_of(peer)->restarted)
			FAULT(peers, "peer %u life %u: its association has ended: %s", peer->number,
			      peer->lives - 1, error ? strerror(error) : "shut down");
		end_life(peer, ABRUPT);
		return;
	}
	end_life(peer, ordered ? life_of(peer)->ending : GRACEFUL);
}

static void hear_notification(struct peers *peers, struct peer *peer)
{
	const union sctp_notification *n = (const void *)peer->in;

	if (n->sn_header.sn_type != SCTP_ASSOC_CHANGE)
		return;
	if (n->sn_assoc_change.sac_state == SCTP_SHUTDOWN_COMP)
		hear_end(peers, peer, 0);
	else if (n->sn_assoc_change.sac_state == SCTP_COMM_LOST)
		hear_end(peers, peer, ECONNRESET);
}

/* False when there is nothing to hear. */
static bool hear(struct peers *peers, struct peer *peer)
{
	struct sctp_sndrcvinfo info = {.sinfo_stream = 0};
	int flags = 0, n;

	if (peer->fd < 0 || peer->deaf_until > now())
		return false;
	n = sctp_recvmsg(peer->fd, peer->in + peer->have, sizeof(peer->in) - peer->have, NULL, NULL,
			 &info, &flags);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			hear_end(peers, peer, n == 0 ? 0 : errno);
		return false;
	}
	if (flags & MSG_NOTIFICATION) {
		hear_notification(peers, peer);
		return peer->fd >= 0;
	}
	peer->have += (size_t)n;
	if (!(flags & MSG_EOR))
		return true;
	hear_echo(peers, peer, (const void *)peer->in, peer->have, info.sinfo_stream);
	peer->have = 0;
	return true;
}

static bool all_heard(const struct peers *peers, struct peer *peer)
{
	const struct life *life = life_of(peer);

	return peers->plan->set[SET_echo] == ECHO_NONE ||
	       life->echoes + life->orders +
			       atomic_load(
				       &peers->ledger->unechoed[peer->number][peer->lives - 1]) >=
		       life->sent;
}

/* ---- steps ---- */

/* ORDER WHAT ARGUMENT. Those that end the association are done when it has ended. */
static bool order(struct peers *peers, struct peer *peer, const struct step *step)
{
	bool ends = step->args[0] == ORDER_EOF || step->args[0] == ORDER_ABORT;
	struct message head = {.size = sizeof(struct message),
			       .order = (uint8_t)step->args[0],
			       .argument = step->args[1]};

	if (peer->leaving || !send_message(peers, peer, head))
		return false;
	if (!ends)
		return true;
	peer->leaving = true;
	life_of(peer)->ending = step->args[0] == ORDER_EOF ? GRACEFUL : ABRUPT;
	return false;
}

/* By address an answer that comes too late would set up a new association. */
static bool may_end(const struct peers *peers, struct peer *peer, const struct step *step)
{
	bool ends = step->verb >= SHUT && (step->verb != ORDER || step->args[0] <= ORDER_ABORT);

	return !ends || peer->leaving || peers->plan->set[SET_echo] != ECHO_ADDRESS ||
	       all_heard(peers, peer);
}

/* Whether the step is done. */
static bool act(struct peers *peers, struct peer *peer, const struct step *step)
{
	if (step->verb == CONNECT && peer->fd < 0)
		return connect_peer(peers, peer);
	if (step->verb == PAUSE && peer->until == 0)
		peer->until = now() + step->args[0] / 1e3;
	if (step->verb == PAUSE && peer->until > now())
		return false;
	peer->until = 0;
	/* what a step waited for may have come */
	if (peer->fd < 0 || step->verb == CONNECT || step->verb == PAUSE)
		return true;
	if (!may_end(peers, peer, step))
		return false;
	switch (step->verb) {
	case SEND:
		return send_some(peers, peer, step);
	case AWAIT:
		return all_heard(peers, peer);
	case STALL:
		peer->deaf_until = now() + step->args[0] / 1e3;
		return true;
	case SHUT:
		if (!peer->leaving)
			shutdown(peer->fd, SHUT_WR);
		peer->leaving = true;
		return false;
	case CLOSE:
		end_life(peer, peers->plan->set[SET_echo] == ECHO_NONE ? GRACEFUL : ANYHOW);
		return true;
	case ABORT:
		abort_peer(peer);
		return true;
	case RESTART:
		restart(peers, peer);
		return true;
	default:
		return order(peers, peer, step);
	}
}

/* Its next step in the plan; after the last one it shuts its association down. */
static void go_on(struct peers *peers, struct peer *peer)
{
	static const struct step shut = {.verb = SHUT};
	const struct plan *plan = peers->plan;

	while (!peer->over && !peers->fault[0]) {
		const struct step *step = &shut;

		while (peer->at < plan->count && plan->steps[peer->at].peer != peer->number)
			peer->at++;
		if (peer->at < plan->count)
			step = &plan->steps[peer->at];
		if (!act(peers, peer, step))
			return;
		peer->done = 0;
		peer->over = peer->at == plan->count;
		peer->at++;
	}
}

void peers_begin(struct peers *peers)
{
	for (unsigned p = 0; p <= PEERS; p++) {
		struct peer *peer = &peers->all[p];

		if (peer->lives == 0)
			peer->fd = -1;
		peer->number = p;
		peer->at = peer->done = 0;
		peer->over = p == QUITTER;
	}
}

bool peers_are_done(const struct peers *peers)
{
	for (unsigned p = 0; p < PEERS; p++)
		if (!peers->all[p].over)
			return false;
	return true;
}

bool peers_go_on(struct peers *peers, int ms)
{
	struct pollfd fds[PEERS];
	bool busy = false;

	for (unsigned p = 0; p < PEERS; p++) {
		struct peer *peer = &peers->all[p];
		unsigned at = peer->at, done = peer->done;

		for (int i = 0; i < 32 && hear(peers, peer); i++)
			;
		go_on(peers, peer);
		busy |= at != peer->at || done != peer->done;
		fds[p] = (struct pollfd){.fd = peer->fd, .events = POLLIN};
		if (peer->deaf_until > now())
			fds[p].fd = -1;
	}
	if (!busy)
		poll(fds, PEERS, ms);
	return !peers->fault[0];
}

void peers_quit(struct peers *peers)
{
	struct peer *peer = &peers->all[QUITTER];
	struct message head = {.size = sizeof(struct message), .order = ORDER_QUIT};

	if (peer->fd < 0)
		connect_peer(peers, peer);
	if (peer->fd >= 0)
		send_message(peers, peer, head);
}

void peers_tell(const struct peers *peers, FILE *out)
{
	for (unsigned p = 0; p < PEERS; p++) {
		const struct peer *peer = &peers->all[p];
		const struct life *life = peer->lives ? &peer->life[peer->lives - 1] : NULL;

		if (!life)
			continue;
		fprintf(out, "peer %u life %u: step %u, %s%s, %u sent, %u received, %u echoes\n", p,
			peer->lives - 1, peer->at,
			peer->over	? "done"
			: peer->leaving ? "leaving"
					: "alive",
			peer->fd < 0 ? ", no association" : "", life->sent, life->got,
			life->echoes);
	}
}
