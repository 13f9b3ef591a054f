/* SPDX-License-Identifier: MIT */
#include "commons.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "hidden.h"

enum { PROBES = 16 };
/* Others hold the counts for no longer than it takes to count. */
static const uint64_t COUNTS_NS = 2000000;

static bool is_taken(pthread_mutex_t *mutex, int answer)
{
	if (answer == EOWNERDEAD)
		answer = pthread_mutex_consistent(mutex);
	if (answer)
		errno = answer;
	return answer == 0;
}

bool commons_lock(pthread_mutex_t *mutex)
{
	return is_taken(mutex, pthread_mutex_lock(mutex));
}

/* 0, EOWNERDEAD, or ETIMEDOUT where one that is stopped has it (SIGSTOP, a debugger). */
static int take_within(pthread_mutex_t *mutex, uint64_t most_ns)
{
	struct timespec until;
	int answer = pthread_mutex_trylock(mutex);

	if (answer != EBUSY)
		return answer;
	clock_gettime(CLOCK_MONOTONIC, &until);
	most_ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(most_ns / 1000000000);
	until.tv_nsec = (long)(most_ns % 1000000000);
	return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

bool commons_lock_within(pthread_mutex_t *mutex, uint64_t most_ns)
{
	return is_taken(mutex, take_within(mutex, most_ns));
}

static size_t state_size(void)
{
	return policy_assoc_state_size(settings_get()->policy);
}

static size_t socket_state_size(void)
{
	return policy_socket_state_size(settings_get()->policy);
}

static size_t size_of_all(void)
{
	return sizeof(struct commons) + socket_state_size() + COUNTED * state_size();
}

static void init_lock(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

static struct commons *map(int fd)
{
	void *mapped = mmap(NULL, size_of_all(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return mapped == MAP_FAILED ? NULL : mapped;
}

/* What was this process's own becomes common to all. */
static void move_in(struct endpoint *endpoint, struct commons *commons)
{
	if (endpoint->policy_state) {
		memcpy(commons->states, endpoint->policy_state, socket_state_size());
		munmap(endpoint->policy_state, socket_state_size());
		endpoint->policy_state = commons->states;
	}
	commons->set = endpoint->own_set;
	commons->held = endpoint->held != NULL;
	PUBLISH(endpoint->commons, commons);
	PUBLISH(endpoint->set, &commons->set);
}

/* Beyond the limit the kernel would not only refuse, but send SIGXFSZ. */
static bool may_be_that_long(size_t size)
{
	struct rlimit most;

	return getrlimit(RLIMIT_FSIZE, &most) < 0 || size <= most.rlim_cur;
}

bool commons_make(struct endpoint *endpoint)
{
	int fd = memfd_create("sctpeel", MFD_CLOEXEC);
	struct commons *commons = NULL;

	if (fd >= 0 && may_be_that_long(size_of_all()) && ftruncate(fd, (off_t)size_of_all()) == 0)
		commons = map(fd);
	if (!commons) {
		if (fd >= 0)
			libc.close(fd);
		return false;
	}
	hidden_adopt(fd, &endpoint->commons_fd);
	init_lock(&commons->mail);
	init_lock(&commons->counts);
	init_lock(&commons->peel);
	move_in(endpoint, commons);
	if (!commons_claim(endpoint))
		return false;
	/* calls that are inside already */
	endpoint->holder->exclusives = endpoint->exclusives;
	return true;
}

static struct holder *find_holder(struct commons *commons, pid_t pid)
{
	for (int i = 0; i < HOLDERS; i++)
		if (__atomic_load_n(&commons->holders[i].pid, __ATOMIC_ACQUIRE) == pid)
			return &commons->holders[i];
	return NULL;
}

bool commons_join(struct endpoint *endpoint, int fd)
{
	struct stat stat;
	struct commons *commons;

	if (fstat(fd, &stat) < 0 || (size_t)stat.st_size != size_of_all())
		return false;
	commons = map(fd);
	if (!commons)
		return false;
	if (endpoint->policy_state)
		munmap(endpoint->policy_state, socket_state_size());
	endpoint->policy_state = socket_state_size() ? commons->states : NULL;
	endpoint->commons = commons;
	endpoint->set = &commons->set;
	endpoint->holder = find_holder(commons, getpid());
	if (!endpoint->holder)
		return commons_claim(endpoint);
	/* calls that the exec has ended */
	endpoint->holder->exclusives = 0;
	__atomic_store_n(&endpoint->holder->state, HOLDER_RUNS, __ATOMIC_RELEASE);
	return true;
}

bool commons_claim(struct endpoint *endpoint)
{
	for (int i = 0; i < HOLDERS; i++) {
		struct holder *holder = &endpoint->commons->holders[i];
		pid_t none = 0;

		if (!__atomic_compare_exchange_n(&holder->pid, &none, getpid(), false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		holder->state = HOLDER_RUNS;
		holder->exclusives = 0;
		endpoint->holder = holder;
		return true;
	}
	endpoint->holder = NULL;
	__atomic_store_n(&endpoint->commons->held, true, __ATOMIC_RELEASE);
	return false;
}

void commons_leave(struct endpoint *endpoint)
{
	if (endpoint->commons && endpoint->holder)
		__atomic_store_n(&endpoint->holder->pid, 0, __ATOMIC_RELEASE);
	hidden_close(&endpoint->commons_fd);
}

void commons_forget(struct endpoint *endpoint)
{
	if (endpoint->commons)
		munmap(endpoint->commons, size_of_all());
	else if (endpoint->policy_state)
		munmap(endpoint->policy_state, socket_state_size());
}

/* ------------------------------------------------------------------ counts */

static void *state_of(struct commons *commons, const struct counted *counted)
{
	return (char *)commons->states + socket_state_size() +
	       (size_t)(counted - commons->counted) * state_size();
}

/* The kernel hands ids out in order, so a few places from its own on it is there or nowhere. */
static struct counted *find(struct commons *commons, sctp_assoc_t id, sctp_assoc_t near)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct counted *counted = &commons->counted[((uint32_t)near + i) % COUNTED];

		if (counted->id == id)
			return counted;
	}
	return NULL;
}

/*
 * One that was killed inside may have counted a place that it did not fill, or the reverse. False:
 * one that is stopped has it; each goes by its own figures then.
 */
static bool lock_counts(struct commons *commons)
{
	int answer = take_within(&commons->counts, COUNTS_NS);

	if (answer != EOWNERDEAD)
		return answer == 0;
	commons->count = 0;
	for (int i = 0; i < COUNTED; i++)
		commons->count += commons->counted[i].id != 0;
	pthread_mutex_consistent(&commons->counts);
	return true;
}

/* With none free the place of another one: that one is counted anew, which only peels it later. */
static struct counted *add(struct commons *commons, const struct association *association)
{
	struct counted *ret = find(commons, 0, association->id);

	if (ret)
		commons->count++;
	else
		ret = &commons->counted[(uint32_t)association->id % COUNTED];
	*ret = (struct counted){
		.id = association->id,
		.first_seen_ns = association->first_seen_ns,
		.last_seen_ns = association->last_seen_ns,
		.bytes = association->bytes,
		.msgs = association->msgs,
	};
	memcpy(state_of(commons, ret), association->state, state_size());
	return ret;
}

struct counted *commons_take(struct endpoint *endpoint, struct association *association)
{
	struct commons *commons = endpoint->commons;
	struct counted *counted;

	if (!lock_counts(commons))
		return NULL;
	counted = find(commons, association->id, association->id);
	if (!counted)
		counted = add(commons, association);
	association->first_seen_ns = counted->first_seen_ns;
	association->last_seen_ns = counted->last_seen_ns;
	association->bytes = counted->bytes;
	association->msgs = counted->msgs;
	memcpy(association->state, state_of(commons, counted), state_size());
	return counted;
}

void commons_put(struct endpoint *endpoint, struct association *association,
		 struct counted *counted)
{
	struct commons *commons = endpoint->commons;

	counted->last_seen_ns = association->last_seen_ns;
	counted->bytes = association->bytes;
	counted->msgs = association->msgs;
	memcpy(state_of(commons, counted), association->state, state_size());
	pthread_mutex_unlock(&commons->counts);
}

void commons_drop(struct endpoint *endpoint, sctp_assoc_t id)
{
	struct commons *commons = endpoint->commons;
	struct counted *counted;

	if (!commons || !lock_counts(commons))
		return;
	counted = find(commons, id, id);
	if (counted) {
		counted->id = 0;
		commons->count--;
	}
	pthread_mutex_unlock(&commons->counts);
}
