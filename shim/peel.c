/* SPDX-License-Identifier: MIT */
#include "peel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "ending.h"
#include "events/events.h"
#include "exclusion.h"
#include "hidden.h"
#include "inheritance.h"
#include "mailbox.h"
#include "news.h"
#include "source_queue.h"
#include "telling.h"

#ifndef SCTP_SOCKOPT_PEELOFF_FLAGS
#define SCTP_SOCKOPT_PEELOFF_FLAGS 122
#endif

/* The kernel refused: the next try waits, twice as long each time, 10 ms to 10 s. */
static const uint64_t RETRY_FIRST_NS = 10000000, RETRY_LAST_NS = 10000000000;

void peel_hold(struct endpoint *endpoint, const char *why)
{
	const char *none = NULL;

	__atomic_compare_exchange_n(&endpoint->held, &none, why, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	if (endpoint->commons)
		__atomic_store_n(&endpoint->commons->held, true, __ATOMIC_RELEASE);
}

void peel_use(struct association *association)
{
	association->users++;
}

static void finish(struct endpoint *endpoint, struct association *association)
{
	hidden_close(&association->source.fd);
	association_free(&endpoint->associations, association);
}

void peel_unuse(struct endpoint *endpoint, struct association *association)
{
	int kept = errno;
	bool locked = lock_take(&endpoint->lock);

	if (--association->users == 0 && association->retired)
		finish(endpoint, association);
	if (locked)
		lock_release(&endpoint->lock);
	errno = kept;
}

void peel_retire_as(struct endpoint *endpoint, struct association *association, const char *state)
{
	if (association->retired)
		return;
	association->retired = true;
	PUBLISH(endpoint->associations.peeled, endpoint->associations.peeled - 1);
	tell_state(endpoint, association, state);
	fanin_leave(endpoint, &association->source);
	if (endpoint->reviewed == association)
		endpoint->reviewed = association->next;
	association_unlink(&endpoint->associations, association);
	if (association->users == 0)
		finish(endpoint, association);
}

void peel_retire(struct endpoint *endpoint, struct association *association)
{
	peel_retire_as(endpoint, association, "down");
}

void peel_forget_shared(struct endpoint *endpoint, sctp_assoc_t id, const char *state)
{
	struct association *association = association_find(&endpoint->associations, id);

	if (!association || association_peeled(association))
		return;
	tell_state(endpoint, association, state);
	commons_drop(endpoint, id);
	if (endpoint->reviewed == association)
		endpoint->reviewed = association->next;
	association_unlink(&endpoint->associations, association);
	association_free(&endpoint->associations, association);
}

void peel_review(struct endpoint *endpoint, int fd, uint64_t now)
{
	const uint64_t quiet = 1000000000;

	for (int i = 0; i < 2; i++) {
		struct association *a = endpoint->reviewed;

		if (!a)
			a = endpoint->associations.first;
		if (!a)
			return;
		endpoint->reviewed = a->next;
		if (now - a->last_seen_ns <= quiet)
			continue;
		if (!association_peeled(a) && !peel_alive(fd, a->id))
			peel_forget_shared(endpoint, a->id, "down");
		else if (association_peeled(a) && endpoint->commons)
			ending_check(endpoint, a);
	}
}

/* EINVAL is the kernel's word for an association that is over (sctp_id2assoc). */
static bool says_nothing(int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EPERM || error == EACCES;
}

bool peel_alive(int fd, sctp_assoc_t id)
{
	struct sctp_status status = {.sstat_assoc_id = id};
	socklen_t len = sizeof(status);
	int kept = errno;
	bool ret = libc.getsockopt(fd, SOL_SCTP, SCTP_STATUS, &status, &len) == 0 ||
		   says_nothing(errno);

	errno = kept;
	return ret;
}

void peel_end_all(struct endpoint *endpoint)
{
	bool locked = lock_take(&endpoint->lock);

	for (struct association *a = endpoint->associations.first, *next; a; a = next) {
		next = a->next;
		if (association_peeled(a))
			peel_retire(endpoint, a);
	}
	if (locked)
		lock_release(&endpoint->lock);
}

struct peeled {
	int fd, error;
	uint64_t latency_ns;
	bool hides_changes, dead;
};

/* What stands for closed standard descriptors: else what a thread writes there would go to the
 * peer.
 */
struct stand_ins {
	int fds[STDERR_FILENO + 1], count;
};

static void dismiss(struct stand_ins *stand_ins)
{
	int kept = errno;

	while (stand_ins->count > 0)
		libc.close(stand_ins->fds[--stand_ins->count]);
	errno = kept;
}

/*
 * A peel cannot be undone, so what it needs is had once before: a file and a number, for the kernel
 * destroys an association that it finds none for (KERNEL.md 2), a place in the hub, and room for it
 * on its way to other processes, several of which may have seen the same. 0, or an errno.
 */
static int rehearse(struct endpoint *endpoint, int fd, struct stand_ins *stand_ins)
{
	int number, ret;

	if (!inheritance_possible(endpoint, fd))
		return EPERM;
	while ((number = libc.epoll_create1(EPOLL_CLOEXEC)) >= 0 && number <= STDERR_FILENO)
		stand_ins->fds[stand_ins->count++] = number;
	if (number < 0)
		return errno;
	ret = -fanin_room(endpoint, number);
	libc.close(number);
	if (ret == 0 && GLANCE(endpoint->commons))
		ret = mailbox_has_room(endpoint) ? mailbox_rehearse(fd) : ENOBUFS;
	return ret;
}

static int ask_kernel_to_peel(struct endpoint *endpoint, int fd, sctp_assoc_t id)
{
	sctp_peeloff_flags_arg_t with_flags = {{id, 0}, SOCK_CLOEXEC};
	sctp_peeloff_arg_t plain = {id, 0};
	struct stand_ins stand_ins __attribute__((cleanup(dismiss))) = {.count = 0};
	socklen_t len = sizeof(with_flags);
	int ret = fault_at("peel");

	if (!ret)
		ret = rehearse(endpoint, fd, &stand_ins);
	if (ret) {
		errno = ret;
		return -1;
	}
	ret = libc.getsockopt(fd, SOL_SCTP, SCTP_SOCKOPT_PEELOFF_FLAGS, &with_flags, &len);
	if (ret < 0 && errno == ENOPROTOOPT) {
		/* kernels before 4.13 */
		len = sizeof(plain);
		ret = libc.getsockopt(fd, SOL_SCTP, SCTP_SOCKOPT_PEELOFF, &plain, &len);
		if (ret >= 0)
			libc.fcntl(ret, F_SETFD, FD_CLOEXEC);
		else if (errno == ENOPROTOOPT)
			peel_hold(endpoint, "the kernel cannot peel off");
	}
	return ret;
}

void peel_change_event(struct sctp_event *ret, sctp_assoc_t id, bool on)
{
	memset(ret, 0, sizeof(*ret));
	ret->se_assoc_id = id;
	ret->se_type = SCTP_ASSOC_CHANGE;
	ret->se_on = on;
}

static bool wants_changes(int fd, sctp_assoc_t id)
{
	struct sctp_event event;
	socklen_t len = sizeof(event);
	int ret = -1;

	peel_change_event(&event, id, false);
	/* not to know would be to hide from the program what it wants to hear */
	for (int tries = 0; ret < 0 && tries < 3; tries++)
		ret = libc.getsockopt(fd, SOL_SCTP, SCTP_EVENT, &event, &len);
	return ret == 0 && event.se_on;
}

bool peel_subscribe(int fd, sctp_assoc_t id)
{
	struct sctp_event event;

	if (wants_changes(fd, id))
		return false;
	peel_change_event(&event, id, true);
	return libc.setsockopt(fd, SOL_SCTP, SCTP_EVENT, &event, sizeof(event)) == 0;
}

/*
 * The receive buffer only grows: the peer was granted a window of the original's size, which the
 * kernel does not take back. In a smaller one fragments fill all there is, and the first of each
 * message is refused for ever (net/sctp/ulpevent.c:sctp_ulpevent_make_rcvmsg).
 */
static void set_buffers(int fd)
{
	const struct settings *settings = settings_get();
	int now = 0;
	socklen_t len = sizeof(now);

	/* the kernel doubles what is set (socket(7)) */
	if (settings->rcvbuf && libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now, &len) == 0 &&
	    settings->rcvbuf > now / 2)
		libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &settings->rcvbuf, sizeof(int));
	if (settings->sndbuf)
		libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &settings->sndbuf, sizeof(int));
}

