/* SPDX-License-Identifier: MIT */
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hidden.h"

/*
 * A letter of its own costs the sender's buffer some 800 bytes; together they cost little more than
 * their length, but each reader needs as many free numbers as come together.
 */
enum { TOGETHER = 16, ROOM_FOR_ONE = 4096, BUFFER = 4 << 20, SPARE = 128 };
/* No more fits in, whatever the commons say (the kernel doubles a buffer's size). */
enum { MOST = 2 * BUFFER };

struct envelope {
	struct letter letters[TOGETHER];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(TOGETHER * sizeof(int))];
	} control;
};

bool mailbox_make(struct endpoint *endpoint)
{
	int ends[2], size = BUFFER;

	if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return false;
	if (libc.setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		libc.setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	hidden_adopt(ends[0], &endpoint->mail_out);
	hidden_adopt(ends[1], &endpoint->mail_in);
	return true;
}

void mailbox_close(struct endpoint *endpoint)
{
	hidden_close(&endpoint->mail_out);
	hidden_close(&endpoint->mail_in);
}

static struct msghdr message(struct envelope *envelope, struct iovec *iov, size_t letters,
			     size_t descriptors)
{
	*iov = (struct iovec){envelope->letters, letters * sizeof(struct letter)};
	return (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = descriptors ? &envelope->control : NULL,
		.msg_controllen = descriptors ? CMSG_SPACE(descriptors * sizeof(int)) : 0,
	};
}

/*
 * What one that was killed inside a lock has left: the letters say where they stand, the kernel how
 * many there are.
 */
static void find_bearings(struct endpoint *endpoint)
{
	struct commons *commons = endpoint->commons;
	struct letter first;
	int off = 0, waiting = 0;

	libc.setsockopt(endpoint->mail_out, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off));
	if (libc.recv(endpoint->mail_out, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) ==
	    (ssize_t)sizeof(first))
		commons->dropped = first.at;
	else
		commons->dropped = commons->posted;
	libc.ioctl(endpoint->mail_out, SIOCINQ, &waiting);
	__atomic_store_n(&commons->posted, commons->dropped + (uint64_t)waiting, __ATOMIC_RELEASE);
}

static void lock_mail(struct endpoint *endpoint)
{
	if (pthread_mutex_lock(&endpoint->commons->mail) == EOWNERDEAD) {
		find_bearings(endpoint);
		pthread_mutex_consistent(&endpoint->commons->mail);
	}
}

static void unlock_mail(struct endpoint *endpoint)
{
	pthread_mutex_unlock(&endpoint->commons->mail);
}

