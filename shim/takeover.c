/* SPDX-License-Identifier: MIT */
#include "takeover.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "commons.h"
#include "environment.h"
#include "epollset.h"
#include "events/statistics.h"
#include "handed.h"
#include "hidden.h"
#include "news.h"
#include "peel.h"
#include "source_queue.h"
#include "telling.h"
#include "values.h"

/* What is left to be read. */
struct reader {
	const char *at, *end;
	bool counts; /* of the policy that this program has too */
};

static bool take(struct reader *reader, void *to, size_t size)
{
	if (size > (size_t)(reader->end - reader->at))
		return false;
	memcpy(to, reader->at, size);
	reader->at += size;
	return true;
}

static bool skip(struct reader *reader, size_t size)
{
	if (size > (size_t)(reader->end - reader->at))
		return false;
	reader->at += size;
	return true;
}

/* ------------------------------------------------------------------ descriptors */

static bool is_file(int fd, uint64_t inode)
{
	struct stat stat;

	return inode != 0 && fstat(fd, &stat) == 0 && stat.st_ino == inode;
}

/* The number, if it is the file still and nothing of this program's; -1: it is not. */
static int still(const struct handed_descriptor *handed)
{
	if (handed->fd < 0 || fdtable_get(handed->fd) != FD_UNKNOWN ||
	    !is_file(handed->fd, handed->inode))
		return -1;
	return handed->fd;
}

static bool is_sctp(int fd)
{
	int protocol = -1;
	socklen_t len = sizeof(protocol);

	return libc.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_SCTP;
}

/* Nobody will use it any more. */
static void drop(const struct handed_descriptor *handed)
{
	int fd = still(handed);

	if (fd >= 0)
		libc.close(fd);
}

/* ------------------------------------------------------------------ associations */

static bool fill(struct endpoint *endpoint, const struct handed_association *handed,
		 struct association *association, const struct reader *reader)
{
	int fd = still(&handed->peeled);

	association->first_seen_ns = handed->first_seen_ns;
	association->last_seen_ns = handed->last_seen_ns;
	association->bytes = handed->bytes;
	association->msgs = handed->msgs;
	association->unfinished = handed->unfinished;
	association->retry_ns = handed->retry_ns;
	association->sndblocked = handed->sndblocked;
	association->refusals = handed->refusals;
	association->hides_dry = handed->hides_dry;
	association->hides_changes = (handed->flags & HANDED_HIDES_CHANGES) != 0;
	association->ended = (handed->flags & HANDED_ENDED) != 0;
	if (reader->counts && handed->verdict <= VERDICT_HOLD &&
	    handed->rule < policy_rules(settings_get()->policy)) {
		association->verdict = handed->verdict;
		association->rule = handed->rule < 0 ? -1 : handed->rule;
	}
	if (handed->peer.family == AF_INET || handed->peer.family == AF_INET6) {
		association->peer = handed->peer;
		association_add_address(&endpoint->associations, association, &handed->peer);
	}
	if (fd < 0 || !is_sctp(fd))
		return handed->peeled.inode == 0;
	hidden_inherit(fd, &association->source.fd);
	PUBLISH(endpoint->associations.peeled, endpoint->associations.peeled + 1);
	statistics_association_arrives();
	settings_note_peeled();
	return true;
}

/* NULL: it is not kept. */
static struct association *add(struct endpoint *endpoint, const struct handed_association *handed,
			       const struct reader *reader)
{
	struct associations *all = &endpoint->associations;
	struct association *ret = NULL;

	if (handed->id > 0 && !association_find(all, handed->id))
		ret = association_add(all, handed->id, handed->first_seen_ns);
	if (!ret) {
		if (handed->id > 0 && !association_find(all, handed->id))
			tell_error(handed->id,
				   "exec: no memory for what was peeled off, which ends", ENOMEM);
		drop(&handed->peeled);
		return NULL;
	}
	if (fill(endpoint, handed, ret, reader))
		return ret;
	/* closed meanwhile, so it has ended */
	association_unlink(all, ret);
	association_free(all, ret);
	return NULL;
}

