/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "epollset.h"
#include "events/events.h"
#include "exclusion.h"
#include "hidden.h"
#include "inheritance.h"
#include "mailbox.h"
#include "peel.h"
#include "stalls.h"

enum { ENDPOINTS = 4096, SLOTS_A_MAPPING = 64 };

/* pins of a record that nobody can enter any more, but whose contents are still being undone */
#define EMPTYING UINT32_MAX

static struct endpoint *mappings[ENDPOINTS / SLOTS_A_MAPPING];
static struct fork_lock slots, probing;
static pid_t process;
_Thread_local uint32_t endpoint_inside;

void endpoint_set_process(void)
{
	process = getpid();
}

bool endpoint_own_process(void)
{
	return getpid() == process;
}

void endpoint_before_fork(void)
{
	lock_before_fork(&probing);
	lock_before_fork(&slots);
}

void endpoint_after_fork(bool child)
{
	lock_after_fork(&slots, child);
	lock_after_fork(&probing, child);
}

void endpoint_for_each(void (*each)(struct endpoint *endpoint))
{
	for (int i = 0; i < ENDPOINTS / SLOTS_A_MAPPING && mappings[i]; i++)
		for (int j = 0; j < SLOTS_A_MAPPING; j++) {
			uint32_t pins = GLANCE(mappings[i][j].pins);

			if (pins != 0 && pins != EMPTYING)
				each(&mappings[i][j]);
		}
}

/* A free slot with one pin, its contents zero but for the lock. NULL: no memory or too many. */
static struct endpoint *slot_take(void)
{
	struct endpoint *ret = NULL;

