/* SPDX-License-Identifier: MIT */
#include "option_lists.h"

#include <errno.h>
#include <string.h>

#include "exclusion.h"
#include "peel.h"
#include "peeled.h"
#include "routing.h"

static uint32_t count_alive(struct endpoint *endpoint)
{
	uint32_t ret = 0;

	for (struct association *a = peeled_next_alive(endpoint, NULL); a;
	     a = peeled_next_alive(endpoint, a))
		ret++;
	return ret;
}

static int assoc_number(struct endpoint *endpoint, int fd, void *value, socklen_t *len)
{
	int ret = libc.getsockopt(fd, SOL_SCTP, SCTP_GET_ASSOC_NUMBER, value, len);
	uint32_t number;

	if (ret == 0 && *len >= sizeof(number)) {
		memcpy(&number, value, sizeof(number));
		number += count_alive(endpoint);
		memcpy(value, &number, sizeof(number));
	}
	return ret;
}

typedef int question(struct endpoint *endpoint, int fd, void *value, socklen_t *len);

/* One that is being peeled off is on neither: asked again when that is over. */
static int ask_settled(question *ask, struct endpoint *endpoint, int fd, void *value,
		       socklen_t *len)
{
	socklen_t asked = *len;
	uint32_t sequence;
	int ret;

	do {
		sequence = peel_sequence(endpoint);
		*len = asked;
		ret = ask(endpoint, fd, value, len);
	} while (peel_settled(endpoint, sequence));
	return ret;
}

int option_assoc_number(struct endpoint *endpoint, int fd, void *value, socklen_t *len)
{
	return ask_settled(assoc_number, endpoint, fd, value, len);
}

/* The kernel lists in the order in which they were set up, which is that of their ids. */
static void insert(struct sctp_assoc_ids *list, sctp_assoc_t id)
{
	uint32_t at = list->gaids_number_of_ids++;

	for (; at > 0 && list->gaids_assoc_id[at - 1] > id; at--)
		list->gaids_assoc_id[at] = list->gaids_assoc_id[at - 1];
	list->gaids_assoc_id[at] = id;
}

static int assoc_id_list(struct endpoint *endpoint, int fd, void *value, socklen_t *len)
{
	struct sctp_assoc_ids *list = value;
	socklen_t room = *len;
	int ret = libc.getsockopt(fd, SOL_SCTP, SCTP_GET_ASSOC_ID_LIST, value, len);

	if (ret < 0)
		return ret;
	for (struct association *a = peeled_next_alive(endpoint, NULL); a;
	     a = peeled_next_alive(endpoint, a)) {
		if (*len + sizeof(a->id) > room) {
			/* net/sctp/socket.c:sctp_getsockopt_assoc_ids: all or nothing */
			peel_unuse(endpoint, a);
			errno = EINVAL;
			return -1;
		}
		insert(list, a->id);
		*len += (socklen_t)sizeof(a->id);
	}
	return 0;
}

int option_assoc_id_list(struct endpoint *endpoint, int fd, void *value, socklen_t *len)
{
	return ask_settled(assoc_id_list, endpoint, fd, value, len);
}

/* Addresses packed one after the other, as sctp_connectx gives them. */
static bool any_connected(struct endpoint *endpoint, const char *addrs, size_t size)
{
	while (size >= sizeof(struct sockaddr_in)) {
		const struct sockaddr *addr = (const struct sockaddr *)(const void *)addrs;
		size_t one = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							 : sizeof(struct sockaddr_in);
		struct peer_address address;

		if (one > size || !peer_address_from(&address, addr, (socklen_t)one))
			return false;
		if (routing_is_connected(endpoint, &address))
			return true;
		addrs += one;
		size -= one;
	}
	return false;
}

static void admit(struct endpoint **endpoint)
{
	peel_admit(*endpoint);
}

int option_connectx(struct endpoint *endpoint, int fd, int name, const void *value, socklen_t len)
{
	struct endpoint *excluded __attribute__((cleanup(admit))) = endpoint;
	int ret;

	peel_exclude(excluded);
	ret = libc.setsockopt(fd, SOL_SCTP, name, value, len);
	if (ret < 0 && errno == EADDRNOTAVAIL)
		errno = any_connected(endpoint, value, len) ? EISCONN : EADDRNOTAVAIL;
	return ret;
}

int option_connectx_old(struct endpoint *endpoint, int fd, void *value, socklen_t *len)
{
	struct endpoint *excluded __attribute__((cleanup(admit))) = endpoint;
	/* struct sctp_getaddrs_old of linux/sctp.h, which the user's header does not have */
	struct {
		sctp_assoc_t id;
		int size;
		const char *addrs;
	} asked;
	int ret;

	peel_exclude(excluded);
	ret = libc.getsockopt(fd, SOL_SCTP, SCTP_SOCKOPT_CONNECTX3, value, len);
	if (ret < 0 && errno == EADDRNOTAVAIL && *len >= sizeof(asked)) {
		memcpy(&asked, value, sizeof(asked));
		errno = any_connected(endpoint, asked.addrs, (size_t)asked.size) ? EISCONN
										 : EADDRNOTAVAIL;
	}
	return ret;
}
