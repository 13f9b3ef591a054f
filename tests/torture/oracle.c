/* SPDX-License-Identifier: MIT */
/* What the server says that it received against what the peers sent. */
#include "torture.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool wrong(struct peers *peers, const char *format,
							...)
{
	va_list args;

	if (peers->fault[0])
		return false;
	va_start(args, format);
	vsnprintf(peers->fault, sizeof(peers->fault), format, args);
	va_end(args);
	return false;
}

static void note_message(struct peers *peers, const struct record *record, uint32_t place)
{
	struct peer *peer = &peers->all[record->peer];
	struct life *life = &peer->life[record->life];

	if (record->life >= peer->lives || record->number >= life->sent) {
		wrong(peers, "peer %u life %u message %u was never sent", record->peer,
		      record->life, record->number);
		return;
	}
	if (life->messages[record->number].place) {
		wrong(peers, "peer %u life %u message %u came twice", record->peer, record->life,
		      record->number);
		return;
	}
	life->messages[record->number].place = place;
	life->got++;
}

/* A send may fail when the association ends, not before. */
static void note_unechoed(struct peers *peers, const struct record *record)
{
	const struct peer *peer = &peers->all[record->peer];

	if (record->state != EAGAIN && record->life + 1U == peer->lives && !peer->leaving &&
	    peer->life[record->life].ending == ALIVE)
		wrong(peers, "peer %u life %u: echo of message %u: %s", record->peer, record->life,
		      record->number, strerror(record->state));
}

/* Reads what the server has added to the ledger. */
void oracle_follow(struct peers *peers)
{
	const struct ledger *ledger = peers->ledger;

	for (; peers->seen < RECORDS; peers->seen++) {
		const struct record *record = &ledger->records[peers->seen];
		uint8_t kind = atomic_load(&record->kind);

		if (kind == EMPTY || kind >= CLAIMED)
			return;
		if (kind == MESSAGE)
			note_message(peers, record, peers->seen + 1);
		if (kind == UNECHOED)
			note_unechoed(peers, record);
		if (kind != NOTIFICATION || record->type != SCTP_ASSOC_CHANGE)
			continue;
		peers->ups += record->state == SCTP_COMM_UP;
		peers->downs +=
			record->state == SCTP_COMM_LOST || record->state == SCTP_SHUTDOWN_COMP;
	}
}

static bool is_complete(const struct life *life)
{
	return life->ending != GRACEFUL || life->got == life->sent;
}

/*
 * What did not come of an association: all of it when it ended gracefully, else the gaps in its
 * streams. What is not in order, or in another stream, may have been on its way when it ended.
 */
static unsigned count_missing(const struct life *life)
{
	bool later[STREAMS] = {false};
	unsigned ret = 0;

	for (unsigned n = life->sent; n-- > 0;) {
		const struct sent *sent = &life->messages[n];

		if (sent->place)
			later[sent->stream] |= !sent->unordered;
		else
			ret += life->ending == GRACEFUL ||
			       (!sent->unordered && later[sent->stream]);
	}
	return ret;
}

unsigned oracle_missing(const struct peers *peers)
{
	unsigned ret = 0;

	for (unsigned p = 0; p < PEERS; p++)
		for (unsigned l = 0; l < peers->all[p].lives; l++)
			ret += count_missing(&peers->all[p].life[l]);
	return ret;
}

bool oracle_is_complete(struct peers *peers, bool quiet)
{
	bool complete = true;

	oracle_follow(peers);
	for (unsigned p = 0; p < PEERS; p++)
		for (unsigned l = 0; l < peers->all[p].lives; l++)
			complete &= is_complete(&peers->all[p].life[l]);
	if (!complete && (!quiet || oracle_missing(peers) > atomic_load(&peers->ledger->may_miss)))
		return false;
	/* the quitter has not come yet */
	return !peers->plan->set[SET_events] || peers->ups == peers->downs;
}

void oracle_tell(const struct peers *peers, FILE *out)
{
	for (unsigned p = 0; p < PEERS; p++)
		for (unsigned l = 0; l < peers->all[p].lives; l++) {
			const struct life *life = &peers->all[p].life[l];
			unsigned n = 0;

			if (is_complete(life))
				continue;
			while (n < life->sent && life->messages[n].place)
				n++;
			fprintf(out, "peer %u life %u: %u of %u came, the first missing is %u\n", p,
				l, life->got, life->sent, n);
		}
	fprintf(out, "%u associations came up, %u have ended, says the server\n", peers->ups,
		peers->downs);
}

/*
 * Ordered messages of one stream: none before an earlier one, and nothing after a missing one. What
 * two threads took at the same time has no order.
 */
static bool judge_stream(struct peers *peers, unsigned p, unsigned l, unsigned stream)
{
	const struct life *life = &peers->all[p].life[l];
	uint32_t last[WORKERS] = {0};
	uint64_t begun = 0;
	bool missing = false;

	for (unsigned n = 0; n < life->sent; n++) {
		const struct sent *sent = &life->messages[n];
		const struct record *record = &peers->ledger->records[sent->place - 1];

		if (sent->unordered || sent->stream != stream)
			continue;
		if (!sent->place) {
			missing = true;
			continue;
		}
		if (missing && !peers->plan->set[SET_kills])
			return wrong(peers, "peer %u life %u: message %u came, an earlier one not",
				     p, l, n);
		if (record->after < begun || last[record->thread] > sent->place)
			return wrong(peers,
				     "peer %u life %u: message %u came before an earlier one", p, l,
				     n);
		last[record->thread] = sent->place;
		begun = record->before > begun ? record->before : begun;
	}
	return true;
}