/* From the kernel's descriptor to one of ours: as the program set its own socket. */
static void prepare(struct endpoint *endpoint, int fd, sctp_assoc_t id, struct peeled *peeled)
{
	inheritance_apply(endpoint, fd, peeled->fd);
	set_buffers(peeled->fd);
	peeled->hides_changes = peel_subscribe(peeled->fd, id);
	/* it may have ended, unheard, before we subscribed */
	peeled->dead = !peel_alive(peeled->fd, id);
}

/*
 * Publishes it: from here on receives and sends find the association on its own descriptor. Without
 * memory for a record one that ended meanwhile, and was forgotten, is over.
 */
static void publish(struct endpoint *endpoint, sctp_assoc_t id, const struct peeled *peeled,
		    uint64_t now)
{
	struct association *association;
	int error, unheard = 0;

	if (!lock_take(&endpoint->lock))
		return;
	association = association_find(&endpoint->associations, id);
	endpoint->announced = false;
	if (!association)
		association = association_add(&endpoint->associations, id, now);
	if (!association) {
		lock_release(&endpoint->lock);
		libc.close(peeled->fd);
		return;
	}
	hidden_adopt(peeled->fd, &association->source.fd);
	association->hides_changes = peeled->hides_changes;
	association->ended = peeled->dead;
	PUBLISH(endpoint->associations.peeled, endpoint->associations.peeled + 1);
	if (endpoint->commons) {
		commons_drop(endpoint, id);
		unheard = mailbox_post(endpoint, LETTER_PEELED, association);
		mailbox_tidy(endpoint);
	}
	error = fanin_join(endpoint, &association->source);
	lock_release(&endpoint->lock);
	if (unheard)
		tell_error(id, "sendmsg: other processes cannot be given the peeled descriptor",
			   -unheard);
	if (error)
		tell_error(id, "epoll_ctl: the peeled descriptor cannot join the hub", -error);
}

