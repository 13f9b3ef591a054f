/* SPDX-License-Identifier: MIT */
#include "news.h"

#include <errno.h>

#include "ending.h"
#include "events/statistics.h"
#include "exclusion.h"
#include "fanin.h"
#include "hidden.h"
#include "peel.h"
#include "source_queue.h"
#include "telling.h"

static const uint64_t PATIENCE_NS = 20000000; /* a peel takes some 50 us */

/*
 * Another process has peeled it off; from here on this one finds it on its own descriptor. False:
 * no memory for it.
 */
static bool hear_peeled(struct endpoint *endpoint, const struct letter *letter, int fd)
{
	struct associations *all = &endpoint->associations;
	struct association *association = association_find(all, letter->id);
	int error;

	if (!association)
		association = association_add(all, letter->id, now_ns());
	if (!association || association_peeled(association)) {
		libc.close(fd);
		return association != NULL;
	}
	if (!association->peer.family && letter->peer.family) {
		association->peer = letter->peer;
		association_add_address(all, association, &letter->peer);
	}
	hidden_adopt(fd, &association->source.fd);
	association->hides_changes = letter->hides_changes;
	PUBLISH(all->peeled, all->peeled + 1);
	statistics_association_arrives();
	error = fanin_join(endpoint, &association->source);
	if (error)
		tell_error(letter->id, "epoll_ctl: the peeled descriptor cannot join the hub",
			   -error);
	return true;
}

void news_look_for_ends(struct endpoint *endpoint)
{
	for (struct association *a = endpoint->associations.first, *next; a; a = next) {
		next = a->next;
		if (association_peeled(a) && !peel_alive(a->source.fd, a->id))
			ending_told(endpoint, a);
	}
}

void news_check_ends(struct endpoint *endpoint)
{
	for (struct association *a = endpoint->associations.first, *next; a; a = next) {
		next = a->next;
		if (association_peeled(a))
			ending_check(endpoint, a);
	}
}

static void hear(struct endpoint *endpoint, const struct letter *letter, int fd)
{
	struct association *association = association_find(&endpoint->associations, letter->id);
	bool peeled = association && association_peeled(association);

	/* a call that failed meanwhile looks again: exclusion.h */
	__atomic_add_fetch(&endpoint->peeling, 2, __ATOMIC_RELEASE);
	if (letter->kind == LETTER_BEGUN) {
		PUBLISH(endpoint->begun, letter->id);
		endpoint->begun_at = letter->at;
		endpoint->begun_hides = letter->hides_changes;
		return;
	}
	if (letter->id == endpoint->begun)
		PUBLISH(endpoint->begun, 0);
	if (letter->kind == LETTER_PEELED)
		endpoint->has_lost_mail |= !hear_peeled(endpoint, letter, fd);
	else if (letter->kind == LETTER_ENDED && peeled)
		ending_told(endpoint, association);
	else if (letter->kind == LETTER_MOVED && peeled)
		peel_retire(endpoint, association);
	else if (letter->kind == LETTER_WISHES && peeled)
		association->hides_changes = letter->hides_changes;
}

/* 0, or -errno: not now. The endpoint's lock is held. */
static int read_all(struct endpoint *endpoint)
{
	struct letter letter;
	bool missed = false;
	int came, n;

	while ((n = mailbox_read(endpoint, &letter, &came, &missed)) > 0)
		hear(endpoint, &letter, came);
	if (missed)
		news_look_for_ends(endpoint);
	if (n == 0)
		mailbox_tidy(endpoint);
	return n;
}

/* True: a peel has begun, and has not ended by what there was to read. */
static bool read_letters(struct endpoint *endpoint, int fd)
{
	bool first = false, ret = false;
	int came = 0;

	if (fanin_hub(endpoint, fd) == 0 && lock_take(&endpoint->lock)) {
		/* a look may take what wakes for a letter that comes only now */
		while (came == 0 && mailbox_has_news(endpoint)) {
			came = read_all(endpoint);
			queue_refresh(endpoint);
		}
		first = came < 0 && !endpoint->has_told_mail;
		endpoint->has_told_mail = came < 0;
		ret = came == 0 && endpoint->begun;
		if (came == 0 && endpoint->doubts_ends) {
			endpoint->doubts_ends = false;
			news_check_ends(endpoint);
		}
		lock_release(&endpoint->lock);
	}
	/* it is tried again with each call, and told once */
	if (first)
		tell_error(-1, "what another process has peeled off cannot be received", -came);
	return ret;
}

/*
 * The process that began it is at it, or has died in it: then this one goes on with it. One that is
 * stopped in it (SIGSTOP) is not waited for long; each call asks again.
 */
static void see_it_end(struct endpoint *endpoint, int fd)
{
	struct commons *commons = endpoint->commons;
	enum turn turn = peel_keep_others_off(commons, PATIENCE_NS);
	sctp_assoc_t id = 0;
	int number = -ENOENT;
	bool hides_changes = false;

	if (turn == TURN_TAKEN)
		return;
	if (read_letters(endpoint, fd) && lock_take(&endpoint->lock)) {
		id = endpoint->begun;
		hides_changes = endpoint->begun_hides;
		if (id)
			number = mailbox_fetch_begun(endpoint);
		if (number >= 0 || number == -ENOENT)
			PUBLISH(endpoint->begun, 0);
		lock_release(&endpoint->lock);
	}
	if (number >= 0) {
		statistics_association_arrives();
		peel_finish(endpoint, fd, id, number, hides_changes);
		__atomic_add_fetch(&endpoint->peeling, 2, __ATOMIC_RELEASE);
	}
	if (turn == TURN_OURS)
		peel_let_others(commons);
}

void news_read(struct endpoint *endpoint, int fd)
{
	int kept = errno;

	if (read_letters(endpoint, fd))
		see_it_end(endpoint, fd);
	errno = kept;
}
