/* SPDX-License-Identifier: MIT */
#include "judgement.h"

#include <errno.h>
#include <fcntl.h>

#include "exclusion.h"
#include "hidden.h"
#include "siblings.h"

/*
 * Asks the kernel for what a rule names, at most once per 100 ms an association.
 */
struct question {
	struct endpoint *endpoint;
	struct association *association;
	uint64_t now;
	int fd;
};

static bool ask_kernel(const struct question *question, struct policy_kernel_figures *ret)
{
	sctp_assoc_t id = question->association->id;
	struct sctp_status status = {.sstat_assoc_id = id};
	struct sctp_assoc_stats stats = {.sas_assoc_id = id};
	socklen_t status_len = sizeof(status), stats_len = sizeof(stats);

	if (libc.getsockopt(question->fd, SOL_SCTP, SCTP_STATUS, &status, &status_len) < 0 ||
	    libc.getsockopt(question->fd, SOL_SCTP, SCTP_GET_ASSOC_STATS, &stats, &stats_len) < 0)
		return false;
	*ret = (struct policy_kernel_figures){
		.rwnd = status.sstat_rwnd,
		.unacked = status.sstat_unackdata,
		.pending = status.sstat_penddata,
		.srtt_ns = (uint64_t)status.sstat_primary.spinfo_srtt * 1000000u,
		.cwnd = status.sstat_primary.spinfo_cwnd,
		.retrans = stats.sas_rtxchunks,
		.outofseq = stats.sas_outofseqtsns,
	};
	return true;
}

static bool ask(void *context, bool stats, struct policy_kernel_figures *ret)
{
	struct question *question = context;
	struct association *association = question->association;
	const uint64_t fresh = 100000000;
	int kept = errno;
	bool ok = true;

	(void)stats;
	if (!association->figures)
		association->figures = pool_take(&question->endpoint->associations.figures_pool);
	if (!association->figures)
		return false;
	if (association->figures_ns == 0 || question->now - association->figures_ns >= fresh) {
		ok = ask_kernel(question, association->figures);
		association->figures_ns = ok ? question->now : 0;
	}
	*ret = *association->figures;
	errno = kept;
	return ok;
}

/* What stands against a peel of this association now; NULL: nothing. */
static const char *obstacle(struct endpoint *endpoint, int fd,
			    const struct association *association, uint64_t now)
{
	const char *held = __atomic_load_n(&endpoint->held, __ATOMIC_RELAXED);

	if (held)
		return held;
	if (!settings_get()->follow && !(libc.fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return "the socket goes along with an exec, and SCTPEEL_FOLLOW=false";
	held = siblings_hold(endpoint);
	if (held)
		return held;
	if (__atomic_load_n(&endpoint->exclusives, __ATOMIC_RELAXED))
		return "another thread is setting an association up or sending to all";
	if (__atomic_load_n(&endpoint->blocked_in_original, __ATOMIC_ACQUIRE))
		return "another thread is blocked in a receive that could not be woken";
	if (peel_sequence(endpoint) & 1)
		return "another peel is under way";
	if (association->retry_ns > now)
		return "the kernel refused, next try later";
	/* sends by its address would not find it where it went */
	if (association->peer.family && !association->addresses)
		return "no memory for the peer's address";
	if (!hidden_budget(now))
		return "descriptor budget (SCTPEEL_MAX, SCTPEEL_FD_RESERVE)";
	return NULL;
}

static bool changes(const struct association *association, uint8_t verdict, const char *held,
		    int rule)
{
	return association->verdict != verdict || association->held != held ||
	       (verdict == VERDICT_KEEP && association->rule != rule);
}

/*
 * A peer that makes the rules change their mind with each message must not fill the trace: eight
 * changes at once are told, then one in a quarter of a second. What is passed over is not lost for
 * good, the next message asks again.
 */
static bool may_tell(struct association *association, uint64_t now)
{
	const uint64_t interval = 250000000, burst = 8 * interval;
	uint64_t next = association->tell_ns > now ? association->tell_ns : now;

	if (next - now > burst - interval)
		return false;
	association->tell_ns = next + interval;
	return true;
}

void judge(struct endpoint *endpoint, int fd, struct association *association,
	   const struct received *received, uint64_t now, struct judgement *ret)
{
	const struct settings *settings = settings_get();
	struct sockaddr_in6 peer, local;
	struct question question = {endpoint, association, now, fd};
	struct policy_input input = {
		.now_ns = now,
		.first_seen_ns = association->first_seen_ns,
		.previous_ns = association->last_seen_ns,
		.bytes = association->bytes,
		.msgs = association->msgs,
		.sndblocked = association->sndblocked,
		.assocs = siblings_count(endpoint),
		.peeled = endpoint->associations.peeled,
		.stream = received->stream,
		.ppid = received->ppid,
		.has_message = received->notification == 0,
		.ask = ask,
		.context = &question,
	};
	struct policy_result result;
	uint8_t verdict = VERDICT_KEEP;
	const char *held = NULL;

	/* told once, nothing can change */
	if (association->verdict == VERDICT_KEEP && policy_rules(settings->policy) <= 1 &&
	    policy_never_peels(settings->policy))
		return;
	if (association->peer.family) {
		if (unlikely(!association->addresses))
			association_add_address(&endpoint->associations, association,
						&association->peer);
		peer_address_to(&association->peer, &peer);
		input.peer = (const struct sockaddr *)&peer;
	}
	if (endpoint->local.family) {
		peer_address_to(&endpoint->local, &local);
		input.local = (const struct sockaddr *)&local;
	}
	policy_evaluate(settings->policy, association->state, endpoint->policy_state, &input, false,
			&result);
	if (result.verdict == POLICY_PEEL) {
		held = settings->mode == MODE_ENFORCE ? obstacle(endpoint, fd, association, now)
						      : NULL;
		verdict = held ? VERDICT_HOLD : VERDICT_PEEL;
	}
	ret->act = verdict == VERDICT_PEEL && settings->mode == MODE_ENFORCE;
	ret->tell = changes(association, verdict, held, result.rule) &&
		    (may_tell(association, now) || ret->act);
	if (!ret->act && !ret->tell)
		return;
	policy_evaluate(settings->policy, association->state, endpoint->policy_state, &input, true,
			&result);
	association->verdict = verdict;
	association->held = held;
	association->rule = (int16_t)result.rule;
	ret->verdict = verdict;
	ret->id = association->id;
	ret->held = held;
	ret->received = *received;
	ret->peer = association->peer;
	ret->now = now;
	ret->first_seen_ns = association->first_seen_ns;
	ret->idle_ns = now - association->last_seen_ns;
	ret->bytes = association->bytes;
	ret->msgs = association->msgs;
	ret->assocs = input.assocs;
	ret->peeled = endpoint->associations.peeled;
	ret->result = result;
}
