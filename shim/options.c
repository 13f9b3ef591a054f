/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ending.h"
#include "exclusion.h"
#include "inheritance.h"
#include "option_lists.h"
#include "peel.h"
#include "peeled.h"
#include "routing.h"
#include "subscriptions.h"
#include "telling.h"

/* A structure that is nothing but an id. */
struct option_bare_id {
	sctp_assoc_t id;
};

struct option {
	int name;
	uint16_t size;		   /* with less the value has no id */
	int16_t id_at, address_at; /* -1: none */
	bool of_endpoint;	   /* set for one association, it holds for all to come */
};

static const struct option options[] = {
#define OPTION(name, structure, id) \
	{name, offsetof(structure, id) + sizeof(sctp_assoc_t), offsetof(structure, id), -1, false},
#define OPTION_ENDPOINT(name, structure, id) \
	{name, offsetof(structure, id) + sizeof(sctp_assoc_t), offsetof(structure, id), -1, true},
#define OPTION_ADDRESS(name, structure, id, address)                           \
	{name, offsetof(structure, address) + sizeof(struct sockaddr_storage), \
	 offsetof(structure, id), offsetof(structure, address), false},
#define OPTION_WIDE(name) {name, 0, -1, -1, false},
#include "options.def"
#undef OPTION
#undef OPTION_ENDPOINT
#undef OPTION_ADDRESS
#undef OPTION_WIDE
};

static const struct option *option_find(int level, int name)
{
	if (level != SOL_SCTP)
		return NULL;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].name == name)
			return &options[i];
	return NULL;
}

/* A structure of 8 bytes whose id has 4 bytes before it would else take an int for an id. */
static bool has_id(const struct option *option, socklen_t len)
{
	return option && option->id_at >= 0 && len >= option->size &&
	       !(option->id_at == 0 && len == sizeof(int) && option->name != SCTP_RESET_ASSOC &&
		 (option->name == SCTP_MAXSEG || option->name == SCTP_MAX_BURST));
}

static sctp_assoc_t id_of(const struct option *option, const void *value)
{
	sctp_assoc_t id;

	memcpy(&id, (const char *)value + option->id_at, sizeof(id));
	return id;
}

/* The address that the option names, if it is a peer's and not the wildcard. */
static bool address_of(const struct option *option, const void *value, struct peer_address *ret)
{
	static const struct peer_address any;
	struct sockaddr_storage addr;

	if (option->address_at < 0)
		return false;
	memcpy(&addr, (const char *)value + option->address_at, sizeof(addr));
	return peer_address_from(ret, (const struct sockaddr *)&addr, sizeof(addr)) &&
	       memcmp(ret->bytes, any.bytes, sizeof(any.bytes)) != 0;
}

/* The peeled association that the option is about, pinned; NULL: it is the original's. */
static struct association *find(struct endpoint *endpoint, const struct option *option,
				const void *value, socklen_t len)
{
	struct association *ret = NULL;
	struct peer_address address;

	if (!has_id(option, len))
		return NULL;
	if (id_of(option, value) > SCTP_ALL_ASSOC)
		ret = peeled_by_id(endpoint, id_of(option, value));
	else if (address_of(option, value, &address)) {
		ret = peeled_by_address(endpoint, &address);
		if (!ret && peeled_learn_addresses(endpoint, false))
			ret = peeled_by_address(endpoint, &address);
	}
	/* after the end some options still answer 0 there (KERNEL.md 4); the original says EINVAL
	 */
	if (ret && !peel_alive(ret->source.fd, ret->id)) {
		ending_met(endpoint, ret);
		peel_unuse(endpoint, ret);
		ret = NULL;
	}
	return ret;
}

/* ------------------------------------------------------------------ get */

/* What the shim switched on for itself reads as the program left it. */
static void disguise(const struct endpoint *endpoint, const struct association *association,
		     int name, void *value, socklen_t len)
{
	if (name == SCTP_RECVRCVINFO && len >= sizeof(int)) {
		int wants = as_set(endpoint)->wants_rcvinfo;

		memcpy(value, &wants, sizeof(wants));
	} else if (name == SCTP_EVENT && association && association->hides_changes &&
		   len >= sizeof(struct sctp_event)) {
		struct sctp_event event;

		memcpy(&event, value, sizeof(event));
		if (event.se_type == SCTP_ASSOC_CHANGE)
			event.se_on = 0;
		memcpy(value, &event, sizeof(event));
	}
}

