/* SPDX-License-Identifier: MIT */
/*
 * context: in what way a contract program does what it does. CONTRACT_CONTEXT has words, at most
 * one of each line; what the program does stays the same:
 *
 *   mapped unmapped          the one-to-many socket is IPv6, its peers' addresses are IPv4
 *   ipv6                     all sockets and addresses are (it is another build of the program)
 *   multihomed               each socket has two addresses, a peer sends from and to one and the
 * other interleave               SCTP_FRAGMENT_INTERLEAVE 1 small                    small buffers
 *   nonblock                 O_NONBLOCK, with a way of waiting: poll unless it is named
 *   recvmmsg recvfrom recv read readv sctp_recvmsg sctp_recvv
 *                            how it receives what a peek has shown
 *   poll ppoll select pselect level edge oneshot exclusive
 *                            how it waits before a receive that may sleep
 *   threads                  four threads receive in turns
 *   queued mid               a peer's first message is read when others are queued behind it; when
 *                            half of a message is there that is larger than the receive buffer
 *   closing                  a peer that closes has messages of CLOSING_PPID under way
 *
 * A word that has had an effect leaves a file: CONTRACT_MARKS, a dot and the word.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <semaphore.h>
#include <sys/stat.h>

#define CLOSING_PPID 4242

static inline bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; at && (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == 0 || at[length] == ' '))
			return true;
	return false;
}

/* No descriptor is opened for the mark: tests look at what number comes next. */
static inline bool in_context(const char *word)
{
	const char *marks = getenv("CONTRACT_MARKS");
	int kept = errno;
	char path[200];

	if (!has_word(getenv("CONTRACT_CONTEXT"), word))
		return false;
	if (marks) {
		snprintf(path, sizeof(path), "%s.%s", marks, word);
		mknod(path, S_IFREG | 0600, 0);
	}
	errno = kept;
	return true;
}

/* How long a program may take: in contexts many run at once. */
static inline unsigned context_minutes(void)
{
	if (getenv("PATIENCE"))
		return 10;
	return getenv("CONTRACT_CONTEXT") ? 4 : 3;
}

/* ---- sockets ---- */

static inline int context_family(int type)
{
#ifdef CONTRACT_IPV6
	return AF_INET6;
#endif
	return type == SOCK_SEQPACKET && (in_context("mapped") || in_context("unmapped")) ? AF_INET6
											  : AF_INET;
}

static inline void context_set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		abort();
}

static inline void context_before_bind(int fd, int type)
{
	if (type != SOCK_SEQPACKET)
		return;
	if (in_context("mapped") || in_context("unmapped"))
		context_set(fd, SOL_SCTP, SCTP_I_WANT_MAPPED_V4_ADDR, in_context("mapped"));
	if (in_context("interleave"))
		context_set(fd, SOL_SCTP, SCTP_FRAGMENT_INTERLEAVE, 1);
	if (in_context("small")) {
		context_set(fd, SOL_SOCKET, SO_RCVBUF, 30000);
		context_set(fd, SOL_SOCKET, SO_SNDBUF, 30000);
	}
	if (in_context("nonblock"))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* ---- waiting ---- */

/* Who does not sleep in the call has to wait: with poll, if the other ways do not fit the test. */
static inline bool context_waits(void)
{
	static const char *const ways[] = {"poll", "ppoll",   "select",	   "pselect", "level",
					   "edge", "oneshot", "exclusive", "nonblock"};
	const char *words = getenv("CONTRACT_CONTEXT");

	for (size_t i = 0; words && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (has_word(words, ways[i]))
			return true;
	return false;
}

/*
 * One set for all sockets and the whole run. An edge that was taken and led to nothing is not told
 * again, unless the registration is a new one (`again`).
 */
static inline int context_epoll(int fd, uint32_t manner, bool again, int ms)
{
	static int set = -1;
	struct epoll_event event = {.events = EPOLLIN | manner, .data.fd = fd};
	int ret;

	/* high, so that it takes none of the numbers that tests look at */
	if (set < 0) {
		ret = epoll_create1(EPOLL_CLOEXEC);
		set = fcntl(ret, F_DUPFD_CLOEXEC, 850);
		close(ret);
	}
	ret = epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	if (ret && errno == EEXIST)
		ret = again || manner == EPOLLONESHOT ? epoll_ctl(set, EPOLL_CTL_MOD, fd, &event)
						      : 0;
	if (ret)
		return -1;
	ret = epoll_wait(set, &event, 1, ms);
	if (ret == 1 && event.data.fd != fd)
		printf("epoll_wait: another's event\n");
	return ret;
}

static inline int context_select(int fd, bool masked, int ms)
{
	struct timespec exact = {ms / 1000, ms % 1000 * 1000000L};
	struct timeval t = {ms / 1000, ms % 1000 * 1000L};
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return masked ? pselect(fd + 1, &in, NULL, NULL, ms < 0 ? NULL : &exact, NULL)
		      : select(fd + 1, &in, NULL, NULL, ms < 0 ? NULL : &t);
}

/* Sleeps until there is something, in the context's way, or poll's. */
static inline int context_wait(int fd, bool again, int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (in_context("ppoll"))
		return ppoll(&p, 1, ms < 0 ? NULL : &t, NULL);
	if (in_context("select"))
		return context_select(fd, false, ms);
	if (in_context("pselect"))
		return context_select(fd, true, ms);
	if (in_context("level"))
		return context_epoll(fd, 0, again, ms);
	if (in_context("edge"))
		return context_epoll(fd, EPOLLET, again, ms);
	if (in_context("oneshot"))
		return context_epoll(fd, EPOLLONESHOT, again, ms);
	if (in_context("exclusive"))
		return context_epoll(fd, EPOLLEXCLUSIVE, false, ms);
	(void)in_context("poll");
	return poll(&p, 1, ms);
}

/* What SO_RCVTIMEO says, in ms; -1: for ever. */
static inline int context_patience(int fd)
{
	struct timeval t = {0};
	socklen_t length = sizeof(t);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &length) || t.tv_sec + t.tv_usec == 0)
		return -1;
	return (int)(t.tv_sec * 1000 + t.tv_usec / 1000);
}

