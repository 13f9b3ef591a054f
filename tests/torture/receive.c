/* SPDX-License-Identifier: MIT */
/* Every way to receive. */
#include "torture.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static void learn_sndrcv(struct piece *piece, const struct sctp_sndrcvinfo *info)
{
	piece->info_known = info->sinfo_assoc_id != 0;
	piece->id = info->sinfo_assoc_id;
	piece->stream = info->sinfo_stream;
	piece->ppid = ntohl(info->sinfo_ppid);
	piece->unordered = info->sinfo_flags & SCTP_UNORDERED;
}

static void learn_rcvinfo(struct piece *piece, const struct sctp_rcvinfo *info)
{
	piece->info_known = true;
	piece->id = info->rcv_assoc_id;
	piece->stream = info->rcv_sid;
	piece->ppid = ntohl(info->rcv_ppid);
	piece->unordered = info->rcv_flags & SCTP_UNORDERED;
}

static void learn_flags(struct piece *piece, int flags)
{
	piece->flags_known = true;
	piece->notified = flags & MSG_NOTIFICATION;
	piece->whole = flags & MSG_EOR;
}

/* What a msghdr tells after the call. */
static void learn(const struct server *server, struct piece *piece, struct msghdr *header)
{
	int info = server->set[SET_info];
	unsigned sndrcvs = 0, rcvinfos = 0, others = 0;

	learn_flags(piece, header->msg_flags);
	piece->from_length = header->msg_namelen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_SNDRCV) {
			learn_sndrcv(piece, (struct sctp_sndrcvinfo *)CMSG_DATA(c));
			sndrcvs++;
		} else if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_RCVINFO) {
			learn_rcvinfo(piece, (struct sctp_rcvinfo *)CMSG_DATA(c));
			rcvinfos++;
		} else if (c->cmsg_level != IPPROTO_SCTP || c->cmsg_type != SCTP_NXTINFO ||
			   info != INFO_ALL) {
			others++;
		}
	}
	if (piece->notified || piece->size == 0)
		return;
	if (sndrcvs != (info == INFO_SNDRCV || info >= INFO_BOTH) ||
	    rcvinfos != (info >= INFO_RCVINFO) || others > 0 || header->msg_flags & MSG_CTRUNC)
		fail(server->ledger,
		     "%u SNDRCV, %u RCVINFO and %u other control messages, flags %#x", sndrcvs,
		     rcvinfos, others, (unsigned)header->msg_flags);
}

struct place {
	struct iovec iov[2];
	_Alignas(struct cmsghdr) char control[400];
};

static struct msghdr header_for(const struct worker *worker, struct piece *piece,
				struct place *place)
{
	size_t size = (size_t)worker->server->set[SET_buffer], half = size / 2;

	place->iov[0] = (struct iovec){piece->data, half};
	place->iov[1] = (struct iovec){piece->data + half, size - half};
	return (struct msghdr){.msg_name = &piece->from,
			       .msg_namelen = sizeof(piece->from),
			       .msg_iov = place->iov,
			       .msg_iovlen = 2,
			       .msg_control = place->control,
			       .msg_controllen = sizeof(place->control)};
}

static int by_recvmsg(struct worker *worker, int flags)
{
	struct piece *piece = &worker->pieces[0];
	struct place place;
	struct msghdr header = header_for(worker, piece, &place);
	ssize_t n = recvmsg(worker->server->fd, &header, flags);

	if (n < 0)
		return -1;
	piece->size = (size_t)n;
	learn(worker->server, piece, &header);
	return 1;
}

static int by_recvmmsg(struct worker *worker, int flags)
{
	struct mmsghdr many[PIECES];
	struct place places[PIECES];
	int n;

	memset(many, 0, sizeof(many));
	for (int i = 0; i < PIECES; i++)
		many[i].msg_hdr = header_for(worker, &worker->pieces[i], &places[i]);
	if (worker->server->set[SET_nonblock] == 0)
		flags |= MSG_WAITFORONE;
	n = recvmmsg(worker->server->fd, many, PIECES, flags, NULL);
	for (int i = 0; i < n; i++) {
		worker->pieces[i].size = many[i].msg_len;
		learn(worker->server, &worker->pieces[i], &many[i].msg_hdr);
	}
	return n;
}

static int by_sctp(struct worker *worker, int flags, bool v)
{
	const struct server *server = worker->server;
	struct piece *piece = &worker->pieces[0];
	struct sctp_sndrcvinfo sndrcv = {.sinfo_assoc_id = 0};
	struct sctp_recvv_rn rn;
	struct iovec iov = {piece->data, (size_t)server->set[SET_buffer]};
	socklen_t length = sizeof(rn);
	unsigned int type = SCTP_RECVV_NOINFO;
	int n;

	piece->from_length = sizeof(piece->from);
	memset(&rn, 0, sizeof(rn));
	if (v)
		n = sctp_recvv(server->fd, &iov, 1, (struct sockaddr *)&piece->from,
			       &piece->from_length, &rn, &length, &type, &flags);
	else
		n = sctp_recvmsg(server->fd, iov.iov_base, iov.iov_len,
				 (struct sockaddr *)&piece->from, &piece->from_length, &sndrcv,
				 &flags);
	if (n < 0)
		return -1;
	piece->size = (size_t)n;
	learn_flags(piece, flags);
	/* with INFO_ALL libsctp has no room for both, and reads what the kernel has cut off */
	if (!piece->notified && type == SCTP_RECVV_RCVINFO && server->set[SET_info] != INFO_ALL)
		learn_rcvinfo(piece, &rn.recvv_rcvinfo);
	else if (!piece->notified && !v)
		learn_sndrcv(piece, &sndrcv);
	return 1;
}

/* The calls that tell little: the message itself has to say what it is. */
static int by_plain(struct worker *worker, int flags)
{
	const struct server *server = worker->server;
	struct piece *piece = &worker->pieces[0];
	struct place place;
	struct msghdr header = header_for(worker, piece, &place);
	ssize_t n;

	switch (server->set[SET_call]) {
	case BY_RECVFROM:
		piece->from_length = sizeof(piece->from);
		n = recvfrom(server->fd, piece->data, (size_t)server->set[SET_buffer], flags,
			     (struct sockaddr *)&piece->from, &piece->from_length);
		break;
	case BY_READ:
		n = read(server->fd, piece->data, (size_t)server->set[SET_buffer]);
		break;
	default:
		n = readv(server->fd, header.msg_iov, 2);
	}
	piece->size = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -1 : 1;
}

int receive(struct worker *worker)
{
	const int *set = worker->server->set;
	int flags = set[SET_nonblock] == 2 ? MSG_DONTWAIT : 0;

	for (size_t i = 0; i < PIECES; i++)
		worker->pieces[i] =
			(struct piece){.data = worker->buffers + i * (size_t)set[SET_buffer]};
	errno = 0;
	switch (set[SET_call]) {
	case BY_RECVMSG:
		return by_recvmsg(worker, flags);
	case BY_RECVMMSG:
		return by_recvmmsg(worker, flags);
	case BY_SCTP_RECVMSG:
	case BY_SCTP_RECVV:
		return by_sctp(worker, flags, set[SET_call] == BY_SCTP_RECVV);
	default:
		return by_plain(worker, flags);
	}
}