/*
 * Where processes share the endpoint the kernel's descriptor goes into the mailbox first, so that
 * it lives on there when this one is killed before all of them have it.
 */
static void announce(struct endpoint *endpoint, sctp_assoc_t id, int fd, bool hides_changes)
{
	if (!GLANCE(endpoint->commons) || !lock_take(&endpoint->lock))
		return;
	/* without room for it the peel goes on, and what comes of it is told */
	(void)mailbox_post_begun(endpoint, id, fd, hides_changes);
	lock_release(&endpoint->lock);
}

void peel_finish(struct endpoint *endpoint, int fd, sctp_assoc_t id, int number, bool hides_changes)
{
	struct peeled peeled = {.fd = number};
	sigset_t all, kept;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &kept);
	prepare(endpoint, fd, id, &peeled);
	/* the other may have subscribed already */
	peeled.hides_changes = hides_changes;
	publish(endpoint, id, &peeled, now_ns());
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
	tell_error(id, "peeled off by a process that was killed before it could say so", 0);
}

static void refused(struct endpoint *endpoint, int fd, sctp_assoc_t id, int error, uint64_t now)
{
	struct association *association;
	uint64_t wait;

	if (!lock_take(&endpoint->lock))
		return;
	association = association_find(&endpoint->associations, id);
	if (association) {
		wait = RETRY_FIRST_NS << (association->refusals < 10 ? association->refusals : 10);
		association->retry_ns = now + (wait < RETRY_LAST_NS ? wait : RETRY_LAST_NS);
		association->refusals++;
		/* it ended before we came: nothing is left to be peeled, nor to be counted */
		if (error == EINVAL && !peel_alive(fd, id))
			association->retry_ns = UINT64_MAX;
	}
	lock_release(&endpoint->lock);
}

