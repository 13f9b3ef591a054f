/* SPDX-License-Identifier: MIT */
#include "handover.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "commons.h"
#include "epollset.h"
#include "events/outlet.h"
#include "exclusion.h"
#include "handed.h"
#include "image.h"
#include "line.h"
#include "registration.h"
#include "siblings.h"
#include "telling.h"
#include "values.h"

/* More than that many variables are not copied: a thread's stack may be small. */
enum { ENTRIES_MAX = 4096 };

/* ------------------------------------------------------------------ what goes along */

/* The next number at or above `fd` of an endpoint that the new image will inherit; -1: none. */
static int next_inherited(int fd)
{
	for (; fd < fdtable_end(); fd++)
		if (unlikely(fd_kind(fdtable_get(fd)) == FD_ENDPOINT) &&
		    !(libc.fcntl(fd, F_GETFD) & FD_CLOEXEC))
			return fd;
	return -1;
}

/* An endpoint may have several numbers. */
static bool is_first(int fd)
{
	int other = next_inherited(0);

	while (other < fd && fdtable_get(other) != fdtable_get(fd))
		other = next_inherited(other + 1);
	return other == fd;
}

static void for_each_inherited(void (*each)(struct endpoint *endpoint, void *context),
			       void *context)
{
	for (int fd = next_inherited(0); fd >= 0; fd = next_inherited(fd + 1)) {
		int number = fd;

		if (!is_first(fd))
			continue;
		ENTER_KNOWN(endpoint, number);
		if (endpoint)
			each(endpoint, context);
	}
}

/* No peel from here on: it would be missing in what is written. */
static void leave(struct endpoint *endpoint, void *context)
{
	(void)context;
	siblings_executes(endpoint, true);
	peel_exclude(endpoint);
	endpoint->leaves = true;
}

static void set_inherited(const struct endpoint *endpoint, bool inherited)
{
	int flags = inherited ? 0 : FD_CLOEXEC;

	for (struct association *a = endpoint->associations.first; a; a = a->next)
		if (association_peeled(a))
			libc.fcntl(a->source.fd, F_SETFD, flags);
	if (!endpoint->commons)
		return;
	libc.fcntl(endpoint->commons_fd, F_SETFD, flags);
	libc.fcntl(endpoint->mail_in, F_SETFD, flags);
	libc.fcntl(endpoint->mail_out, F_SETFD, flags);
}

/* A child that executes another program is nobody who shares what closes with that. */
static void executes(struct endpoint *endpoint)
{
	siblings_executes(endpoint, true);
}

static void goes_on(struct endpoint *endpoint)
{
	siblings_executes(endpoint, false);
}

static void let_go(struct endpoint *endpoint, void *context)
{
	bool locked = lock_take(&endpoint->lock);

	(void)context;
	set_inherited(endpoint, true);
	if (locked)
		lock_release(&endpoint->lock);
}