static int get_of_association(struct endpoint *endpoint, int fd, int name,
			      const struct option *option, void *value, socklen_t *len)
{
	for (;;) {
		uint32_t sequence = peel_sequence(endpoint);
		struct association *association = find(endpoint, option, value, *len);
		socklen_t asked = *len;
		int ret;

		if (association) {
			tell_call(fd, association->id, "getsockopt");
			ret = libc.getsockopt(association->source.fd, SOL_SCTP, name, value, len);
			if (ret == 0)
				disguise(endpoint, association, name, value, *len);
			peel_unuse(endpoint, association);
			return ret;
		}
		ret = libc.getsockopt(fd, SOL_SCTP, name, value, len);
		if (ret == 0 || errno != EINVAL || !has_id(option, asked) ||
		    !peel_settled(endpoint, sequence))
			return ret;
		*len = asked;
	}
}

/* The one option whose address counts when it is set and not when it is asked for. */
static int get_primary(struct endpoint *endpoint, int fd, void *value, socklen_t *len)
{
	struct option option = *option_find(SOL_SCTP, SCTP_PRIMARY_ADDR);

	option.address_at = -1;
	return get_of_association(endpoint, fd, SCTP_PRIMARY_ADDR, &option, value, len);
}

/* Writes what stands there already. A kernel or sandbox that lacks the call is believed. */
static bool is_writable(void *at, const void *same, size_t size)
{
	struct iovec from = {(void *)(uintptr_t)same, size}, to = {at, size};
	int kept = errno;
	bool ret = process_vm_writev(getpid(), &from, 1, &to, 1, 0) >= 0 || errno != EFAULT;

	errno = kept;
	return ret;
}

static int get_peeled_off(struct endpoint *endpoint, int fd, int name, void *value, socklen_t *len)
{
	sctp_peeloff_flags_arg_t arg = {{0, 0}, 0};
	socklen_t size = name == SCTP_SOCKOPT_PEELOFF ? sizeof(arg.p_arg) : sizeof(arg);
	int ret;

	/* the kernel takes no less, and says so (net/sctp/socket.c:sctp_getsockopt_peeloff) */
	if ((int)*len < (int)size || nowhere(value))
		return libc.getsockopt(fd, SOL_SCTP, name, value, len);
	memcpy(&arg, value, size);
	/* the kernel destroys an association whose number it cannot write back (K2); we ask before
	 */
	if (!is_writable(value, &arg, size)) {
		errno = EFAULT;
		return -1;
	}
	ret = peel_for_program(endpoint, fd, arg.p_arg.associd, name, arg.flags);
	if (ret < 0)
		return ret;
	arg.p_arg.sd = ret;
	memcpy(value, &arg, size);
	*len = size;
	return ret;
}

static int get_of_socket(const struct endpoint *endpoint, int fd, int level, int name, void *value,
			 socklen_t *len)
{
	int ret = libc.getsockopt(fd, level, name, value, len), off = 0;

	if (ret == 0 && level == SOL_SOCKET && name == SO_TIMESTAMPNS &&
	    as_set(endpoint)->hides_arrival)
		memcpy(value, &off, *len < sizeof(off) ? *len : sizeof(off));
	return ret;
}

int options_get(struct endpoint *endpoint, int fd, int level, int name, void *value, socklen_t *len)
{
	int ret;

	if (nowhere(len) || nowhere(value))
		return libc.getsockopt(fd, level, name, value, len);
	if (level != SOL_SCTP)
		return get_of_socket(endpoint, fd, level, name, value, len);
	switch (name) {
	case SCTP_SOCKOPT_PEELOFF:
	case SCTP_SOCKOPT_PEELOFF_FLAGS:
		return get_peeled_off(endpoint, fd, name, value, len);
	case SCTP_SOCKOPT_CONNECTX3:
		return option_connectx_old(endpoint, fd, value, len);
	case SCTP_GET_ASSOC_NUMBER:
		return option_assoc_number(endpoint, fd, value, len);
	case SCTP_GET_ASSOC_ID_LIST:
		return option_assoc_id_list(endpoint, fd, value, len);
	case SCTP_RECVRCVINFO:
		ret = libc.getsockopt(fd, level, name, value, len);
		if (ret == 0)
			disguise(endpoint, NULL, name, value, *len);
		return ret;
	case SCTP_PRIMARY_ADDR:
		return get_primary(endpoint, fd, value, len);
	default:
		return get_of_association(endpoint, fd, name, option_find(level, name), value, len);
	}
}