bool mailbox_has_room(struct endpoint *endpoint)
{
	int used = 0, size = 0;
	socklen_t len = sizeof(size);

	return libc.ioctl(endpoint->mail_in, SIOCOUTQ, &used) == 0 &&
	       libc.getsockopt(endpoint->mail_in, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0 &&
	       used + ROOM_FOR_ONE <= size;
}

/* mail is held. */
static int put_in(struct endpoint *endpoint, struct envelope *envelope, size_t letters,
		  size_t descriptors)
{
	struct commons *commons = endpoint->commons;
	struct iovec iov;
	struct msghdr msg = message(envelope, &iov, letters, descriptors);

	envelope->control.header.cmsg_level = SOL_SOCKET;
	envelope->control.header.cmsg_type = SCM_RIGHTS;
	envelope->control.header.cmsg_len = CMSG_LEN(descriptors * sizeof(int));
	/* the gap behind the last one, for those who look at what is given to the kernel */
	memset(CMSG_DATA(&envelope->control.header) + descriptors * sizeof(int), 0,
	       CMSG_SPACE(descriptors * sizeof(int)) - CMSG_LEN(descriptors * sizeof(int)));
	for (size_t i = 0; i < letters; i++)
		envelope->letters[i].at = commons->posted + i * sizeof(struct letter);
	/* counted first: who is woken by it must not find that nothing was posted */
	__atomic_add_fetch(&commons->posted, iov.iov_len, __ATOMIC_RELEASE);
	if (libc.sendmsg(endpoint->mail_in, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	__atomic_sub_fetch(&commons->posted, iov.iov_len, __ATOMIC_RELEASE);
	return -errno;
}

/* Two letters with a descriptor each: the second send shows that there is room after the first. */
int mailbox_rehearse(int fd)
{
	struct envelope envelope = {0};
	struct iovec iov;
	int ends[2], ret = 0;

	if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return errno;
	for (size_t i = 0; i < 2; i++)
		memcpy(CMSG_DATA(&envelope.control.header) + i * sizeof(fd), &fd, sizeof(fd));
	for (size_t count = 2; count >= 1 && ret == 0; count--) {
		struct msghdr msg = message(&envelope, &iov, 1, count);

		envelope.control.header.cmsg_level = SOL_SOCKET;
		envelope.control.header.cmsg_type = SCM_RIGHTS;
		envelope.control.header.cmsg_len = CMSG_LEN(count * sizeof(fd));
		if (libc.sendmsg(ends[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			ret = errno;
	}
	libc.close(ends[0]);
	libc.close(ends[1]);
	return ret;
}

static void write_letter(struct envelope *envelope, size_t i, enum letter_kind kind,
			 const struct association *association)
{
	struct letter *letter = &envelope->letters[i];

	*letter = (struct letter){
		.kind = kind,
		.id = association->id,
		.descriptor = (uint32_t)i,
		.hides_changes = association->hides_changes,
		.peer = association->peer,
	};
	if (kind == LETTER_PEELED)
		memcpy(CMSG_DATA(&envelope->control.header) + i * sizeof(int),
		       &association->source.fd, sizeof(int));
}

static int post(struct endpoint *endpoint, struct envelope *envelope, size_t descriptors)
{
	bool has_read_all;
	int ret, kept = errno;

	lock_mail(endpoint);
	has_read_all = endpoint->read == endpoint->commons->posted;
	ret = put_in(endpoint, envelope, 1, descriptors);
	/* its own letters are no news to it */
	if (ret == 0 && has_read_all)
		PUBLISH(endpoint->read, endpoint->commons->posted);
	unlock_mail(endpoint);
	errno = kept;
	return ret;
}

int mailbox_post(struct endpoint *endpoint, enum letter_kind kind,
		 const struct association *association)
{
	struct envelope envelope;

	write_letter(&envelope, 0, kind, association);
	return post(endpoint, &envelope, kind == LETTER_PEELED ? 1 : 0);
}

int mailbox_post_begun(struct endpoint *endpoint, sctp_assoc_t id, int fd, bool hides_changes)
{
	struct envelope envelope;
	int ret;

	envelope.letters[0] =
		(struct letter){.kind = LETTER_BEGUN, .id = id, .hides_changes = hides_changes};
	memcpy(CMSG_DATA(&envelope.control.header), &fd, sizeof(fd));
	ret = post(endpoint, &envelope, 1);
	/* not to be taken out meanwhile by another thread of ours */
	endpoint->announced = ret == 0;
	return ret;
}

/* The descriptors that came; all but that of a letter of this kind are closed. -1 without one.
 * `letter` NULL: there is none that could say which. */
static int pick(struct msghdr *msg, const struct letter *letter, enum letter_kind kind)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int ret = -1;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= cmsg->cmsg_len; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
		if (letter && letter->kind == kind && letter->descriptor == i)
			ret = fd;
		else
			libc.close(fd);
	}
	return ret;
}

/* mail is held. The letter at this place, with the descriptor of one of this kind. */
static int look(struct endpoint *endpoint, uint64_t at, enum letter_kind kind, struct letter *ret,
		int *ret_fd)
{
	struct envelope envelope;
	struct iovec iov;
	struct msghdr msg = message(&envelope, &iov, 1, TOGETHER);
	const struct commons *commons = endpoint->commons;
	int off = (int)(at - commons->dropped);
	ssize_t n;

	/* else it would never end: a negative offset reads the first one, each time (socket(7)) */
	if (commons->posted - commons->dropped > MOST || at - commons->dropped > MOST)
		return -EIO;
	if (libc.setsockopt(endpoint->mail_out, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) < 0)
		return -errno;
	n = libc.recvmsg(endpoint->mail_out, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n != (ssize_t)sizeof(*ret)) {
		if (n > 0)
			(void)pick(&msg, NULL, kind);
		return -EIO;
	}
	*ret = envelope.letters[0];
	*ret_fd = pick(&msg, ret, kind);
	return ret->kind == kind && *ret_fd < 0 ? -EMFILE : 1;
}

int mailbox_fetch_begun(struct endpoint *endpoint)
{
	struct letter letter;
	int ret = -ENOENT, number = -ENOENT, kept = errno;

	lock_mail(endpoint);
	if (endpoint->begun_at >= endpoint->commons->dropped &&
	    endpoint->begun_at < endpoint->commons->posted)
		ret = look(endpoint, endpoint->begun_at, LETTER_BEGUN, &letter, &number);
	unlock_mail(endpoint);
	errno = kept;
	return ret > 0 ? number : ret;
}

int mailbox_read(struct endpoint *endpoint, struct letter *ret, int *ret_fd, bool *ret_missed)
{
	int n = 0, kept = errno;

	*ret_fd = -1;
	lock_mail(endpoint);
	if (endpoint->read < endpoint->commons->dropped) {
		PUBLISH(endpoint->read, endpoint->commons->dropped);
		*ret_missed = true;
	}
	if (endpoint->read != endpoint->commons->posted)
		n = look(endpoint, endpoint->read, LETTER_PEELED, ret, ret_fd);
	if (n > 0)
		PUBLISH(endpoint->read, endpoint->read + sizeof(*ret));
	unlock_mail(endpoint);
	errno = kept;
	return n;
}

/* ------------------------------------------------------------------ making room */

static int put_living_in(struct endpoint *endpoint)
{
	struct envelope envelope;
	size_t n = 0;
	int ret = 0;

	for (struct association *a = endpoint->associations.first; a && ret == 0; a = a->next) {
		if (!association_peeled(a))
			continue;
		write_letter(&envelope, n++, LETTER_PEELED, a);
		if (n == TOGETHER) {
			ret = put_in(endpoint, &envelope, n, n);
			n = 0;
		}
	}
	return ret == 0 && n > 0 ? put_in(endpoint, &envelope, n, n) : ret;
}

/* Without room for control messages the kernel closes the descriptors (net/core/scm.c). */
static void take_out(struct endpoint *endpoint, uint64_t until)
{
	struct commons *commons = endpoint->commons;
	struct letter letters[TOGETHER];
	int off = -1;

	libc.setsockopt(endpoint->mail_out, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off));
	while (commons->dropped < until) {
		uint64_t left = until - commons->dropped;
		ssize_t n =
			libc.recv(endpoint->mail_out, letters,
				  left < sizeof(letters) ? left : sizeof(letters), MSG_DONTWAIT);

		if (n <= 0)
			return;
		commons->dropped += (uint64_t)n;
	}
}

/* Once the letters that are over outnumber the others: what is put in again makes up for it. */
static bool is_worth_it(const struct endpoint *endpoint, uint64_t until)
{
	uint64_t letters = (until - endpoint->commons->dropped) / sizeof(struct letter);

	return letters > 2 * (uint64_t)endpoint->associations.peeled + SPARE;
}

void mailbox_tidy(struct endpoint *endpoint)
{
	int kept = errno;
	uint64_t until;

	lock_mail(endpoint);
	until = endpoint->commons->posted;
	/* what this process lacks, or has not made known yet, it cannot put in again for others */
	if (endpoint->read == until && !endpoint->has_lost_mail && !endpoint->begun &&
	    !endpoint->announced && is_worth_it(endpoint, until) && put_living_in(endpoint) == 0) {
		PUBLISH(endpoint->read, endpoint->commons->posted);
		take_out(endpoint, until);
	}
	unlock_mail(endpoint);
	errno = kept;
}