static bool judge_life(struct peers *peers, unsigned p, unsigned l)
{
	const struct life *life = &peers->all[p].life[l];
	sctp_assoc_t id = 0;

	if (!is_complete(life) && !peers->plan->set[SET_kills])
		return wrong(peers, "peer %u life %u: %u of %u messages came", p, l, life->got,
			     life->sent);
	for (unsigned stream = 0; stream < STREAMS; stream++)
		if (!judge_stream(peers, p, l, stream))
			return false;
	for (unsigned n = 0; n < life->sent; n++) {
		const struct record *record = &peers->ledger->records[life->messages[n].place - 1];

		if (!life->messages[n].place || record->id == 0)
			continue;
		if (id && id != record->id)
			return wrong(peers, "peer %u life %u: its id was %d, then %d", p, l, id,
				     record->id);
		id = record->id;
	}
	return true;
}

/* A message of which only a part came, or that was not sent back: its association has ended. */
static bool judge_exceptions(struct peers *peers)
{
	for (unsigned i = 0; i < peers->seen; i++) {
		const struct record *record = &peers->ledger->records[i];
		const struct life *life;
		const char *error;

		if (record->kind != CUT && record->kind != UNECHOED)
			continue;
		life = &peers->all[record->peer].life[record->life];
		if (record->kind == CUT && life->ending < ANYHOW)
			return wrong(peers, "peer %u life %u: of message %u only a part came",
				     record->peer, record->life, record->number);
		if (record->kind == CUT ||
		    (record->state == EAGAIN && peers->plan->set[SET_nonblock] != 0))
			continue;
		error = strerrorname_np(record->state);
		if (record->state != EPIPE && record->state != ESHUTDOWN &&
		    record->state != ESRCH && record->state != ECONNRESET)
			return wrong(peers, "peer %u life %u: echo of message %u: %s", record->peer,
				     record->life, record->number, error ? error : "?");
	}
	return true;
}

/* ---- notifications ---- */

struct ends {
	const struct record *up, *down;
};

/* Each id comes up once, then goes down once. */
static bool judge_change(struct peers *peers, const struct record *record, struct ends *ends)
{
	switch (record->state) {
	case SCTP_COMM_UP:
		if (ends->up)
			return wrong(peers, "association %d came up twice", record->id);
		ends->up = record;
		return true;
	case SCTP_COMM_LOST:
	case SCTP_SHUTDOWN_COMP:
		if (ends->down)
			return wrong(peers, "association %d ended twice", record->id);
		ends->down = record;
		return true;
	case SCTP_RESTART:
		return true;
	default:
		return wrong(peers, "association %d: change %d", record->id, record->state);
	}
}

/* Nothing of an association before it came up, nothing after it went down. */
static bool judge_place(struct peers *peers, const struct record *record, const struct ends *ends)
{
	if (record == ends->up || record == ends->down)
		return true;
	if (!ends->up || record->after < ends->up->before ||
	    (record->thread == ends->up->thread && record < ends->up))
		return wrong(peers, "association %d: something came before COMM_UP", record->id);
	if (ends->down && (ends->down->after < record->before ||
			   (record->thread == ends->down->thread && record > ends->down)))
		return wrong(peers, "association %d: something came after its end", record->id);
	return true;
}

enum { IDS = 4096 };

static struct ends *ends_of(struct ends *ends, sctp_assoc_t id)
{
	return &ends[(unsigned)id % IDS];
}

static bool judge_notifications(struct peers *peers)
{
	static struct ends ends[IDS];
	const struct record *records = peers->ledger->records;

	memset(ends, 0, sizeof(ends));
	for (unsigned i = 0; i < peers->seen; i++)
		if (records[i].kind == NOTIFICATION && records[i].type == SCTP_ASSOC_CHANGE &&
		    !judge_change(peers, &records[i], ends_of(ends, records[i].id)))
			return false;
	for (unsigned i = 0; i < peers->seen; i++)
		if (records[i].id && records[i].kind != UNECHOED &&
		    !judge_place(peers, &records[i], ends_of(ends, records[i].id)))
			return false;
	return true;
}

/* As many came up, or came again, as peers connected; the quitter's end need not be received. */
static bool judge_number(struct peers *peers)
{
	unsigned restarts = 0;

	for (unsigned i = 0; i < peers->seen; i++) {
		const struct record *record = &peers->ledger->records[i];

		restarts += record->kind == NOTIFICATION && record->type == SCTP_ASSOC_CHANGE &&
			    record->state == SCTP_RESTART;
	}
	if (peers->ups + restarts != peers->associations ||
	    (peers->ups != peers->downs && peers->ups != peers->downs + 1))
		return wrong(peers, "%lu associations: %u came up, %u restarted, %u ended",
			     peers->associations, peers->ups, restarts, peers->downs);
	return true;
}

bool oracle_judge(struct peers *peers)
{
	oracle_follow(peers);
	for (unsigned p = 0; p < PEERS; p++)
		for (unsigned l = 0; l < peers->all[p].lives; l++)
			if (!judge_life(peers, p, l))
				return false;
	if (oracle_missing(peers) > atomic_load(&peers->ledger->may_miss))
		return wrong(peers, "%u messages are missing, %u may be", oracle_missing(peers),
			     atomic_load(&peers->ledger->may_miss));
	if (peers->severed > atomic_load(&peers->ledger->killed))
		return wrong(peers, "%u associations were severed by the end of %u workers",
			     peers->severed, atomic_load(&peers->ledger->killed));
	if (!judge_exceptions(peers))
		return false;
	if (peers->plan->set[SET_events] && (!judge_notifications(peers) || !judge_number(peers)))
		return false;
	return !peers->fault[0];
}