/* Others came in between, the kernel has refused nothing: the next message asks again, and tells.
 */
static void put_off(struct endpoint *endpoint, sctp_assoc_t id)
{
	struct association *association;

	if (!lock_take(&endpoint->lock))
		return;
	association = association_find(&endpoint->associations, id);
	if (association)
		association->verdict = VERDICT_NONE;
	lock_release(&endpoint->lock);
}

/* In between it is nowhere to be found: no handler may look for it then. */
static void move_association(struct endpoint *endpoint, int fd, const struct judgement *judgement,
			     struct peeled *peeled)
{
	/* asked while there is nothing to lose yet */
	bool hides_changes = GLANCE(endpoint->commons) && !wants_changes(fd, judgement->id);
	sigset_t all, kept;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &kept);
	peeled->fd = ask_kernel_to_peel(endpoint, fd, judgement->id);
	peeled->error = peeled->fd < 0 ? errno : 0;
	if (peeled->fd >= 0) {
		announce(endpoint, judgement->id, peeled->fd, hides_changes);
		prepare(endpoint, fd, judgement->id, peeled);
		publish(endpoint, judgement->id, peeled, judgement->now);
	}
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
}

/* Another process may have come to the same verdict. */
static bool was_peeled_by_another(struct endpoint *endpoint, int fd, sctp_assoc_t id)
{
	struct association *association;
	bool ret = false;

	if (!news_are_due(endpoint))
		return false;
	news_hear(endpoint, fd);
	if (lock_take(&endpoint->lock)) {
		association = association_find(&endpoint->associations, id);
		ret = association && association_peeled(association);
		lock_release(&endpoint->lock);
	}
	return ret;
}

static void carry_out(struct endpoint *endpoint, int fd, struct judgement *judgement,
		      struct peeled *peeled)
{
	uint64_t began = now_ns();

	*peeled = (struct peeled){.fd = -1};
	if (fanin_hub(endpoint, fd) < 0) {
		peeled->error = ENOMEM;
	} else if (!peel_begin(endpoint, fd)) {
		judgement->tell = judgement->act = false;
		put_off(endpoint, judgement->id);
		return;
	} else if (was_peeled_by_another(endpoint, fd, judgement->id)) {
		peel_done(endpoint);
		judgement->act = false;
		return;
	} else {
		move_association(endpoint, fd, judgement, peeled);
		peel_done(endpoint);
	}
	if (peeled->error)
		refused(endpoint, fd, judgement->id, peeled->error, judgement->now);
	peeled->latency_ns = now_ns() - began;
	events_count_peel(peeled->error != 0, peeled->latency_ns);
}

void peel_act(struct endpoint *endpoint, int fd, struct judgement *judgement)
{
	struct peeled peeled = {.fd = -1};
	struct association *association;
	int kept = errno, number = -1;

	if (judgement->act) {
		carry_out(endpoint, fd, judgement, &peeled);
		if (!peeled.error && lock_take(&endpoint->lock)) {
			association = association_find(&endpoint->associations, judgement->id);
			number = association ? association->source.fd : -1;
			lock_release(&endpoint->lock);
		}
	}
	if (judgement->tell)
		tell_decision(endpoint, fd, judgement, number, peeled.error, peeled.latency_ns);
	if (judgement->act)
		tell_peel(endpoint, fd, judgement, number, peeled.error, peeled.latency_ns);
	errno = kept;
}