/* ------------------------------------------------------------------ set */

/* All peeled ones. 0, or the first failure's errno; errno itself is kept. */
static int set_on_all(struct endpoint *endpoint, int level, int name, const void *value,
		      socklen_t len)
{
	int kept = errno, error = 0;

	FOR_EACH_PEELED (association, endpoint)
		if (libc.setsockopt(association->source.fd, level, name, value, len) < 0 && !error)
			error = errno;
	errno = kept;
	return error;
}

/* A flag of the endpoint, set in the name of one association: for it, the others, and those to
 * come. */
static void set_on_endpoint(struct endpoint *endpoint, int fd, int name, const void *value,
			    socklen_t len)
{
	struct sctp_assoc_value future;
	int kept = errno;

	memcpy(&future, value, sizeof(future));
	future.assoc_id = SCTP_FUTURE_ASSOC;
	libc.setsockopt(fd, SOL_SCTP, name, &future, sizeof(future));
	set_on_all(endpoint, SOL_SCTP, name, value, len);
	errno = kept;
}

/* Stays on in the kernel while the shim runs; what the program asked for decides what it is given.
 */
static int set_rcvinfo(struct endpoint *endpoint, int fd, const void *value, socklen_t len)
{
	int on = 1, wants, ret;

	if (len < sizeof(int))
		return libc.setsockopt(fd, SOL_SCTP, SCTP_RECVRCVINFO, value, len);
	ret = libc.setsockopt(fd, SOL_SCTP, SCTP_RECVRCVINFO, &on, sizeof(on));
	if (ret == 0) {
		memcpy(&wants, value, sizeof(wants));
		as_set(endpoint)->wants_rcvinfo = wants > 0;
		as_set(endpoint)->hides_rcvinfo = wants <= 0;
	}
	return ret;
}

static int set_of_association(struct endpoint *endpoint, int fd, const struct option *option,
			      const void *value, socklen_t len)
{
	for (;;) {
		uint32_t sequence = peel_sequence(endpoint);
		struct association *association = find(endpoint, option, value, len);
		int ret;

		if (association) {
			tell_call(fd, association->id, "setsockopt");
			ret = option->name == SCTP_EVENT
				      ? subscription_set_event_of(endpoint, association, value, len)
				      : libc.setsockopt(association->source.fd, SOL_SCTP,
							option->name, value, len);
			peel_unuse(endpoint, association);
			return ret;
		}
		ret = libc.setsockopt(fd, SOL_SCTP, option->name, value, len);
		if (ret == 0 || errno != EINVAL || !peel_settled(endpoint, sequence))
			return ret;
	}
}

/* SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC mean the peeled ones too. */
static bool names_all(const struct option *option, const void *value)
{
	sctp_assoc_t id = id_of(option, value);

	return id == SCTP_CURRENT_ASSOC || id == SCTP_ALL_ASSOC;
}

static int set_sctp(struct endpoint *endpoint, int fd, int name, const void *value, socklen_t len)
{
	const struct option *option = option_find(SOL_SCTP, name);
	int ret;

	if (has_id(option, len)) {
		sctp_assoc_t id = id_of(option, value);

		if (name == SCTP_EVENT && id <= SCTP_ALL_ASSOC && id >= 0)
			return subscription_set_event(endpoint, fd, value, len);
		ret = set_of_association(endpoint, fd, option, value, len);
		if (ret < 0)
			return ret;
		if (option->of_endpoint) {
			set_on_endpoint(endpoint, fd, name, value, len);
		} else if (names_all(option, value)) {
			int error = set_on_all(endpoint, SOL_SCTP, name, value, len);

			if (error) {
				errno = error;
				return -1;
			}
		}
		return 0;
	}
	ret = libc.setsockopt(fd, SOL_SCTP, name, value, len);
	if (ret == 0 && option && option->id_at < 0) {
		set_on_all(endpoint, SOL_SCTP, name, value, len);
		if (name == SCTP_FRAGMENT_INTERLEAVE)
			as_set(endpoint)->interleave = *(const int *)value > 0;
		else if (name == SCTP_PARTIAL_DELIVERY_POINT && *(const int *)value > 0)
			inheritance_note_parts(endpoint);
	}
	return ret;
}

