/* SPDX-License-Identifier: MIT */
#include "inheritance.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <unistd.h>

#include "peel.h"
#include "peeled.h"

enum { OPTION_SIZE = 128, FILTER_SIZE = 512 };

/*
 * In the order in which they are set: IP_TOS changes the priority, so SO_PRIORITY comes after it.
 * Names that this libc's headers may lack stand as the kernel's numbers.
 */
static const struct {
	int level, name;
} lost[] = {
	{IPPROTO_IP, 1 /* IP_TOS */},
	{IPPROTO_IP, 13 /* IP_RECVTOS */},
	{IPPROTO_IP, 8 /* IP_PKTINFO */},
	{IPPROTO_IP, 12 /* IP_RECVTTL */},
	{IPPROTO_IP, 11 /* IP_RECVERR */},
	{IPPROTO_IP, 21 /* IP_MINTTL */},
	{IPPROTO_IP, 15 /* IP_FREEBIND */},
	{IPPROTO_IP, 19 /* IP_TRANSPARENT */},
	{IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */},
	{IPPROTO_IPV6, 67 /* IPV6_TCLASS */},
	{IPPROTO_IPV6, 16 /* IPV6_UNICAST_HOPS */},
	{IPPROTO_IPV6, 18 /* IPV6_MULTICAST_HOPS */},
	{IPPROTO_IPV6, 49 /* IPV6_RECVPKTINFO */},
	{IPPROTO_IPV6, 66 /* IPV6_RECVTCLASS */},
	{IPPROTO_IPV6, 51 /* IPV6_RECVHOPLIMIT */},
	{IPPROTO_IPV6, 56 /* IPV6_RECVRTHDR */},
	{IPPROTO_IPV6, 25 /* IPV6_RECVERR */},
	{IPPROTO_IPV6, 23 /* IPV6_MTU_DISCOVER */},
	{IPPROTO_IPV6, 62 /* IPV6_DONTFRAG */},
	{IPPROTO_IPV6, 70 /* IPV6_AUTOFLOWLABEL */},
	{IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */},
	{IPPROTO_IPV6, 78 /* IPV6_FREEBIND */},
	{IPPROTO_IPV6, 72 /* IPV6_ADDR_PREFERENCES */},
	{SOL_SOCKET, SO_PRIORITY},
	{SOL_SOCKET, SO_MARK},
	{SOL_SOCKET, SO_RCVLOWAT},
	{SOL_SOCKET, SO_PASSCRED},
	{SOL_SOCKET, SO_BUSY_POLL},
	{SOL_SOCKET, SO_PREFER_BUSY_POLL},
	{SOL_SOCKET, SO_INCOMING_CPU},
	{SOL_SOCKET, SO_ATTACH_FILTER},
	{SOL_SOCKET, 47 /* SO_MAX_PACING_RATE */},
	{SOL_SCTP, SCTP_AUTO_ASCONF},
	{SOL_SCTP, SCTP_PR_SUPPORTED},
	{SOL_SCTP, SCTP_RECONFIG_SUPPORTED},
	{SOL_SCTP, SCTP_ENABLE_STREAM_RESET},
	{SOL_SCTP, SCTP_INTERLEAVING_SUPPORTED},
	{SOL_SCTP, SCTP_ASCONF_SUPPORTED},
	{SOL_SCTP, SCTP_AUTH_SUPPORTED},
	{SOL_SCTP, SCTP_ECN_SUPPORTED},
	{SOL_SCTP, SCTP_EXPOSE_POTENTIALLY_FAILED_STATE},
};

enum { LOST = sizeof(lost) / sizeof(lost[0]) };
_Static_assert((int)LOST <= (int)NOTED_OPTIONS, "all of them can be noted");

/* What cannot be read back and set; the associations stay on the socket that has it. */
static const char *not_followed(int level, int name)
{
	if (level == SOL_SOCKET && name == SO_ATTACH_BPF)
		return "an eBPF socket filter is attached";
	if (level == SOL_SCTP && (name == SCTP_AUTH_KEY || name == SCTP_AUTH_CHUNK ||
				  name == SCTP_HMAC_IDENT || name == SCTP_AUTH_ACTIVE_KEY))
		return "the socket has authentication keys of its own";
	return NULL;
}

void inheritance_note(struct endpoint *endpoint, int level, int name)
{
	const char *why = not_followed(level, name);

	if (why)
		peel_hold(endpoint, why);
	for (int i = 0; i < LOST; i++)
		if (lost[i].level == level && lost[i].name == name)
			__atomic_or_fetch(&as_set(endpoint)->noted, UINT64_C(1) << i,
					  __ATOMIC_RELAXED);
	/* IP_TOS sets a priority by itself, which SO_PRIORITY before it would undo */
	if (level == IPPROTO_IP && name == 1)
		inheritance_note(endpoint, SOL_SOCKET, SO_PRIORITY);
}