/* One after the other; `endpoint` NULL: its socket is gone, and they go too. */
static bool take_associations(struct reader *reader, struct endpoint *endpoint,
			      const struct handed_endpoint *of, size_t state_size)
{
	for (uint32_t i = 0; i < of->associations; i++) {
		struct handed_association handed;
		struct association *association = NULL;

		if (!take(reader, &handed, sizeof(handed)) || !skip(reader, state_size))
			return false;
		if (!endpoint)
			drop(&handed.peeled);
		else
			association = add(endpoint, &handed, reader);
		if (!association)
			continue;
		if (reader->counts)
			memcpy(association->state, reader->at - state_size, state_size);
		if (of->bound >= HANDED_FIRST && i == of->bound - HANDED_FIRST &&
		    association_peeled(association))
			endpoint->bound = &association->source;
	}
	return true;
}

/* ------------------------------------------------------------------ endpoints */

static void set_as_before(struct endpoint *endpoint, const struct handed_endpoint *handed)
{
	struct as_set *set = endpoint->set;

	set->listening = (handed->flags & HANDED_LISTENING) != 0;
	set->interleave = (handed->flags & HANDED_INTERLEAVE) != 0;
	set->wants_rcvinfo = (handed->flags & HANDED_WANTS_RCVINFO) != 0;
	set->hides_rcvinfo = (handed->flags & HANDED_HIDES_RCVINFO) != 0;
	set->hides_arrival |= (handed->flags & HANDED_HIDES_ARRIVAL) != 0;
	set->rcvtimeo_ns = handed->rcvtimeo_ns;
	set->noted = handed->noted;
	if (handed->flags & HANDED_HELD)
		peel_hold(endpoint, "held by the program that executed this one");
	endpoint->forked = (handed->flags & HANDED_FORKED) != 0;
	if (handed->bound == HANDED_ORIGINAL)
		endpoint->bound = &endpoint->original;
	endpoint->bound_by_peek = (handed->flags & HANDED_PEEKED) != 0;
	endpoint->half_read = handed->half_read;
}

/* It goes on as one of the processes that share the socket; else as a stranger to them. */
static void join(struct endpoint *endpoint, const struct handed_endpoint *handed,
		 const struct reader *reader)
{
	int commons = still(&handed->commons), in = still(&handed->mail_in),
	    out = still(&handed->mail_out);

	if (commons < 0 || in < 0 || out < 0 || !reader->counts ||
	    !commons_join(endpoint, commons)) {
		drop(&handed->commons);
		drop(&handed->mail_in);
		drop(&handed->mail_out);
		return;
	}
	hidden_inherit(commons, &endpoint->commons_fd);
	hidden_inherit(in, &endpoint->mail_in);
	hidden_inherit(out, &endpoint->mail_out);
	endpoint->read = handed->read;
	endpoint->has_lost_mail = (handed->flags & HANDED_LOST_MAIL) != 0;
}

/* False: cut short. The first number that is the socket still makes the endpoint. */
static bool take_numbers(struct reader *reader, const struct handed_endpoint *handed,
			 struct endpoint **ret)
{
	for (uint32_t i = 0; i < handed->numbers; i++) {
		int32_t number;

		if (!take(reader, &number, sizeof(number)))
			return false;
		if (number < 0 || fdtable_get(number) != FD_UNKNOWN ||
		    !is_file(number, handed->inode))
			continue;
		if (*ret)
			endpoint_duplicated(*ret, number);
		else
			*ret = endpoint_inherited(number);
		/* whoever has it too is known */
		if (*ret)
			(*ret)->inherited = false;
	}
	return true;
}

/* The policy's, of the socket. */
static bool take_windows(struct reader *reader, struct endpoint *endpoint, size_t size)
{
	bool fits = endpoint && endpoint->policy_state && reader->counts &&
		    size == policy_socket_state_size(settings_get()->policy);

	return fits ? take(reader, endpoint->policy_state, size) : skip(reader, size);
}

/* The kernel still has it in the set, with what told the program before this one whose it was. */
static void register_again(struct endpoint *endpoint, const struct handed_registration *handed)
{
	struct epoll_event event = {.events = handed->events, .data.u64 = handed->data};

	if (endpoint_has(endpoint, handed->number) &&
	    libc.epoll_ctl(handed->set, EPOLL_CTL_DEL, handed->number, NULL) == 0 &&
	    epollset_ctl(endpoint, handed->set, EPOLL_CTL_ADD, handed->number, &event) < 0)
		tell_error(-1, "exec: an epoll set that was handed over cannot go on", errno);
}

