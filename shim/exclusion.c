/* SPDX-License-Identifier: MIT */
#include "exclusion.h"

#include <errno.h>

#include "commons.h"
#include "news.h"
#include "siblings.h"

/* How long one that is stopped in a peel (SIGSTOP, a debugger) keeps others from theirs. */
static const uint64_t STOPPED_NS = 20000000;

static void end(struct endpoint *endpoint)
{
	PUBLISH(endpoint->peeler, 0);
	__atomic_add_fetch(&endpoint->peeling, 1, __ATOMIC_RELEASE);
	libc.syscall(SYS_futex, (long)&endpoint->peeling, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0, 0);
}

static void wait_for_peel(struct endpoint *endpoint, uint32_t sequence)
{
	int kept = errno;

	libc.syscall(SYS_futex, (long)&endpoint->peeling, FUTEX_WAIT_PRIVATE, sequence, 0, 0, 0);
	errno = kept;
}

/* ------------------------------------------------------------------ other processes */

/* A count that one left behind that was killed is nobody's. */
static bool others_exclude(struct commons *commons)
{
	for (int i = 0; i < HOLDERS; i++) {
		struct holder *holder = &commons->holders[i];

		if (__atomic_load_n(&holder->exclusives, __ATOMIC_SEQ_CST) == 0 ||
		    __atomic_load_n(&holder->pid, __ATOMIC_RELAXED) == 0)
			continue;
		if (siblings_alive(holder->pid))
			return true;
		__atomic_store_n(&holder->pid, 0, __ATOMIC_RELEASE);
	}
	return false;
}

static bool begin_among_processes(struct endpoint *endpoint)
{
	struct commons *commons = GLANCE(endpoint->commons);

	endpoint->peels_in = NULL;
	if (!commons)
		return true;
	/* short, as a peel is; but not where one is stopped in it */
	if (!commons_lock_within(&commons->peel, STOPPED_NS))
		return false;
	__atomic_store_n(&commons->peeling, true, __ATOMIC_SEQ_CST);
	if (!others_exclude(commons)) {
		endpoint->peels_in = commons;
		return true;
	}
	__atomic_store_n(&commons->peeling, false, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&commons->peel);
	return false;
}

/* A fork of another thread may have made the commons since: then others have never been kept off.
 */
static void end_among_processes(struct endpoint *endpoint)
{
	struct commons *commons = endpoint->peels_in;

	if (!commons)
		return;
	PUBLISH(commons->peeling, false);
	pthread_mutex_unlock(&commons->peel);
}

enum turn peel_keep_others_off(struct commons *commons, uint64_t most_ns)
{
	if (most_ns ? !commons_lock_within(&commons->peel, most_ns) : !commons_lock(&commons->peel))
		return errno == EDEADLK ? TURN_OWN : TURN_TAKEN;
	/* as one has left it that died in its peel */
	__atomic_store_n(&commons->peeling, false, __ATOMIC_RELEASE);
	return TURN_OURS;
}

void peel_let_others(struct commons *commons)
{
	pthread_mutex_unlock(&commons->peel);
}

static void wait_for_processes(struct commons *commons)
{
	int kept = errno;

	if (peel_keep_others_off(commons, 0) == TURN_OURS)
		peel_let_others(commons);
	errno = kept;
}

static void exclude_among_processes(struct endpoint *endpoint, struct commons *commons)
{
	struct holder *holder = endpoint->holder;

	if (!commons || !holder)
		return;
	for (;;) {
		__atomic_add_fetch(&holder->exclusives, 1, __ATOMIC_SEQ_CST);
		/* a peel of this process's own is kept off by the other means */
		if (!__atomic_load_n(&commons->peeling, __ATOMIC_SEQ_CST) ||
		    (peel_sequence(endpoint) & 1))
			return;
		__atomic_sub_fetch(&holder->exclusives, 1, __ATOMIC_RELEASE);
		wait_for_processes(commons);
	}
}

/* It may have been counted by who made the commons, while it was inside. */
static void admit_among_processes(struct endpoint *endpoint)
{
	uint32_t seen;

	if (!GLANCE(endpoint->commons) || !endpoint->holder)
		return;
	seen = __atomic_load_n(&endpoint->holder->exclusives, __ATOMIC_RELAXED);
	while (seen > 0 &&
	       !__atomic_compare_exchange_n(&endpoint->holder->exclusives, &seen, seen - 1, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* ------------------------------------------------------------------ this process */

bool peel_begin(struct endpoint *endpoint, int fd)
{
	bool ret;

	if (!lock_take(&endpoint->lock))
		return false;
	ret = (peel_sequence(endpoint) & 1) == 0 && endpoint->exclusives == 0;
	if (ret) {
		PUBLISH(endpoint->peeler, lock_self());
		__atomic_add_fetch(&endpoint->peeling, 1, __ATOMIC_SEQ_CST);
	}
	lock_release(&endpoint->lock);
	if (ret && !begin_among_processes(endpoint)) {
		end(endpoint);
		return false;
	}
	/* who closes looks the other way round: number first, then peel */
	if (ret && !endpoint_has(endpoint, fd)) {
		peel_done(endpoint);
		return false;
	}
	return ret;
}

void peel_done(struct endpoint *endpoint)
{
	end_among_processes(endpoint);
	end(endpoint);
}

static uint32_t settle(struct endpoint *endpoint)
{
	uint32_t seen;

	/* a signal handler that interrupted the peel itself cannot wait for it */
	while (seen = peel_sequence(endpoint), peel_is_anothers(endpoint))
		wait_for_peel(endpoint, seen);
	return seen;
}

void peel_let_end(struct endpoint *endpoint)
{
	(void)settle(endpoint);
}

bool peel_settled(struct endpoint *endpoint, uint32_t sequence)
{
	struct commons *commons = GLANCE(endpoint->commons);

	if (commons && GLANCE(endpoint->peeler) != lock_self()) {
		wait_for_processes(commons);
		news_hear(endpoint, endpoint->number);
	}
	return settle(endpoint) != sequence;
}

void peel_exclude(struct endpoint *endpoint)
{
	struct commons *commons;

	for (;;) {
		uint32_t seen;
		bool mine;

		if (!lock_take(&endpoint->lock)) {
			__atomic_add_fetch(&endpoint->exclusives, 1, __ATOMIC_RELAXED);
			if (endpoint->commons && endpoint->holder)
				__atomic_add_fetch(&endpoint->holder->exclusives, 1,
						   __ATOMIC_RELAXED);
			return;
		}
		commons = endpoint->commons;
		seen = peel_sequence(endpoint);
		mine = (seen & 1) == 0 || GLANCE(endpoint->peeler) == lock_self();
		if (mine)
			__atomic_add_fetch(&endpoint->exclusives, 1, __ATOMIC_RELAXED);
		lock_release(&endpoint->lock);
		if (mine)
			break;
		wait_for_peel(endpoint, seen);
	}
	exclude_among_processes(endpoint, commons);
}

void peel_admit(struct endpoint *endpoint)
{
	admit_among_processes(endpoint);
	__atomic_sub_fetch(&endpoint->exclusives, 1, __ATOMIC_RELEASE);
}