/* What we have switched on for us alone: not to be seen by a program that nothing hides it from. */
static void switch_ours(const struct endpoint *endpoint, int on)
{
	if (as_set(endpoint)->hides_rcvinfo)
		libc.setsockopt(endpoint->number, SOL_SCTP, SCTP_RECVRCVINFO, &on, sizeof(on));
	if (as_set(endpoint)->hides_arrival)
		libc.setsockopt(endpoint->number, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}

static void stay(struct endpoint *endpoint)
{
	struct endpoint *pinned __attribute__((cleanup(endpoint_leave))) =
		endpoint->leaves ? endpoint_pin(endpoint) : NULL;
	bool locked;

	if (!pinned)
		return;
	locked = lock_take(&endpoint->lock);
	set_inherited(endpoint, false);
	switch_ours(endpoint, 1);
	endpoint->leaves = false;
	if (locked)
		lock_release(&endpoint->lock);
	peel_admit(endpoint);
	siblings_executes(endpoint, false);
}

/* ------------------------------------------------------------------ writing it down */

struct writer {
	int fd;
	bool failed;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
	if (size > 0 && !writer->failed)
		writer->failed = quiet_write(writer->fd, bytes, size) != (ssize_t)size;
}

static uint64_t inode(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 ? stat.st_ino : 0;
}

static struct handed_descriptor descriptor(int fd)
{
	return (struct handed_descriptor){.inode = fd >= 0 ? inode(fd) : 0, .fd = fd};
}

static void put_header(struct writer *writer)
{
	struct handed_header header = {
		.magic = HANDED_MAGIC,
		.version = HANDED_VERSION,
		.pid = getpid(),
		.policy = handed_policy(),
		.state_size = (uint32_t)policy_assoc_state_size(settings_get()->policy),
	};

	put(writer, &header, sizeof(header));
}

static uint32_t flags_of(const struct endpoint *endpoint)
{
	const struct as_set *set = endpoint->set;

	return (set->listening ? HANDED_LISTENING : 0) | (set->interleave ? HANDED_INTERLEAVE : 0) |
	       (set->wants_rcvinfo ? HANDED_WANTS_RCVINFO : 0) |
	       (set->hides_rcvinfo ? HANDED_HIDES_RCVINFO : 0) |
	       (set->hides_arrival ? HANDED_HIDES_ARRIVAL : 0) |
	       (endpoint->held ? HANDED_HELD : 0) | (endpoint->bound_by_peek ? HANDED_PEEKED : 0) |
	       (endpoint->forked ? HANDED_FORKED : 0) |
	       (endpoint->has_lost_mail ? HANDED_LOST_MAIL : 0);
}

static uint32_t bound_of(const struct endpoint *endpoint)
{
	uint32_t place = HANDED_FIRST;

	if (!endpoint->bound)
		return HANDED_UNBOUND;
	if (endpoint->bound == &endpoint->original)
		return HANDED_ORIGINAL;
	for (struct association *a = endpoint->associations.first; a; a = a->next, place++)
		if (endpoint->bound == &a->source)
			return place;
	return HANDED_UNBOUND;
}

static uint32_t collect_numbers(const struct endpoint *endpoint, int32_t *ret)
{
	uint32_t n = 0;

	for (int fd = next_inherited(0); fd >= 0 && n < HANDED_NUMBERS; fd = next_inherited(fd + 1))
		if (endpoint_has(endpoint, fd))
			ret[n++] = fd;
	return n;
}

static void put_association(struct writer *writer, const struct association *association)
{
	struct handed_association handed = {
		.peeled = descriptor(association->source.fd),
		.first_seen_ns = association->first_seen_ns,
		.last_seen_ns = association->last_seen_ns,
		.bytes = association->bytes,
		.msgs = association->msgs,
		.unfinished = association->unfinished,
		.retry_ns = association->retry_ns,
		.id = association->id,
		.flags = (association->hides_changes ? HANDED_HIDES_CHANGES : 0) |
			 (association->ended ? HANDED_ENDED : 0),
		.sndblocked = association->sndblocked,
		.refusals = association->refusals,
		.rule = association->rule,
		.verdict = association->verdict,
		.hides_dry = association->hides_dry,
		.peer = association->peer,
	};

	put(writer, &handed, sizeof(handed));
	put(writer, association->state, policy_assoc_state_size(settings_get()->policy));
}

static void put_registration(const struct registration *registration, void *context)
{
	struct handed_registration handed = {
		.set = registration->epfd,
		.number = registration->fd,
		.data = registration->data.u64,
		.events = registration->events,
	};

	/* told once already: it asks for nothing until it is armed again */
	if ((handed.events & EPOLLONESHOT) && !registration->armed)
		handed.events &= MANNER;
	put(context, &handed, sizeof(handed));
}

/* A set that is another process's too is left as it is. */
static void put_registrations(struct writer *writer, const struct endpoint *endpoint)
{
	static const struct handed_registration last = {.set = -1};

	if (!endpoint->forked || (endpoint->commons && !endpoint->commons->sets_inherited))
		epollset_each(endpoint, put_registration, writer);
	put(writer, &last, sizeof(last));
}

static void put_endpoint(struct endpoint *endpoint, void *context)
{
	struct writer *writer = context;
	int32_t numbers[HANDED_NUMBERS];
	bool locked = lock_take(&endpoint->lock);
	size_t state_size =
		endpoint->policy_state ? policy_socket_state_size(settings_get()->policy) : 0;
	struct handed_endpoint handed = {
		.inode = inode(endpoint->number),
		.numbers = collect_numbers(endpoint, numbers),
		.associations = endpoint->associations.count,
		.flags = flags_of(endpoint),
		.bound = bound_of(endpoint),
		.half_read = endpoint->half_read,
		.state_size = (uint32_t)state_size,
		.rcvtimeo_ns = as_set(endpoint)->rcvtimeo_ns,
		.noted = as_set(endpoint)->noted,
		.commons = descriptor(endpoint->commons_fd),
		.mail_in = descriptor(endpoint->mail_in),
		.mail_out = descriptor(endpoint->mail_out),
		.read = endpoint->read,
	};

	put(writer, &handed, sizeof(handed));
	put(writer, numbers, handed.numbers * sizeof(numbers[0]));
	put(writer, endpoint->policy_state, state_size);
	for (struct association *a = endpoint->associations.first; a; a = a->next)
		put_association(writer, a);
	if (locked)
		lock_release(&endpoint->lock);
	put_registrations(writer, endpoint);
}

/* -1: no memory, or no descriptor. */
static int write_down(void)
{
	struct writer writer = {.fd = memfd_create("sctpeel", MFD_ALLOW_SEALING)};

	if (writer.fd < 0)
		return -1;
	put_header(&writer);
	for_each_inherited(put_endpoint, &writer);
	if (!writer.failed && libc.fcntl(writer.fd, F_ADD_SEALS, HANDED_SEALS) == 0)
		return writer.fd;
	libc.close(writer.fd);
	return -1;
}

/* ------------------------------------------------------------------ the new environment */

static const char *value_of(char *const envp[], const char *name)
{
	size_t length = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return NULL;
}

/* /etc/ld.so.preload (ld.so(8)) preloads into all programs, whatever their environment. */
static bool preloaded_for_all(void)
{
	char buf[4096];
	int fd = open("/etc/ld.so.preload", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd >= 0) {
		n = libc.read(fd, buf, sizeof(buf) - 1);
		libc.close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
	return strstr(buf, "libsctpeel.so") != NULL;
}

/* Why the new image will not go on with what it is given, as far as can be seen from here. */
static const char *obstacle(char *const envp[])
{
	const char *preload = value_of(envp, "LD_PRELOAD"), *mode = value_of(envp, "SCTPEEL_MODE");

	if (!settings_get()->follow)
		return "SCTPEEL_FOLLOW=false";
	if (!(preload && strstr(preload, "libsctpeel.so")) && !preloaded_for_all())
		return "LD_PRELOAD does not name the library any more";
	if (mode && word_is(word_trim((struct word){mode, strlen(mode)}), "off"))
		return "SCTPEEL_MODE=off";
	return NULL;
}

size_t handover_entries(char *const envp[])
{
	size_t n = 0;

	if (next_inherited(0) < 0)
		return 1;
	while (envp && envp[n] && n < ENTRIES_MAX)
		n++;
	return n + 2;
}

/* What an image before this one was handed is not for the next. False: it has become too long. */
static bool compose(struct handover *handover, char *const envp[], char **room, size_t entries)
{
	struct line line;
	size_t n = 0;

	line_open(&line, handover->variable, sizeof(handover->variable));
	line_string(&line, HANDED_VARIABLE "=");
	line_unsigned(&line, (uint64_t)handover->memfd);
	line_char(&line, ':');
	line_unsigned(&line, inode(handover->memfd));
	line_done(&line);
	for (; envp && *envp && n + 2 < entries; envp++)
		if (strncmp(*envp, HANDED_VARIABLE "=", strlen(HANDED_VARIABLE "=")) != 0)
			room[n++] = *envp;
	if ((envp && *envp) || n + 2 > entries)
		return false;
	room[n++] = handover->variable;
	room[n] = NULL;
	handover->envp = room;
	return true;
}

/* ------------------------------------------------------------------ before and after */

/* What other processes hold too does not end with this one. */
static void leave_behind(struct endpoint *endpoint, void *context)
{
	uint32_t *lost = context;

	if (!siblings_alone(endpoint))
		return;
	switch_ours(endpoint, 0);
	*lost += endpoint->associations.peeled;
}

static void leave_all_behind(const char *why)
{
	char text[160];
	struct line line;
	uint32_t lost = 0;

	for_each_inherited(leave_behind, &lost);
	if (lost == 0)
		return;
	line_open(&line, text, sizeof(text));
	line_format(&line, "exec: %u peeled associations do not go along with the socket: %s", lost,
		    why);
	tell_error(-1, line_done(&line), 0);
}

/* NULL, or why nothing goes along. */
static const char *hand_over(struct handover *handover, char *const envp[], char **room,
			     size_t entries)
{
	/* what is not handed over is lost, so a shortage that goes by at once must not count */
	handover->memfd = -1;
	for (int tries = 0; tries < 3 && handover->memfd < 0; tries++)
		handover->memfd = write_down();
	if (handover->memfd < 0)
		return "no memory or no descriptor to hand them over by";
	if (!compose(handover, envp, room, entries))
		return "too many variables in the environment";
	for_each_inherited(let_go, NULL);
	return NULL;
}

struct handover *handover_begin(struct handover *handover, int dir, const char *path,
				char *const envp[], char **room, size_t entries)
{
	int kept = errno;
	const char *why;

	*handover = (struct handover){.envp = envp, .memfd = -1};
	if (!endpoint_own_process())
		return handover;
	endpoint_for_each(executes);
	if (next_inherited(0) < 0)
		return handover;
	handover->begun = true;
	cancellation_off();
	for_each_inherited(leave, NULL);
	why = obstacle(envp);
	if (!why)
		why = image_obstacle(dir, path);
	if (!why)
		why = hand_over(handover, envp, room, entries);
	if (why)
		leave_all_behind(why);
	errno = kept;
	return handover;
}

int handover_failed(struct handover *handover, int ret)
{
	int kept = errno;

	if (endpoint_own_process())
		endpoint_for_each(goes_on);
	errno = kept;
	if (!handover->begun)
		return ret;
	endpoint_for_each(stay);
	if (handover->memfd >= 0)
		libc.close(handover->memfd);
	cancellation_on();
	errno = kept;
	return ret;
}