/* ---- receiving ---- */

/* By the context's call, `flags` where it has any; -2 when the context names none. */
static inline ssize_t context_receive(int fd, char *data, size_t size, int flags)
{
	struct iovec iov = {data, size};
	struct mmsghdr header = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	struct sctp_sndrcvinfo info;
	struct sctp_recvv_rn more;
	socklen_t length = sizeof(more);
	unsigned type;
	int n;

	if (in_context("recvmmsg")) {
		n = recvmmsg(fd, &header, 1, flags, NULL);
		return n == 1 ? (ssize_t)header.msg_len : n;
	}
	if (in_context("recvfrom"))
		return recvfrom(fd, data, size, flags, NULL, NULL);
	if (in_context("recv"))
		return recv(fd, data, size, flags);
	if (in_context("read"))
		return read(fd, data, size);
	if (in_context("readv"))
		return readv(fd, &iov, 1);
	if (in_context("sctp_recvmsg"))
		return sctp_recvmsg(fd, data, size, NULL, NULL, &info, &flags);
	if (in_context("sctp_recvv"))
		return sctp_recvv(fd, &iov, 1, NULL, NULL, &more, &length, &type, &flags);
	return -2;
}

static inline bool context_receives(void)
{
	static const char *const calls[] = {"recvmmsg", "recvfrom",	"recv",	     "read",
					    "readv",	"sctp_recvmsg", "sctp_recvv"};
	const char *words = getenv("CONTRACT_CONTEXT");

	for (size_t i = 0; words && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (has_word(words, calls[i]))
			return true;
	return false;
}

/* ---- threads ---- */

static struct {
	pid_t process;
	sem_t begin[4], end[4];
	void (*job)(void *);
	void *argument;
	unsigned turn;
} context_pool;

static inline void *context_thread(void *number)
{
	size_t i = (size_t)number;

	for (;;) {
		while (sem_wait(&context_pool.begin[i]))
			;
		context_pool.job(context_pool.argument);
		sem_post(&context_pool.end[i]);
	}
	return NULL;
}

/* The next of four threads does a job; false if there are none. A child of a fork has its own four.
 */
static inline bool context_next_thread(void (*job)(void *), void *argument)
{
	unsigned i = context_pool.turn++ % 4;
	pthread_t thread;

	if (!in_context("threads"))
		return false;
	for (size_t n = 0; context_pool.process != getpid() && n < 4; n++) {
		sem_init(&context_pool.begin[n], 0, 0);
		sem_init(&context_pool.end[n], 0, 0);
		if (pthread_create(&thread, NULL, context_thread, (void *)n))
			return false;
		pthread_detach(thread);
	}
	context_pool.process = getpid();
	context_pool.job = job;
	context_pool.argument = argument;
	sem_post(&context_pool.begin[i]);
	while (sem_wait(&context_pool.end[i]))
		;
	return true;
}

#endif