static bool take_registrations(struct reader *reader, struct endpoint *endpoint)
{
	struct handed_registration handed;

	while (take(reader, &handed, sizeof(handed))) {
		if (handed.set < 0)
			return true;
		if (endpoint)
			register_again(endpoint, &handed);
	}
	return false;
}

static void go_on(struct endpoint *endpoint, const struct handed_endpoint *handed,
		  const struct reader *reader)
{
	int error;

	if (handed->commons.inode)
		join(endpoint, handed, reader);
	if (endpoint->associations.peeled == 0 && !endpoint->commons)
		return;
	error = fanin_hub(endpoint, endpoint->number);
	if (error) {
		tell_error(-1, "exec: what was peeled off cannot join the hub yet", -error);
		/* made anew before it is used */
		endpoint->hub_inherited = true;
	}
	/* a thread of the old image may have read of an end when it was written down already */
	if (lock_take(&endpoint->lock)) {
		news_look_for_ends(endpoint);
		lock_release(&endpoint->lock);
	}
}

static bool take_endpoint(struct reader *reader, size_t state_size)
{
	struct handed_endpoint handed;
	struct endpoint *endpoint = NULL;

	if (!take(reader, &handed, sizeof(handed)) || !take_numbers(reader, &handed, &endpoint))
		return false;
	if (endpoint)
		set_as_before(endpoint, &handed);
	if (!take_windows(reader, endpoint, handed.state_size) ||
	    !take_associations(reader, endpoint, &handed, state_size))
		return false;
	if (endpoint)
		go_on(endpoint, &handed, reader);
	return take_registrations(reader, endpoint);
}

/* ------------------------------------------------------------------ the memory */

static bool is_sealed(int fd, uint64_t inode, struct stat *ret)
{
	return libc.fcntl(fd, F_GET_SEALS) == HANDED_SEALS && fstat(fd, ret) == 0 &&
	       ret->st_ino == inode && ret->st_uid == geteuid();
}

/* NULL: nothing is wrong with it. */
static const char *fault_of(const struct handed_header *header)
{
	if (header->magic != HANDED_MAGIC)
		return "exec: what was handed over is none of ours";
	if (header->version != HANDED_VERSION)
		return "exec: what was handed over is of another version, and lost";
	if (header->pid != getpid())
		return "exec: what was handed over is for another process";
	return NULL;
}

static const char *read_all(struct reader *reader)
{
	const struct policy *policy = settings_get()->policy;
	struct handed_header header;
	const char *fault;

	if (!take(reader, &header, sizeof(header)))
		return "exec: what was handed over is cut short";
	fault = fault_of(&header);
	if (fault)
		return fault;
	reader->counts = header.policy == handed_policy() &&
			 header.state_size == policy_assoc_state_size(policy);
	while (reader->at < reader->end)
		if (!take_endpoint(reader, header.state_size))
			return "exec: what was handed over is cut short";
	return NULL;
}

static const char *take_up(int fd, uint64_t inode)
{
	struct reader reader = {0};
	const char *ret;
	struct stat stat;
	void *mapped = MAP_FAILED;

	if (!is_sealed(fd, inode, &stat))
		return "exec: what was handed over is not what it was";
	/* a shortage that goes by at once must not lose what was peeled off */
	for (int tries = 0; mapped == MAP_FAILED && tries < 3; tries++)
		mapped = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED)
		return "exec: no memory for what was handed over";
	reader.at = mapped;
	reader.end = reader.at + stat.st_size;
	ret = read_all(&reader);
	munmap(mapped, (size_t)stat.st_size);
	libc.close(fd);
	return ret;
}

void takeover(void)
{
	const char *value = environment_take_out(HANDED_VARIABLE), *fault;
	struct word rest = {value, value ? strlen(value) : 0}, word;
	uint64_t fd, inode;

	if (!value)
		return;
	if (word_next(&rest, ':', &word) && value_count(word, &fd) && fd < FDTABLE_SIZE &&
	    value_count(rest, &inode))
		fault = take_up((int)fd, inode);
	else
		fault = "exec: " HANDED_VARIABLE " is none of ours";
	if (fault)
		tell_error(-1, fault, 0);
}
