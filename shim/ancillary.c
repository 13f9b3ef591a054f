/* SPDX-License-Identifier: MIT */
#include "ancillary.h"

#include <arpa/inet.h>
#include <string.h>

/* Copies the first bytes of a scattered buffer together. */
static size_t gather(const struct msghdr *msg, size_t n, void *to, size_t size)
{
	size_t done = 0;

	if (n < size)
		size = n;
	for (size_t i = 0; done < size && i < msg->msg_iovlen; i++) {
		size_t part = msg->msg_iov[i].iov_len;

		if (part > size - done)
			part = size - done;
		if (part == 0)
			continue;
		memcpy((char *)to + done, msg->msg_iov[i].iov_base, part);
		done += part;
	}
	return done;
}

#define MEMBER_ID(member, field) \
	(offsetof(union sctp_notification, member) + offsetof(__typeof__(event.member), field))

/* Place of the association id in a notification; 0 for one that has none or is not known. */
static size_t notification_id(int type)
{
	union sctp_notification event;

	switch (type) {
	case SCTP_ASSOC_CHANGE:
		return MEMBER_ID(sn_assoc_change, sac_assoc_id);
	case SCTP_PEER_ADDR_CHANGE:
		return MEMBER_ID(sn_paddr_change, spc_assoc_id);
	case SCTP_SEND_FAILED:
		return MEMBER_ID(sn_send_failed, ssf_assoc_id);
	case SCTP_SEND_FAILED_EVENT:
		return MEMBER_ID(sn_send_failed_event, ssf_assoc_id);
	case SCTP_REMOTE_ERROR:
		return MEMBER_ID(sn_remote_error, sre_assoc_id);
	case SCTP_SHUTDOWN_EVENT:
		return MEMBER_ID(sn_shutdown_event, sse_assoc_id);
	case SCTP_PARTIAL_DELIVERY_EVENT:
		return MEMBER_ID(sn_pdapi_event, pdapi_assoc_id);
	case SCTP_ADAPTATION_INDICATION:
		return MEMBER_ID(sn_adaptation_event, sai_assoc_id);
	case SCTP_AUTHENTICATION_EVENT:
		return MEMBER_ID(sn_authkey_event, auth_assoc_id);
	case SCTP_SENDER_DRY_EVENT:
		return MEMBER_ID(sn_sender_dry_event, sender_dry_assoc_id);
	case SCTP_STREAM_RESET_EVENT:
		return MEMBER_ID(sn_strreset_event, strreset_assoc_id);
	case SCTP_ASSOC_RESET_EVENT:
		return MEMBER_ID(sn_assocreset_event, assocreset_assoc_id);
	case SCTP_STREAM_CHANGE_EVENT:
		return MEMBER_ID(sn_strchange_event, strchange_assoc_id);
	default:
		return 0;
	}
}

/*
 * A program's buffer may be so small that only a part is there. The types differ in their low byte
 * (0x8001 ASSOC_CHANGE...), so that one byte tells the type.
 */
static void read_notification(const struct msghdr *inner, size_t n, struct received *ret)
{
	union sctp_notification event;
	size_t got, at;

	memset(&event, 0, sizeof(event));
	got = gather(inner, n, &event, sizeof(event));
	/* also the rest of one may begin with zeros: it is no data */
	ret->notification = event.sn_header.sn_type ? event.sn_header.sn_type : SCTP_SN_TYPE_BASE;
	if (got == 1) {
		uint8_t low;

		memcpy(&low, &event, 1);
		ret->notification = SCTP_SN_TYPE_BASE | low;
	}
	if (ret->notification == SCTP_ASSOC_CHANGE &&
	    got >= offsetof(struct sctp_assoc_change, sac_error))
		ret->change = event.sn_assoc_change.sac_state;
	at = notification_id(ret->notification);
	if (at && got >= at + sizeof(ret->id))
		memcpy(&ret->id, (const char *)&event + at, sizeof(ret->id));
}

static bool is_rcvinfo(const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == IPPROTO_SCTP && cmsg->cmsg_type == SCTP_RCVINFO;
}

/* It stands in front of SCTP_RCVINFO (net/sctp/socket.c:sctp_recvmsg). */
static bool is_arrival(const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_TIMESTAMPNS;
}

static uint64_t ns_of(const struct timespec *when)
{
	return (uint64_t)when->tv_sec * 1000000000u + (uint64_t)when->tv_nsec;
}

