/* SPDX-License-Identifier: MIT */
#include "sleep.h"

#include <errno.h>
#include <signal.h>

#include "binding.h"
#include "events/events.h"
#include "options.h"
#include "source_queue.h"

bool sleep_in_kernel(const struct endpoint *endpoint)
{
	return GLANCE(endpoint->associations.peeled) == 0 && settings_never_peel();
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

	return !as_set(endpoint)->listening &&
	       options_get(endpoint, fd, SOL_SCTP, SCTP_GET_ASSOC_NUMBER, &count, &len) == 0 &&
	       count == 0;
}

/* What to wait on: the source of a half-read message's rest, else all of them. */
static int waits_on(struct endpoint *endpoint, int fd, int rest)
{
	int hub = GLANCE(endpoint->hub);

	if (rest >= 0)
		return rest;
	return hub >= 0 ? hub : fd;
}

/* Nothing wakes who waits for a rest whose association is aborted: it looks again now and then. */
static bool looks_again(int rest, uint64_t timeout, struct timespec *left)
{
	const long soon = 100000000;

	if (rest < 0 || (timeout && left->tv_sec == 0 && left->tv_nsec <= soon))
		return false;
	*left = (struct timespec){0, soon};
	return true;
}

static void leave_original(uint32_t **blocked)
{
	if (*blocked)
		__atomic_sub_fetch(*blocked, 1, __ATOMIC_RELEASE);
}

int sleep_for_source(struct endpoint *endpoint, int fd, uint64_t *deadline)
{
	uint32_t *blocked __attribute__((cleanup(leave_original))) = NULL;
	uint64_t timeout = as_set(endpoint)->rcvtimeo_ns;
	int rest = binding_rest(endpoint, fd), ret;
	struct timespec left;
	struct pollfd wait;
	bool again;

	events_tend_now();
	if (timeout && *deadline == 0)
		*deadline = now_ns() + timeout;
	left = time_until(*deadline);
	if (fanin_hub(endpoint, fd) < 0) {
		/* no hub would wake this thread: peel.c holds while it waits */
		blocked = &endpoint->blocked_in_original;
		__atomic_add_fetch(blocked, 1, __ATOMIC_ACQUIRE);
	}
	again = looks_again(rest, timeout, &left);
	wait = (struct pollfd){.fd = waits_on(endpoint, fd, rest), .events = POLLIN};
	ret = CANCELLABLE(libc.ppoll(&wait, 1, timeout || again ? &left : NULL, NULL));
	if (ret < 0 && errno == EINTR && !timeout && handlers_restart())
		return 0;
	if (ret == 0)
		errno = EAGAIN;
	return ret > 0 || (ret == 0 && again) ? 0 : -1;
}

/* The answer before each sleep: it costs a call for each signal, so it is a second old at most. */
static bool handlers_restarted(void)
{
	static uint64_t asked_ns;
	static bool answer;
	uint64_t now = now_ns();

	if (now - GLANCE(asked_ns) > 1000000000) {
		PUBLISH(answer, handlers_restart());
		PUBLISH(asked_ns, now);
	}
	return GLANCE(answer);
}

int sleep_first(struct endpoint *endpoint)
{
	bool restarts;

	if (GLANCE(endpoint->hub) < 0 || !as_set(endpoint)->listening ||
	    as_set(endpoint)->rcvtimeo_ns)
		return 0;
	events_tend_now();
	restarts = handlers_restarted();
	if (queue_sleep(endpoint, restarts) != -EINTR || handlers_restart())
		return 0;
	errno = EINTR;
	return -1;
}
