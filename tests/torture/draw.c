/* SPDX-License-Identifier: MIT */
/* Plans drawn from a seed. What no server could bear natively is not drawn. */
#include "torture.h"

#include <string.h>

/* splitmix64 */
static unsigned draw(uint64_t *state, unsigned below)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (unsigned)((z ^ z >> 31) >> 11) % below;
}

#define ONE_OF(state, ...) ((const int[]){__VA_ARGS__}[draw(state, COUNT(((int[]){__VA_ARGS__})))])

/* ---- the server ---- */

/* Whether its call tells who has sent what. */
static bool tells_sender(const int *set)
{
	return set[SET_call] != BY_READ && set[SET_call] != BY_READV;
}

static bool tells_id(const int *set)
{
	switch (set[SET_call]) {
	case BY_RECVMSG:
	case BY_RECVMMSG:
		return set[SET_info] != INFO_NONE;
	case BY_SCTP_RECVMSG:
		return set[SET_info] == INFO_SNDRCV; /* libsctp has room for one */
	case BY_SCTP_RECVV:
		/* what tells of the next message takes its place */
		return set[SET_info] == INFO_RCVINFO || set[SET_info] == INFO_BOTH;
	default:
		return false;
	}
}

/* Several threads must not sleep in a receive for what another one has taken. */
static void draw_waiting(int *set, uint64_t *state)
{
	set[SET_wait] = ONE_OF(state, WAIT_NONE, WAIT_NONE, WAIT_POLL, WAIT_PPOLL, WAIT_SELECT,
			       WAIT_PSELECT, WAIT_LEVEL, WAIT_EDGE, WAIT_EDGE, WAIT_ONESHOT,
			       WAIT_EXCLUSIVE);
	set[SET_threads] = ONE_OF(state, 1, 1, 1, 2, 4);
	set[SET_burst] = 1;
	if (set[SET_wait] == WAIT_NONE)
		return;
	if (set[SET_threads] > 1 || set[SET_wait] == WAIT_EDGE || draw(state, 2)) {
		set[SET_nonblock] = 1 + (int)draw(state, 2);
		set[SET_burst] = ONE_OF(state, 0, 1, 3, 10);
	}
	if (set[SET_wait] == WAIT_EDGE)
		set[SET_burst] = 0;
	if (!tells_sender(set) && set[SET_nonblock])
		set[SET_nonblock] = 1;
}

static void draw_answers(int *set, uint64_t *state)
{
	bool may_be[] = {true, tells_id(set), tells_id(set), tells_sender(set)};

	do
		set[SET_echo] = (int)draw(state, COUNT(may_be));
	while (!may_be[set[SET_echo]]);
}

/*
 * Small buffers and fragments only for one thread: pieces of several would have no order. Fragments
 * of many associations that fill the buffer would all wait for each other in it: it is so big here
 * that they never do.
 */
static void draw_sizes(int *set, uint64_t *state)
{
	set[SET_rcvbuf] = ONE_OF(state, 0, 0, 0, 30000, 60000);
	set[SET_sndbuf] = ONE_OF(state, 0, 0, 0, 10000, 60000);
	set[SET_peerbuf] = ONE_OF(state, 0, 0, 30000);
	set[SET_buffer] = 65536;
	if (set[SET_threads] > 1)
		return;
	set[SET_buffer] = ONE_OF(state, 65536, 65536, 100, 1000, 5000);
	if (tells_sender(set))
		set[SET_interleave] = (int)draw(state, 2);
	set[SET_maxseg] = ONE_OF(state, 0, 0, 300, 1000);
	if (!set[SET_maxseg])
		return;
	set[SET_rcvbuf] = 16000000;
	set[SET_pdpoint] = ONE_OF(state, 0, 1500, 4000);
}

static void draw_server(int *set, uint64_t *state)
{
	set[SET_call] = ONE_OF(state, BY_RECVMSG, BY_RECVMSG, BY_RECVMMSG, BY_RECVFROM, BY_READ,
			       BY_READV, BY_SCTP_RECVMSG, BY_SCTP_RECVV);
	set[SET_info] = (int)draw(state, INFO_ALL + 1);
	set[SET_events] = (int)draw(state, 2);
	set[SET_family] = ONE_OF(state, 4, 4, 6);
	set[SET_work] = ONE_OF(state, 0, 0, 0, 100, 1000);
	set[SET_rounds] = ONE_OF(state, 1, 1, 2, 3, 6);
	draw_waiting(set, state);
	draw_answers(set, state);
	draw_sizes(set, state);
}