/*
 * On several processors a peel lets packets overtake each other: what waits for the old socket
 * (net/sctp/input.c:sctp_backlog_rcv) is behind what comes to the new one. What overtakes a message
 * that is delivered in part may stay in the kernel's reassembly queue, and is lost with the end of
 * the association. Seen with Debian's 6.1.0-56, in one of three runs (tests/torture/parts.script);
 * the way it comes about is inferred: only with several processors, and only with this option.
 */
void inheritance_note_parts(struct endpoint *endpoint)
{
	if (sysconf(_SC_NPROCESSORS_CONF) > 1)
		peel_hold(endpoint, "the kernel may lose what it delivers in parts "
				    "(SCTP_PARTIAL_DELIVERY_POINT)");
}

void inheritance_note_all(struct endpoint *endpoint)
{
	as_set(endpoint)->noted = UINT64_MAX;
}

static void copy(int original, int peeled, int level, int name)
{
	char value[OPTION_SIZE];
	socklen_t len = sizeof(value);

	/* the endpoint's own flags are asked for with SCTP_FUTURE_ASSOC, which is 0 */
	__builtin_memset(value, 0, sizeof(value));
	if (level == SOL_SCTP)
		len = sizeof(struct sctp_assoc_value);
	if (libc.getsockopt(original, level, name, value, &len) == 0)
		libc.setsockopt(peeled, level, name, value, len);
}

/* A classic filter; net/core/filter.c:sk_get_filter counts instructions, not bytes. */
static void copy_filter(struct endpoint *endpoint, int original, int peeled)
{
	struct sock_filter code[FILTER_SIZE];
	struct sock_fprog program = {.filter = code};
	socklen_t len = FILTER_SIZE;

	if (libc.getsockopt(original, SOL_SOCKET, SO_GET_FILTER, code, &len) < 0) {
		peel_hold(endpoint, "a long socket filter is attached");
		return;
	}
	program.len = (unsigned short)len;
	if (len > 0)
		libc.setsockopt(peeled, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void inheritance_apply(struct endpoint *endpoint, int original, int peeled)
{
	uint64_t noted = __atomic_load_n(&as_set(endpoint)->noted, __ATOMIC_RELAXED);

	for (int i = 0; i < LOST && noted; i++)
		if (!(noted & (UINT64_C(1) << i)))
			continue;
		else if (lost[i].level == SOL_SOCKET && lost[i].name == SO_ATTACH_FILTER)
			copy_filter(endpoint, original, peeled);
		else
			copy(original, peeled, lost[i].level, lost[i].name);
}

/*
 * Some want privileges that a server gives up once it has set up its socket: then they would be
 * lost, and what is marked would go another way. Set anew where they are, to the same.
 */
bool inheritance_possible(struct endpoint *endpoint, int original)
{
	static const struct {
		int level, name;
	} privileged[] = {
		{SOL_SOCKET, SO_MARK},
		{SOL_SOCKET, SO_PRIORITY},
		{IPPROTO_IP, 19 /* IP_TRANSPARENT */},
	};

	if (!__atomic_load_n(&as_set(endpoint)->noted, __ATOMIC_RELAXED))
		return true;
	for (size_t i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		int level = privileged[i].level, name = privileged[i].name, value = 0;
		socklen_t len = sizeof(value);

		if (libc.getsockopt(original, level, name, &value, &len) < 0 || value == 0 ||
		    libc.setsockopt(original, level, name, &value, sizeof(value)) == 0)
			continue;
		peel_hold(endpoint, "the privileges to set SO_MARK, SO_PRIORITY or IP_TRANSPARENT "
				    "on a peeled socket are gone");
		return false;
	}
	return true;
}

static const char by_signals[] = "signal-driven input and output (O_ASYNC)";

void inheritance_note_signals(struct endpoint *endpoint)
{
	peel_hold(endpoint, by_signals);
}

void inheritance_drive_by_signals(struct endpoint *endpoint, int original)
{
	int number = libc.fcntl(original, F_GETSIG), kept = errno;
	struct f_owner_ex owner;

	inheritance_note_signals(endpoint);
	if (libc.fcntl(original, F_GETOWN_EX, &owner) == 0)
		FOR_EACH_PEELED (association, endpoint) {
			int peeled = association->source.fd, mode = libc.fcntl(peeled, F_GETFL);

			libc.fcntl(peeled, F_SETOWN_EX, &owner);
			libc.fcntl(peeled, F_SETSIG, (void *)(intptr_t)number);
			libc.fcntl(peeled, F_SETFL, (void *)(intptr_t)(mode | O_ASYNC));
		}
	errno = kept;
}

void inheritance_copy_buffers(int original, int peeled)
{
	static const int names[] = {SO_RCVBUF, SO_SNDBUF};

	for (int i = 0; i < 2; i++) {
		int value = 0;
		socklen_t len = sizeof(value);

		/* the kernel doubles what is set (socket(7)) */
		if (libc.getsockopt(original, SOL_SOCKET, names[i], &value, &len) == 0) {
			value /= 2;
			libc.setsockopt(peeled, SOL_SOCKET, names[i], &value, sizeof(value));
		}
	}
}
