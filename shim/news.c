/* SPDX-License-Identifier: MIT */
#include "news.h"

#include <errno.h>

#include "ending.h"
#include "events/statistics.h"
#include "fanin.h"
#include "hidden.h"
#include "peel.h"
#include "source_queue.h"
#include "telling.h"

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

static void hear(struct endpoint *endpoint, const struct letter *letter, int fd)
{
	struct association *association = association_find(&endpoint->associations, letter->id);
	bool peeled = association && association_peeled(association);

	/* a call that failed meanwhile looks again: exclusion.h */
	__atomic_add_fetch(&endpoint->peeling, 2, __ATOMIC_RELEASE);
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

void news_read(struct endpoint *endpoint, int fd)
{
	int ret = 0, kept = errno;
	bool first = false;

	if (fanin_hub(endpoint, fd) == 0 && lock_take(&endpoint->lock)) {
		/* a look may take what wakes for a letter that comes only now */
		while (ret == 0 && mailbox_has_news(endpoint)) {
			ret = read_all(endpoint);
			queue_refresh(endpoint);
		}
		first = ret < 0 && !endpoint->has_told_mail;
		endpoint->has_told_mail = ret < 0;
		lock_release(&endpoint->lock);
	}
	/* it is tried again with each call, and told once */
	if (first)
		tell_error(-1, "what another process has peeled off cannot be received", -ret);
	errno = kept;
}
