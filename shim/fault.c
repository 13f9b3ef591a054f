/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "policy/policy.h"
#include "settings.h"

#define FAULTS_MAX 16
#define ERRNO_MAX 134 /* one past EHWPOISON, Linux' last */

/* Where the shim can be made to fail. */
static const char *const sites[] = {"peel",   "trace",	"epoll",    "memory", "fd",
				    "option", "status", "handover", NULL};

static struct fault {
	int site; /* index into `sites` */
	int error;
	uint64_t delay_ns;
	uint64_t every, after, times; /* of the calls: which fail */
	atomic_uint_fast64_t calls, hits;
} faults[FAULTS_MAX];
static int faults_count;

static int errno_of(struct word name)
{
	for (int error = 1; error < ERRNO_MAX; error++) {
		const char *known = strerrorname_np(error);

		if (known && word_is(name, known))
			return error;
	}
	if (word_is(name, "EWOULDBLOCK"))
		return EWOULDBLOCK;
	if (word_is(name, "EOPNOTSUPP"))
		return EOPNOTSUPP;
	return 0;
}

static bool mistake(struct line *why, const char *what, struct word word)
{
	line_format(why, "%s '%.*s'", what, (int)word.length, word.start);
	return false;
}

/* "EMFILE", "delay=5ms", "every=3", "after=10" or "times=1" */
static bool compile_part(struct fault *fault, struct word part, struct line *why)
{
	struct word name, value = part;

	word_next(&value, '=', &name);
	if (!value.start) {
		fault->error = errno_of(name);
		return fault->error || mistake(why, "unknown errno", name);
	}
	if (word_is(name, "delay"))
		return value_time_ns(value, &fault->delay_ns) || mistake(why, "not a time:", value);
	if (word_is(name, "every"))
		return (value_count(value, &fault->every) && fault->every) ||
		       mistake(why, "not a count:", value);
	if (word_is(name, "after"))
		return value_count(value, &fault->after) || mistake(why, "not a count:", value);
	if (word_is(name, "times"))
		return value_count(value, &fault->times) || mistake(why, "not a count:", value);
	return mistake(why, "unknown option", name);
}

static bool compile_one(struct fault *fault, struct word rest, struct line *why)
{
	struct word part;

	word_next(&rest, ':', &part);
	part = word_trim(part);
	*fault = (struct fault){.site = value_choice(part, sites), .every = 1, .times = UINT64_MAX};
	if (fault->site < 0) {
		mistake(why, "unknown site", part);
		line_string(why, ", known are");
		for (int i = 0; sites[i]; i++)
			line_format(why, "%s %s", i ? "," : "", sites[i]);
		return false;
	}
	while (word_next(&rest, ':', &part))
		if (!compile_part(fault, word_trim(part), why))
			return false;
	if (!fault->error && !fault->delay_ns) {
		line_format(why, "'%s' has neither an errno nor a delay", sites[fault->site]);
		return false;
	}
	return true;
}

bool fault_compile(struct word list, struct line *ret_why)
{
	struct word one;
	int count = 0;

	while (word_next(&list, ',', &one)) {
		if (count == FAULTS_MAX) {
			line_format(ret_why, "more than %d faults", FAULTS_MAX);
			return false;
		}
		if (!compile_one(&faults[count], word_trim(one), ret_why))
			return false;
		count++;
	}
	faults_count = count;
	return true;
}

/* Counts this call; is it one of those that are to fail? */
static bool is_due(struct fault *fault)
{
	uint64_t call = atomic_fetch_add(&fault->calls, 1) + 1;

	if (call <= fault->after || (call - fault->after) % fault->every)
		return false;
	return atomic_fetch_add(&fault->hits, 1) < fault->times;
}

int fault_at(const char *site)
{
	int error = 0, kept;

	if (__builtin_expect(faults_count == 0, 1))
		return 0;
	kept = errno;
	for (int i = 0; i < faults_count; i++) {
		struct fault *fault = &faults[i];

		if (strcmp(sites[fault->site], site) != 0 || !is_due(fault))
			continue;
		if (fault->delay_ns) {
			struct timespec delay = {
				.tv_sec = (time_t)(fault->delay_ns / 1000000000),
				.tv_nsec = (long)(fault->delay_ns % 1000000000),
			};

			nanosleep(&delay, NULL);
		}
		if (!error)
			error = fault->error;
	}
	errno = kept;
	return error;
}
