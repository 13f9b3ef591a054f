/* SPDX-License-Identifier: MIT */
#include "outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "../libc.h"
#include "../line.h"

/* Holds back the signals that a write of ours may raise in this thread. */
static void hush_begin(sigset_t *ret_before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGPIPE);
	sigaddset(&held, SIGXFSZ);
	sigaddset(&held, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &held, ret_before);
}

/* Did the program have this signal waiting before we wrote? Only possible while it blocks it. */
static bool was_pending(const sigset_t *before, int signal)
{
	sigset_t pending;

	return sigismember(before, signal) == 1 && sigpending(&pending) == 0 &&
	       sigismember(&pending, signal) == 1;
}

/* Takes the signal that our write left (0: none) and lets the others through again. */
static void hush_end(const sigset_t *before, int signal)
{
	const struct timespec at_once = {0, 0};
	sigset_t ours;

	if (signal) {
		sigemptyset(&ours);
		sigaddset(&ours, signal);
		while (sigtimedwait(&ours, NULL, &at_once) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

typedef ssize_t writer(int fd, const char *bytes, size_t count);

static ssize_t hushed(writer *write_it, int fd, const char *bytes, size_t count)
{
	sigset_t before;
	bool pipe_waits, size_waits;
	int signal = 0;
	ssize_t done;

	hush_begin(&before);
	pipe_waits = was_pending(&before, SIGPIPE);
	size_waits = was_pending(&before, SIGXFSZ);
	done = write_it(fd, bytes, count);
	if (done == -EPIPE && !pipe_waits)
		signal = SIGPIPE;
	if (done == -EFBIG && !size_waits)
		signal = SIGXFSZ;
	hush_end(&before, signal);
	return done;
}

static ssize_t plain(int fd, const char *bytes, size_t count)
{
	ssize_t done;

	do
		done = libc.write(fd, bytes, count);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

ssize_t quiet_write(int fd, const char *bytes, size_t count)
{
	return hushed(plain, fd, bytes, count);
}

/*
 * The program's own description may be a blocking one, and its flags are not ours to change. With a
 * description of our own, which lasts for this write only (held longer, a reader would
 * wait for an end of file that the program has given long ago), O_NONBLOCK can be had.
 */
static bool write_reopened(int fd, const char *bytes, size_t count, ssize_t *ret)
{
	char path[32];
	struct line line;
	int own;

	line_open(&line, path, sizeof(path));
	line_format(&line, "/proc/self/fd/%d", fd);
	own = open(line_done(&line), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return false;
	*ret = plain(own, bytes, count);
	libc.close(own);
	return true;
}

/* For pipes and terminals: EAGAIN rather than a wait. */
static ssize_t impatient(int fd, const char *bytes, size_t count)
{
	const struct iovec whole = {(char *)(uintptr_t)bytes, count};
	struct pollfd state = {.fd = fd, .events = POLLOUT};
	ssize_t done = libc.pwritev2(fd, &whole, 1, -1, RWF_NOWAIT);
	int flags;

	if (done >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
		return done < 0 ? -errno : done;
	/* terminals, and pipes before Linux 6.4 */
	flags = libc.fcntl(fd, F_GETFL);
	if (flags >= 0 && flags & O_NONBLOCK)
		return plain(fd, bytes, count);
	if (libc.poll(&state, 1, 0) <= 0 || !(state.revents & (POLLOUT | POLLERR)))
		return -EAGAIN;
	if (write_reopened(fd, bytes, count, &done))
		return done;
	return plain(fd, bytes, count); /* a pipe that has room takes PIPE_BUF bytes at once */
}

int outlet_attach(struct outlet *outlet, int fd)
{
	struct stat info;
	int flags = libc.fcntl(fd, F_GETFL);

	outlet->fd = -1;
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || flags & O_PATH || fstat(fd, &info) < 0)
		return -EBADF;
	*outlet = (struct outlet){.fd = fd,
				  .device = info.st_dev,
				  .inode = info.st_ino,
				  .type = info.st_mode & S_IFMT};
	return 0;
}

ssize_t outlet_write(const struct outlet *outlet, const char *bytes, size_t count)
{
	struct stat info;
	ssize_t done;

	if (outlet->fd < 0 || fstat(outlet->fd, &info) < 0 || info.st_dev != outlet->device ||
	    info.st_ino != outlet->inode)
		return -EBADF;
	if (S_ISSOCK(outlet->type)) {
		done = libc.send(outlet->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
		return done < 0 ? -errno : done;
	}
	return hushed(S_ISREG(outlet->type) ? plain : impatient, outlet->fd, bytes, count);
}
