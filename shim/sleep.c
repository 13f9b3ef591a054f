/* SPDX-License-Identifier: MIT */
#include "sleep.h"

#include <errno.h>
#include <signal.h>

#include "events/events.h"
#include "options.h"
#include "source_queue.h"

bool sleep_in_kernel(const struct endpoint *endpoint)
{
	return endpoint->associations.peeled == 0 && settings_never_peel();
}

/*
 * poll never restarts after a handler, a blocking receive does under SA_RESTART. Which signal it
 * was cannot be seen; the answer is sure when all handlers agree, and EINTR when they do not. What
 * a thread's own instruction raises ends no sleep: run-times and sanitizers handle that.
 */
static bool is_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
	       number == SIGTRAP;
}

static bool handlers_restart(void)
{
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (!is_fault(number) && sigaction(number, NULL, &action) == 0 &&
		    action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
		    !(action.sa_flags & SA_RESTART))
			return false;
	}
	return true;
}

/* net/sctp/socket.c:sctp_wait_for_packet: a socket with no association that does not listen. */
bool sleep_has_no_end(struct endpoint *endpoint, int fd)
{
	uint32_t count = 0;
	socklen_t len = sizeof(count);

	return !endpoint->set->listening &&
	       options_get(endpoint, fd, SOL_SCTP, SCTP_GET_ASSOC_NUMBER, &count, &len) == 0 &&
	       count == 0;
}

/* What to wait on: the source that the next receive is bound to, else all of them. */
static int waits_on(struct endpoint *endpoint, int fd)
{
	int ret = endpoint->hub >= 0 ? endpoint->hub : fd;

	if (!lock_take(&endpoint->lock))
		return ret;
	if (endpoint->bound)
		ret = endpoint->bound->fd >= 0 ? endpoint->bound->fd : fd;
	lock_release(&endpoint->lock);
	return ret;
}

static void leave_original(uint32_t **blocked)
{
	if (*blocked)
		__atomic_sub_fetch(*blocked, 1, __ATOMIC_RELEASE);
}

int sleep_for_source(struct endpoint *endpoint, int fd, uint64_t *deadline)
{
	uint32_t *blocked __attribute__((cleanup(leave_original))) = NULL;
	uint64_t timeout = endpoint->set->rcvtimeo_ns;
	struct timespec left;
	struct pollfd wait;
	int ret;

	events_tend_now();
	if (timeout) {
		uint64_t now = now_ns();

		if (*deadline == 0)
			*deadline = now + timeout;
		left.tv_sec = (time_t)((*deadline - now) / 1000000000u);
		left.tv_nsec = (long)((*deadline - now) % 1000000000u);
		if (now >= *deadline)
			left = (struct timespec){0, 0};
	}
	if (fanin_hub(endpoint, fd) < 0) {
		/* no hub would wake this thread: peel.c holds while it waits */
		blocked = &endpoint->blocked_in_original;
		__atomic_add_fetch(blocked, 1, __ATOMIC_ACQUIRE);
	}
	wait = (struct pollfd){.fd = waits_on(endpoint, fd), .events = POLLIN};
	ret = libc.ppoll(&wait, 1, timeout ? &left : NULL, NULL);
	if (ret < 0 && errno == EINTR && !timeout && handlers_restart())
		return 0;
	if (ret == 0)
		errno = EAGAIN;
	return ret > 0 ? 0 : -1;
}

int sleep_first(struct endpoint *endpoint)
{
	if (endpoint->hub < 0 || !endpoint->set->listening || endpoint->set->rcvtimeo_ns)
		return 0;
	events_tend_now();
	if (queue_sleep(endpoint) != -EINTR || handlers_restart())
		return 0;
	errno = EINTR;
	return -1;
}