/* Those that share the socket by fork(). What a kill takes with it must not be waited for. */
static void draw_workers(int *set, uint64_t *state)
{
	set[SET_workers] = ONE_OF(state, 2, 4, 8);
	set[SET_kills] = ONE_OF(state, 0, 3, 10, 30);
	set[SET_threads] = 1;
	set[SET_wait] = ONE_OF(state, WAIT_NONE, WAIT_POLL, WAIT_SELECT, WAIT_LEVEL, WAIT_LEVEL,
			       WAIT_EDGE, WAIT_EXCLUSIVE);
	set[SET_nonblock] = set[SET_wait] != WAIT_NONE;
	set[SET_burst] = set[SET_wait] == WAIT_NONE ? 1 : ONE_OF(state, 0, 1, 3);
	if (set[SET_wait] == WAIT_EDGE)
		set[SET_burst] = 0;
	set[SET_interleave] = set[SET_maxseg] = set[SET_pdpoint] = 0;
	set[SET_buffer] = 65536;
	/* a full buffer makes the kernel give messages in parts, which different workers would take
	 */
	set[SET_rcvbuf] = 16000000;
	/* a late answer by address would set up a new association */
	if (set[SET_echo] == ECHO_ADDRESS)
		set[SET_echo] = ECHO_NONE;
	if (set[SET_kills])
		set[SET_events] = 0;
}

/* ---- the policy ---- */

static void draw_rule(struct plan *plan, uint64_t *state, unsigned peer)
{
	size_t length = strlen(plan->policy);
	char *at = plan->policy + length;
	size_t room = sizeof(plan->policy) - length;
	const char *comma = length ? "; " : "";

	switch (draw(state, 8)) {
	case 0:
		snprintf(at, room, "%speel if msgs >= %u", comma, 1 + draw(state, 60));
		break;
	case 1:
		snprintf(at, room, "%speel if bytes >= %u", comma, draw(state, 40000));
		break;
	case 2:
		snprintf(at, room, "%speel if age >= %ums", comma, draw(state, 300));
		break;
	case 3:
		snprintf(at, room, "%speel if stream %u", comma, draw(state, STREAMS));
		break;
	case 4:
		snprintf(at, room, "%skeep if peer.port %u and msgs < %u", comma, PEER_PORT + peer,
			 draw(state, 100));
		break;
	case 5:
		snprintf(at, room, "%speel if share(100ms) > %u%% for %ums", comma,
			 10 + draw(state, 50), 1 + draw(state, 50));
		break;
	default:
		snprintf(at, room, "%speel if peer.port %u and msgs >= %u", comma, PEER_PORT + peer,
			 1 + draw(state, 80));
	}
}

static void draw_policy(struct plan *plan, uint64_t *state)
{
	static const char *const presets[] = {"all", "volume", "none"};
	static const char *const environments[] = {
		"",
		"",
		"",
		"SCTPEEL_QUANTUM=1",
		"SCTPEEL_MAX=2",
		"SCTPEEL_RCVBUF=20000",
		"SCTPEEL_SNDBUF=40000",
		"SCTPEEL_INJECT=peel:EBUSY:every=3",
	};
	unsigned preset = draw(state, 8), rules = 1 + draw(state, 4);

	snprintf(plan->environment, sizeof(plan->environment), "%s",
		 environments[draw(state, COUNT(environments))]);
	plan->policy[0] = 0;
	if (preset < COUNT(presets)) {
		snprintf(plan->policy, sizeof(plan->policy), "%s", presets[preset]);
		return;
	}
	for (unsigned i = 0; i < rules; i++)
		draw_rule(plan, state, draw(state, PEERS));
	if (draw(state, 2))
		snprintf(plan->policy + strlen(plan->policy),
			 sizeof(plan->policy) - strlen(plan->policy), "; peel if msgs >= %u",
			 1 + draw(state, 100));
}

