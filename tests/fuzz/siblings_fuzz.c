/* SPDX-License-Identifier: MIT */
/*
 * What other processes that share an endpoint may have written: any letters, with any descriptors
 * or none, any counts and places in the shared memory. This process must not look anywhere else,
 * keep no descriptor, and come back. The locks themselves are left alone: whoever breaks them can
 * stop the others, as by the socket that they share.
 *
 * An input is a list of things to do, of a byte each and what these take.
 *
 *   make fuzz FUZZ=siblings
 */
#include "stand_in.h"

#include "association.h"
#include "commons.h"
#include "mailbox.h"
#include "news.h"
#include "peel.h"
#include "siblings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_TO_DO = 64, MOST_DESCRIPTORS = 20 };

/* As a door would, on this thread. */
static struct endpoint *enter(int fd)
{
	struct endpoint *ret = endpoint_enter_slow(&fd, true);

	check(ret);
	return ret;
}

/* What another process's mailbox_post would do, whatever it is. */
static void put(struct endpoint *endpoint, const void *bytes, size_t size, int descriptors,
		bool count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {(void *)(uintptr_t)bytes, size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[MOST_DESCRIPTORS];

	for (int i = 0; i < descriptors; i++)
		fds[i] = new_socket();
	if (descriptors > 0) {
		control.header.cmsg_len = CMSG_LEN((size_t)descriptors * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, (size_t)descriptors * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)descriptors * sizeof(int));
	}
	if (libc.sendmsg(endpoint->mail_in, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 && count)
		endpoint->commons->posted += size;
	for (int i = 0; i < descriptors; i++)
		libc.close(fds[i]);
}

static void put_letter(struct endpoint *endpoint, struct input *input)
{
	struct letter letter;
	unsigned int byte = draw_byte(input);

	draw(input, &letter, sizeof(letter));
	if (byte & 1)
		letter.at = endpoint->commons->posted;
	if (byte & 2) {
		letter.kind %= LETTER_BEGUN + 1;
		letter.id &= 7;
	}
	letter.descriptor %= 4;
	put(endpoint, &letter, sizeof(letter), (int)(byte >> 2) % 4, true);
}

static void put_bytes(struct endpoint *endpoint, struct input *input)
{
	char bytes[200];
	size_t size = draw_byte(input) % sizeof(bytes) + 1;
	unsigned int byte = draw_byte(input);

	draw(input, bytes, size);
	put(endpoint, bytes, size, (int)(byte >> 1) % MOST_DESCRIPTORS, byte & 1);
}

/* Flags stay flags: what is neither 0 nor 1 is no bool for any compiler. */
static void mend_flags(struct commons *commons)
{
	bool *flags[] = {&commons->peeling,	      &commons->held,
			 &commons->sets_inherited,    &commons->set.nonblock,
			 &commons->set.listening,     &commons->set.interleave,
			 &commons->set.wants_rcvinfo, &commons->set.hides_rcvinfo,
			 &commons->set.hides_arrival};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		*(uint8_t *)flags[i] &= 1;
}

/* Anywhere but in the locks. */
static void scribble(struct endpoint *endpoint, struct input *input)
{
	struct commons *commons = endpoint->commons;
	size_t first = offsetof(struct commons, posted), of = sizeof(*commons) - first;
	uint8_t bytes[32];
	uint16_t at;
	size_t size = draw_byte(input) % sizeof(bytes);

	draw(input, &at, sizeof(at));
	draw(input, bytes, size);
	/* the first few words more often than what follows them */
	at = (uint16_t)(at & 1 ? at % 128 : at % (of - size));
	memcpy((char *)commons + first + at, bytes, size);
	mend_flags(commons);
}

static void count(struct endpoint *endpoint, struct input *input)
{
	sctp_assoc_t id = (sctp_assoc_t)draw_byte(input) + 1;
	struct associations *all = &endpoint->associations;
	struct association *association = association_find(all, id);
	struct counted *counted;

	if (!association)
		association = association_add(all, id, now_ns());
	check(association);
	counted = commons_take(endpoint, association);
	association->msgs++;
	commons_put(endpoint, association, counted);
}

static void post(struct endpoint *endpoint, struct input *input)
{
	unsigned int byte = draw_byte(input);
	struct association *association =
		association_find(&endpoint->associations, (sctp_assoc_t)(byte & 7));

	if (byte & 128) {
		int fd = new_socket();

		mailbox_post_begun(endpoint, (sctp_assoc_t)(byte & 7), fd, byte & 64);
		endpoint->announced = false;
		libc.close(fd);
	} else if (association) {
		mailbox_post(endpoint,
			     association_peeled(association) ? LETTER_PEELED : LETTER_ENDED,
			     association);
	}
}

static void ask(struct endpoint *endpoint)
{
	(void)siblings_hold(endpoint);
	(void)siblings_count(endpoint);
	(void)siblings_alone(endpoint);
	mailbox_tidy(endpoint);
}

static void locked(struct endpoint *endpoint, unsigned int what, struct input *input)
{
	check(lock_take(&endpoint->lock));
	switch (what) {
	case 0:
		put_letter(endpoint, input);
		break;
	case 1:
		put_bytes(endpoint, input);
		break;
	case 2:
		scribble(endpoint, input);
		break;
	case 3:
		count(endpoint, input);
		break;
	case 4:
		commons_drop(endpoint, (sctp_assoc_t)draw_byte(input) + 1);
		break;
	case 5:
		post(endpoint, input);
		break;
	case 6:
		ask(endpoint);
		break;
	case 7:
		news_check_ends(endpoint);
		break;
	default:
		endpoint->doubts_ends = true;
	}
	lock_release(&endpoint->lock);
}

static void live(struct endpoint *endpoint, int fd, struct input *input)
{
	check(lock_take(&endpoint->lock));
	check(mailbox_make(endpoint) && commons_make(endpoint));
	endpoint->forked = true;
	lock_release(&endpoint->lock);
	for (int i = 0; i < MOST_TO_DO && input->at < input->end; i++) {
		unsigned int what = draw_byte(input);

		alive = what & 128;
		what &= 15;
		if (what <= 8)
			locked(endpoint, what, input);
		else
			news_read(endpoint, fd);
	}
	news_read(endpoint, fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	const int files = open_files(), fd = new_socket();
	struct endpoint *endpoint;

	stand_in();
	endpoint_opened(fd, AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	endpoint = enter(fd);
	live(endpoint, fd, &input);
	endpoint_leave(&endpoint);
	check(endpoint_close(fd) == 0);
	check(open_files() == files);
	return 0;
}

#include "once.h"