void ancillary_read(const struct msghdr *inner, size_t n, struct received *ret)
{
	*ret = (struct received){.change = -1, .end = (inner->msg_flags & MSG_EOR) != 0};
	if (inner->msg_name)
		(void)peer_address_from(&ret->peer, inner->msg_name, inner->msg_namelen);
	if (inner->msg_flags & MSG_NOTIFICATION) {
		read_notification(inner, n, ret);
		return;
	}
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(inner); cmsg;
	     cmsg = CMSG_NXTHDR((struct msghdr *)(uintptr_t)inner, cmsg)) {
		if (is_arrival(cmsg) && cmsg->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
			struct timespec when;

			memcpy(&when, CMSG_DATA(cmsg), sizeof(when));
			ret->arrived_ns = ns_of(&when);
		}
		if (is_rcvinfo(cmsg)) {
			struct sctp_rcvinfo info;

			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
			ret->id = info.rcv_assoc_id;
			ret->stream = info.rcv_sid;
			ret->ppid = ntohl(info.rcv_ppid);
			ret->flags = info.rcv_flags;
			return;
		}
	}
}

/* net/core/scm.c:put_cmsg, into what is left of the program's buffer. */
static void put(struct msghdr *outer, size_t *left, const struct cmsghdr *cmsg)
{
	size_t len = cmsg->cmsg_len, space = CMSG_ALIGN(len);
	size_t at = outer->msg_controllen - *left;

	if (!outer->msg_control || *left < sizeof(*cmsg)) {
		outer->msg_flags |= MSG_CTRUNC;
		return;
	}
	if (*left < len) {
		outer->msg_flags |= MSG_CTRUNC;
		len = *left;
	}
	/* what cannot be written is left out, and nothing says so (put_cmsg) */
	if (nowhere(outer->msg_control))
		return;
	memcpy((char *)outer->msg_control + at, cmsg, len);
	if (len < cmsg->cmsg_len)
		memcpy((char *)outer->msg_control + at + offsetof(struct cmsghdr, cmsg_len), &len,
		       sizeof(len));
	*left -= space < *left ? space : *left;
}

void ancillary_deliver(const struct msghdr *inner, struct msghdr *outer, bool hide_rcvinfo,
		       bool hide_arrival)
{
	size_t left = outer->msg_controllen;

	outer->msg_flags = inner->msg_flags;
	if (outer->msg_name)
		outer->msg_namelen = inner->msg_namelen;
	if (!outer->msg_control)
		left = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(inner); cmsg;
	     cmsg = CMSG_NXTHDR((struct msghdr *)(uintptr_t)inner, cmsg)) {
		if ((hide_rcvinfo && is_rcvinfo(cmsg)) || (hide_arrival && is_arrival(cmsg)))
			continue;
		put(outer, &left, cmsg);
	}
	outer->msg_controllen = outer->msg_control ? outer->msg_controllen - left : 0;
}

bool ancillary_next(const struct msghdr *msg, size_t *at, struct control *ret)
{
	const char *control = msg->msg_control;
	struct cmsghdr head;

	if (*at > msg->msg_controllen || msg->msg_controllen - *at < sizeof(head) ||
	    nowhere(control))
		return false;
	memcpy(&head, control + *at, sizeof(head));
	if (head.cmsg_len < sizeof(head) || head.cmsg_len > msg->msg_controllen - *at)
		return false;
	*ret = (struct control){head.cmsg_level, head.cmsg_type, head.cmsg_len - sizeof(head),
				control + *at + sizeof(head)};
	*at += CMSG_ALIGN(head.cmsg_len);
	return true;
}

void ancillary_destination(const struct msghdr *msg, struct destination *ret)
{
	struct control control;
	bool has_sndinfo = false; /* counts wherever it stands (sctp_sendmsg_parse) */

	*ret = (struct destination){.has_id = false};
	if (msg->msg_name && msg->msg_namelen > 0)
		ret->in6 = peer_address_from(&ret->peer, msg->msg_name, msg->msg_namelen) &&
			   ((const struct sockaddr *)msg->msg_name)->sa_family == AF_INET6;
	for (size_t at = 0; ancillary_next(msg, &at, &control);) {
		if (control.level != IPPROTO_SCTP)
			continue;
		if (control.type == SCTP_SNDRCV && !has_sndinfo &&
		    control.size == sizeof(struct sctp_sndrcvinfo)) {
			struct sctp_sndrcvinfo info;

			memcpy(&info, control.data, sizeof(info));
			ret->has_id = true;
			ret->id = info.sinfo_assoc_id;
			ret->flags = info.sinfo_flags;
		} else if (control.type == SCTP_SNDINFO &&
			   control.size == sizeof(struct sctp_sndinfo)) {
			struct sctp_sndinfo info;

			memcpy(&info, control.data, sizeof(info));
			ret->has_id = has_sndinfo = true;
			ret->id = info.snd_assoc_id;
			ret->flags = info.snd_flags;
		}
	}
}