/* ---- the peers ---- */

static void add(struct plan *plan, unsigned peer, enum verb verb, const unsigned *args)
{
	struct step *step = &plan->steps[plan->count];

	if (plan->count == STEPS || (plan->set[SET_kills] && verb == AWAIT))
		return;
	if (plan->set[SET_kills] && verb == ORDER && args && args[0] != ORDER_SLEEP)
		verb = SHUT;
	*step = (struct step){.peer = peer, .verb = verb};
	for (unsigned i = 0; args && i < COUNT(step->args); i++)
		step->args[i] = args[i];
	plan->count++;
}

static void draw_sending(struct plan *plan, uint64_t *state, unsigned peer)
{
	bool floods = draw(state, 6) == 0;
	int most = BIGGEST, *set = plan->set;
	int sized = ONE_OF(state, 40, 60, 200, 1000, 5000, BIGGEST);
	unsigned args[5];

	/* what fits into no buffer cannot be sent, nor sent back */
	if (set[SET_rcvbuf] && set[SET_rcvbuf] / 4 < most)
		most = set[SET_rcvbuf] / 4;
	if (set[SET_sndbuf] && set[SET_sndbuf] / 4 < most)
		most = set[SET_sndbuf] / 4;
	args[0] = 1 + draw(state, floods ? 300 : 12);
	args[1] = (unsigned)(sized < most ? sized : most);
	args[2] = draw(state, STREAMS);
	args[3] = draw(state, 100);
	args[4] = draw(state, 3) == 0;
	/* a flood of the biggest would only take long */
	if (floods && args[1] > 5000)
		args[1] = 5000;
	add(plan, peer, SEND, args);
}

static void draw_ending(struct plan *plan, uint64_t *state, unsigned peer)
{
	unsigned args[5] = {draw(state, 2) ? ORDER_EOF : ORDER_ABORT};

	if (draw(state, 3))
		add(plan, peer, AWAIT, NULL);
	switch (draw(state, tells_sender(plan->set) ? 6 : 4)) {
	case 0:
		add(plan, peer, SHUT, NULL);
		break;
	case 1:
		add(plan, peer, CLOSE, NULL);
		break;
	case 2:
		add(plan, peer, ABORT, NULL);
		break;
	case 3:
		add(plan, peer, RESTART, NULL);
		break;
	default:
		/* without its id there must be an address that answers reach */
		if (tells_id(plan->set) || tells_sender(plan->set))
			add(plan, peer, ORDER, args);
	}
}

static void draw_step(struct plan *plan, uint64_t *state, unsigned peer)
{
	unsigned sleep[5] = {ORDER_SLEEP, 1 + draw(state, 50)};
	unsigned ms[5] = {1 + draw(state, 100)};

	switch (draw(state, 12)) {
	case 0:
		add(plan, peer, PAUSE, ms);
		break;
	case 1:
		ms[0] *= 3;
		add(plan, peer, STALL, ms);
		break;
	case 2:
		add(plan, peer, AWAIT, NULL);
		break;
	case 3:
		add(plan, peer, ORDER, sleep);
		break;
	case 4:
	case 5:
		draw_ending(plan, state, peer);
		if (draw(state, 2))
			ms[0] = 0;
		add(plan, peer, PAUSE, ms);
		add(plan, peer, CONNECT, NULL);
		break;
	default:
		draw_sending(plan, state, peer);
	}
}

void plan_draw(struct plan *plan, uint64_t seed)
{
	uint64_t state = seed;
	unsigned peers, steps;

	memset(plan, 0, sizeof(*plan));
	plan->seed = seed;
	draw_server(plan->set, &state);
	if (seed % 6 == 5)
		draw_workers(plan->set, &state);
	draw_policy(plan, &state);
	peers = 1 + draw(&state, PEERS);
	steps = 5 + draw(&state, 12);
	for (unsigned p = 0; p < peers; p++) {
		unsigned pause[5] = {draw(&state, 60)};

		add(plan, p, PAUSE, pause);
		add(plan, p, CONNECT, NULL);
	}
	for (unsigned i = 0; i < peers * steps; i++)
		draw_step(plan, &state, draw(&state, peers));
}