/* Under their names for 32-bit and 64-bit times, they share one switch in the kernel. */
static bool stamps_arrivals(int name)
{
	return name == SO_TIMESTAMP_OLD || name == SO_TIMESTAMPNS_OLD || name == SO_TIMESTAMP_NEW ||
	       name == SO_TIMESTAMPNS_NEW;
}

/* Options of the socket and of IP hold for everything on it, at once. */
static int set_on_socket(struct endpoint *endpoint, int fd, int level, int name, const void *value,
			 socklen_t len)
{
	int ret = libc.setsockopt(fd, level, name, value, len);

	if (ret < 0)
		return ret;
	if (level == SOL_SOCKET && name == SO_RCVTIMEO && len >= sizeof(struct timeval)) {
		struct timeval timeout;

		memcpy(&timeout, value, sizeof(timeout));
		as_set(endpoint)->rcvtimeo_ns = timeval_ns(&timeout);
	}
	if (level == SOL_SOCKET && stamps_arrivals(name))
		as_set(endpoint)->hides_arrival =
			false; /* now they are as the program wants them */
	set_on_all(endpoint, level, name, value, len);
	return ret;
}

/* For all that is on the socket? What is for one association finds it by itself. */
static bool is_wide(int level, int name, const void *value, socklen_t len)
{
	const struct option *option = option_find(level, name);

	return level != SOL_SCTP || name == SCTP_EVENTS ||
	       (option && (!has_id(option, len) || option->of_endpoint ||
			   id_of(option, value) <= SCTP_ALL_ASSOC));
}

int options_set(struct endpoint *endpoint, int fd, int level, int name, const void *value,
		socklen_t len)
{
	int ret;

	if (nowhere(value) && len > 0)
		return libc.setsockopt(fd, level, name, value, len);

	EXCLUDE_PEELS(is_wide(level, name, value, len) ? endpoint : NULL);
	if (level != SOL_SCTP) {
		ret = set_on_socket(endpoint, fd, level, name, value, len);
	} else if (name == SCTP_EVENTS) {
		return subscription_set_events(endpoint, fd, value, len);
	} else if (name == SCTP_RECVRCVINFO) {
		return set_rcvinfo(endpoint, fd, value, len);
	} else if (name == SCTP_SOCKOPT_CONNECTX || name == SCTP_SOCKOPT_CONNECTX_OLD) {
		return option_connectx(endpoint, fd, name, value, len);
	} else {
		ret = set_sctp(endpoint, fd, name, value, len);
	}
	if (ret == 0)
		inheritance_note(endpoint, level, name);
	return ret;
}

/*
 * The port is taken, says the kernel, by our own peeled sockets (KERNEL.md 4), unless all say that
 * it may be used again (net/sctp/socket.c:sctp_get_port_local).
 */
static int listen_again(struct endpoint *endpoint, int fd, int backlog)
{
	int reuse = 0, ret, kept;
	socklen_t len = sizeof(reuse);

	if (libc.getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &len) < 0 || reuse)
		return -1;
	reuse = 1;
	libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	set_on_all(endpoint, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	ret = libc.listen(fd, backlog);
	kept = errno;
	reuse = 0;
	libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	set_on_all(endpoint, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	errno = kept;
	return ret;
}

int options_listen(struct endpoint *endpoint, int fd, int backlog)
{
	int ret = libc.listen(fd, backlog);

	if (ret < 0 && errno == EADDRINUSE && GLANCE(endpoint->associations.peeled) > 0)
		ret = listen_again(endpoint, fd, backlog);
	/* with 0 an SCTP socket stops listening (net/sctp/socket.c:sctp_inet_listen) */
	if (ret == 0)
		as_set(endpoint)->listening = backlog != 0;
	return ret;
}