	if (!lock_take(&slots.lock))
		return NULL;
	for (int i = 0; !ret && i < ENDPOINTS / SLOTS_A_MAPPING; i++) {
		if (!mappings[i]) {
			mappings[i] = pool_map(SLOTS_A_MAPPING * sizeof(struct endpoint));
			if (!mappings[i])
				break;
		}
		for (int j = 0; !ret && j < SLOTS_A_MAPPING; j++) {
			uint32_t none = 0;

			if (__atomic_compare_exchange_n(&mappings[i][j].pins, &none, 1, false,
							__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				ret = &mappings[i][j];
		}
	}
	lock_release(&slots.lock);
	return ret;
}

static bool pin(struct endpoint *endpoint)
{
	uint32_t pins = __atomic_load_n(&endpoint->pins, __ATOMIC_RELAXED);

	while (pins != 0 && pins != EMPTYING)
		if (__atomic_compare_exchange_n(&endpoint->pins, &pins, pins + 1, true,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
			endpoint_inside++;
			return true;
		}
	return false;
}

struct endpoint *endpoint_pin(struct endpoint *endpoint)
{
	if (!pin(endpoint))
		return NULL;
	if (__atomic_load_n(&endpoint->numbers, __ATOMIC_ACQUIRE) > 0) {
		cancellation_off();
		return endpoint;
	}
	endpoint_leave_slow(endpoint);
	return NULL;
}

/* The last pin is gone: no thread can see the record any more, its memory may be another's. */
static void empty(struct endpoint *endpoint)
{
	associations_end(&endpoint->associations);
	commons_forget(endpoint);
	memset((char *)endpoint + sizeof(endpoint->pins), 0,
	       sizeof(*endpoint) - sizeof(endpoint->pins));
}

void endpoint_leave_slow(struct endpoint *endpoint)
{
	int kept = errno;
	uint32_t pins = __atomic_load_n(&endpoint->pins, __ATOMIC_RELAXED), left;

	endpoint_inside--;
	do {
		if (pins == 1)
			left = EMPTYING;
		else
			left = pins - 1;
	} while (!__atomic_compare_exchange_n(&endpoint->pins, &pins, left, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	if (left != EMPTYING)
		return;
	empty(endpoint);
	__atomic_store_n(&endpoint->pins, 0, __ATOMIC_RELEASE);
	errno = kept;
}

static bool may_pass(int error)
{
	return error != ENOTSOCK && error != EBADF && error != ENOPROTOOPT && error != EOPNOTSUPP;
}

/* A shortage that goes by at once must not make ours a stranger. */
static int get_int(int fd, int level, int name, int otherwise)
{
	for (int tries = 0; tries < 3; tries++) {
		int value = 0;
		socklen_t len = sizeof(value);

		if (libc.getsockopt(fd, level, name, &value, &len) == 0)
			return value;
		if (!may_pass(errno))
			break;
	}
	return otherwise;
}

/* An SCTP socket that is not one-to-one, and not peeled off by the program itself or by others
 * (K4). */
static bool is_one_to_many(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return get_int(fd, SOL_SOCKET, SO_TYPE, -1) == SOCK_SEQPACKET &&
	       getpeername(fd, (struct sockaddr *)&peer, &len) < 0 && errno == ENOTCONN;
}

static bool is_unix(int fd)
{
	return get_int(fd, SOL_SOCKET, SO_DOMAIN, -1) == AF_UNIX;
}

/* What the program has already set on a socket whose birth we did not see. */
static void read_back(struct endpoint *endpoint, int fd)
{
	struct timeval timeout = {0};
	socklen_t len = sizeof(timeout);

	as_set(endpoint)->listening = get_int(fd, SOL_SOCKET, SO_ACCEPTCONN, 0) != 0;
	as_set(endpoint)->interleave = get_int(fd, SOL_SCTP, SCTP_FRAGMENT_INTERLEAVE, 0) != 0;
	as_set(endpoint)->wants_rcvinfo = get_int(fd, SOL_SCTP, SCTP_RECVRCVINFO, 0) != 0;
	if (libc.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &len) == 0)
		as_set(endpoint)->rcvtimeo_ns = timeval_ns(&timeout);
	inheritance_note_all(endpoint);
	if (get_int(fd, SOL_SCTP, SCTP_PARTIAL_DELIVERY_POINT, 0) > 0)
		inheritance_note_parts(endpoint);
}

/* How long messages waited is worth a time stamp, unless the program has asked for stamps itself.
 */
static bool ask_for_arrivals(int fd, bool born)
{
	int on = 1;

	if (!born && (get_int(fd, SOL_SOCKET, SO_TIMESTAMP, 1) ||
		      get_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)))
		return false;
	return libc.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0;
}

static struct endpoint *create(int fd, bool born)
{
	const struct settings *settings = settings_get();
	size_t state_size = policy_socket_state_size(settings->policy);
	struct endpoint *endpoint = slot_take();
	int on = 1, mode;

	if (!endpoint)
		return NULL;
	associations_init(&endpoint->associations, policy_assoc_state_size(settings->policy));
	endpoint->set = &endpoint->own_set;
	endpoint->hub = endpoint->stalls = -1;
	endpoint->commons_fd = endpoint->mail_in = endpoint->mail_out = -1;
	endpoint->original.fd = -1;
	if (state_size > 0) {
		endpoint->policy_state = mmap(NULL, state_size, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (endpoint->policy_state == MAP_FAILED) {
			endpoint->policy_state = NULL;
			endpoint->held = "no memory for the policy's windows";
		}
	}
	if (!born)
		read_back(endpoint, fd);
	/* also a socket may be born with SOCK_NONBLOCK */
	mode = libc.fcntl(fd, F_GETFL);
	as_set(endpoint)->nonblock = (mode & O_NONBLOCK) != 0;
	if (mode >= 0 && (mode & O_ASYNC))
		inheritance_note_signals(endpoint);
	endpoint->family = get_int(fd, SOL_SOCKET, SO_DOMAIN, AF_INET);
	/* messages must tell whose they are, also to a program that gives no control buffer */
	as_set(endpoint)->hides_rcvinfo = !as_set(endpoint)->wants_rcvinfo;
	if (as_set(endpoint)->hides_rcvinfo &&
	    libc.setsockopt(fd, SOL_SCTP, SCTP_RECVRCVINFO, &on, sizeof(on)) < 0)
		endpoint->held = "the kernel has no SCTP_RECVRCVINFO";
	if (events_want(EVENT_MSG))
		as_set(endpoint)->hides_arrival = ask_for_arrivals(fd, born);
	events_socket_opened();
	return endpoint;
}

static void adopt(int fd, bool born)
{
	int kept = errno;
	struct endpoint *endpoint = create(fd, born);

	if (endpoint) {
		endpoint->numbers = 1;
		endpoint->number = fd;
		endpoint->inherited = !born;
		fdtable_set(fd, fd_word(FD_ENDPOINT, endpoint));
	} else {
		fdtable_set(fd, FD_FOREIGN);
	}
	errno = kept;
}

void endpoint_opened(int fd, int domain, int type, int protocol)
{
	if (settings_get()->mode == MODE_OFF)
		return;
	type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (type != SOCK_SEQPACKET || (protocol != IPPROTO_SCTP && protocol != 0) ||
	    get_int(fd, SOL_SOCKET, SO_PROTOCOL, -1) != IPPROTO_SCTP) {
		fdtable_set(fd, domain == AF_UNIX ? FD_UNIX : FD_FOREIGN);
		return;
	}
	adopt(fd, true);
}

/* A number met for the first time. Two threads may ask at once: the first one's answer stands. */
static void probe_number(int fd)
{
	int kept = errno;

	if (settings_get()->mode == MODE_OFF || !lock_take(&probing.lock))
		return;
	if (fdtable_get(fd) == FD_UNKNOWN && libc.fcntl(fd, F_GETFD) >= 0) {
		int protocol = get_int(fd, SOL_SOCKET, SO_PROTOCOL, -1);

		if (protocol == IPPROTO_SCTP && is_one_to_many(fd))
			adopt(fd, false);
		else
			fdtable_set(fd, protocol == 0 && is_unix(fd) ? FD_UNIX : FD_FOREIGN);
	}
	lock_release(&probing.lock);
	errno = kept;
}

struct endpoint *endpoint_inherited(int fd)
{
	uintptr_t word;

	if (fdtable_get(fd) != FD_UNKNOWN)
		return NULL;
	probe_number(fd);
	word = fdtable_get(fd);
	return fd_kind(word) == FD_ENDPOINT ? fd_object(word) : NULL;
}

struct endpoint *endpoint_enter_slow(int *fd, bool probe)
{
	for (;;) {
		uintptr_t word = fdtable_get(*fd);

		switch (fd_kind(word)) {
		case FD_UNKNOWN:
			if (probe) {
				probe_number(*fd);
				if (fdtable_get(*fd) != FD_UNKNOWN)
					continue;
			}
			return NULL;
		case FD_HIDDEN:
			*fd = -1;
			return NULL;
		case FD_ENDPOINT: {
			struct endpoint *endpoint = fd_object(word);

			if (!pin(endpoint))
				continue;
			if (likely(fdtable_get(*fd) == word)) {
				cancellation_off();
				return endpoint;
			}
			endpoint_leave_slow(endpoint);
			continue;
		}
		default:
			return NULL;
		}
	}
}

bool endpoint_count_number(struct endpoint *endpoint)
{
	uint32_t numbers = __atomic_load_n(&endpoint->numbers, __ATOMIC_RELAXED);

	while (numbers != 0)
		if (__atomic_compare_exchange_n(&endpoint->numbers, &numbers, numbers + 1, true,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	return false;
}

void endpoint_duplicated(struct endpoint *endpoint, int to)
{
	if (likely((unsigned int)to < FDTABLE_SIZE) && endpoint_count_number(endpoint))
		fdtable_set(to, fd_word(FD_ENDPOINT, endpoint));
}

/*
 * Another thread may be at a look, or go to sleep: their numbers are another's at once, and what
 * is told there is nothing of this endpoint's.
 */
static void close_sets(struct endpoint *endpoint)
{
	bool locked = lock_take(&endpoint->lock);

	endpoint->departures++;
	hidden_close(&endpoint->hub);
	hidden_close(&endpoint->stalls);
	if (locked)
		lock_release(&endpoint->lock);
}

/* The last number is gone: what was peeled off ends with it, as it would have on one socket. */
static void end(struct endpoint *endpoint)
{
	epollset_forget(endpoint);
	peel_end_all(endpoint);
	close_sets(endpoint);
	mailbox_close(endpoint);
	commons_leave(endpoint);
	/* the pin that goes is the numbers', no call's */
	endpoint_inside++;
	endpoint_leave_slow(endpoint);
}

static int another_number(uintptr_t word)
{
	for (int fd = 0; fd < fdtable_end(); fd++)
		if (fdtable_get(fd) == word)
			return fd;
	return -1;
}

static void lose_number(struct endpoint *endpoint, int fd, uintptr_t word)
{
	if (__atomic_sub_fetch(&endpoint->numbers, 1, __ATOMIC_ACQ_REL) == 0)
		end(endpoint);
	else if (endpoint->number == fd) {
		endpoint->number = another_number(word);
		stalls_number_came(endpoint);
	}
}

uintptr_t endpoint_closing(int fd)
{
	uintptr_t word = fdtable_get(fd);

	if (fd_kind(word) == FD_HIDDEN || word == FD_BUSY || !endpoint_own_process())
		return FD_BUSY;
	word = fdtable_set(fd, FD_BUSY);
	if (word != FD_BUSY)
		cancellation_off();
	if (fd_kind(word) == FD_ENDPOINT) {
		peel_let_end(fd_object(word));
		stalls_number_goes(fd_object(word), fd);
	}
	return word;
}

void endpoint_closed(int fd, uintptr_t word, bool closed, uintptr_t becomes)
{
	if (word == FD_BUSY)
		return;
	if (closed && becomes == FD_UNKNOWN)
		fdtable_closed(fd);
	else
		fdtable_set(fd, closed ? becomes : word);
	if (!closed && fd_kind(word) == FD_ENDPOINT)
		stalls_number_came(fd_object(word));
	if (closed && fd_kind(word) == FD_ENDPOINT)
		lose_number(fd_object(word), fd, word);
	else if (closed && fd_kind(word) == FD_SET)
		epollset_closed(fd_object(word));
	cancellation_on();
}

int endpoint_close(int fd)
{
	uintptr_t word = fdtable_get(fd);
	int ret, kept;

	if (word < FD_BUSY) {
		/* a plain descriptor: forget it first, the number may be another's any moment */
		if (word != FD_UNKNOWN)
			fdtable_set(fd, FD_UNKNOWN);
		return libc.close(fd);
	}
	if (fd_kind(word) == FD_HIDDEN) {
		errno = EBADF;
		return -1;
	}
	/* where one close would have been cancelled; not when it is half done */
	pthread_testcancel();
	word = endpoint_closing(fd);
	ret = libc.close(fd);
	kept = errno;
	/* close frees the number whatever it answers but EBADF (close(2), Linux) */
	endpoint_closed(fd, word, ret == 0 || kept != EBADF, FD_UNKNOWN);
	errno = kept;
	return ret;
}
