/* SPDX-License-Identifier: MIT */
#include "live_page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../libc.h"
#include "../lock.h"
#include "../policy/policy.h"
#include "events.h"
#include "file_name.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* Slots are had in steps, so that a process with few associations takes few pages. */
enum { STEP = 256 };
#define STEP_SIZE ((size_t)STEP * sizeof(struct live_slot))
#define PAGE_SIZE_ALL (LIVE_HEADER_SIZE + (size_t)LIVE_SLOTS * sizeof(struct live_slot))

static const struct settings *settings;
static struct live_header *header; /* NULL: no page (yet) */
static bool over = true;	   /* none is wanted, it could not be had, or the process ends */
static char path[PATH_MAX];

/* Which slots are free. The page itself is not asked: others may have written there. */
static struct lock slots_lock;
static uint32_t
	next_free[LIVE_SLOTS]; /* place of the next free one; untouched pages cost nothing */
static uint32_t first_free, taken, backed;

static struct live_slot *slot_at(uint32_t place)
{
	return (struct live_slot *)(void *)((char *)header + LIVE_HEADER_SIZE) + (place - 1);
}

void live_start(const struct settings *given)
{
	settings = given;
	over = settings->live == NULL;
}

static bool set_path(void)
{
	struct line line;

	line_open(&line, path, sizeof(path));
	file_name_begin(&line, settings->live);
	line_format(&line, "%s/", settings->live);
	file_name_program(&line);
	line_format(&line, ".%d" LIVE_SUFFIX, (int)getpid());
	line_done(&line);
	return !line.cut;
}

/* A file of this name is left from a process of our pid that has died, or has become us by exec. */
static int create(void)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlink(path) == 0)
		fd = open(path, flags, 0600);
	return fd < 0 ? -errno : fd;
}

/*
 * The file has its full length, but only the first step of it has memory: a page that the file
 * system has none for would be a SIGBUS. More is had by madvise, which tells; where it cannot
 * (Linux before 5.14), all is taken at once.
 */
static int size_up(int fd)
{
	struct rlimit limit;

	/* beyond it the kernel would not only refuse, but send SIGXFSZ */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < PAGE_SIZE_ALL)
		return -EFBIG;
	if (ftruncate(fd, (off_t)PAGE_SIZE_ALL) < 0)
		return -errno;
	return -posix_fallocate(fd, 0, (off_t)(LIVE_HEADER_SIZE + STEP_SIZE));
}

static int map(int fd, struct live_header **ret)
{
	int result = size_up(fd);
	void *mapped;

	if (result < 0)
		return result;
	mapped = mmap(NULL, PAGE_SIZE_ALL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	backed = STEP;
	if (madvise(mapped, LIVE_HEADER_SIZE + STEP_SIZE, MADV_POPULATE_WRITE) < 0 &&
	    errno == EINVAL && posix_fallocate(fd, 0, (off_t)PAGE_SIZE_ALL) == 0)
		backed = LIVE_SLOTS;
	*ret = mapped;
	return 0;
}

static void put(char *to, size_t size, const char *text)
{
	strncpy(to, text, size - 1);
	to[size - 1] = '\0';
}

static void fill(struct live_header *page)
{
	page->version = LIVE_VERSION;
	page->header_size = LIVE_HEADER_SIZE;
	page->slot_size = sizeof(struct live_slot);
	page->slots = LIVE_SLOTS;
	page->pid = (int32_t)getpid();
	page->mode = settings->mode;
	page->started_ns = now_ns();
	put(page->program, sizeof(page->program), settings->program);
	put(page->policy_hash, sizeof(page->policy_hash), policy_hash(settings->policy));
	put(page->policy, sizeof(page->policy), settings->policy_text);
	/* the magic last: who sees it sees all */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(page->magic, LIVE_MAGIC, sizeof(page->magic));
}

static int make(struct live_header **ret)
{
	int fd = set_path() ? create() : -ENAMETOOLONG, result;

	if (fd < 0)
		return fd;
	result = map(fd, ret);
	libc.close(fd);
	if (result < 0)
		unlink(path);
	return result;
}

int live_open(void)
{
	struct live_header *page = NULL;
	int kept = errno, result = 0;

	if (over || header || !lock_take(&slots_lock))
		return 0;
	if (!header && !over) {
		result = make(&page);
		over = result < 0;
		if (page) {
			fill(page);
			__atomic_store_n(&header, page, __ATOMIC_RELEASE);
		}
	}
	lock_release(&slots_lock);
	if (result < 0)
		events_trouble("SCTPEEL_LIVE", settings->live, "there is no live page", -result);
	errno = kept;
	return result;
}

/* Memory behind the places up to this one. */
static bool back(uint32_t place)
{
	while (place > backed) {
		if (backed >= LIVE_SLOTS ||
		    madvise(slot_at(backed + 1), STEP_SIZE, MADV_POPULATE_WRITE) < 0)
			return false;
		backed += STEP;
	}
	return true;
}

static uint32_t take_place(void)
{
	uint32_t place = first_free;

	if (place) {
		first_free = next_free[place - 1];
		return place;
	}
	if (taken == LIVE_SLOTS || !back(taken + 1)) {
		__atomic_add_fetch(&header->unseen, 1, __ATOMIC_RELAXED);
		return LIVE_NO_ROOM;
	}
	place = ++taken;
	return place;
}

static void begin(struct live_slot *slot)
{
	__atomic_store_n(&slot->sequence, slot->sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end(struct live_slot *slot)
{
	__atomic_store_n(&slot->sequence, slot->sequence + 1, __ATOMIC_RELEASE);
}

void live_show(uint32_t *place, const struct live_slot *shown)
{
	const size_t ahead = offsetof(struct live_slot, state);
	int kept = errno;
	struct live_slot *slot;

	if ((!header && live_open() < 0) || !header || !lock_take(&slots_lock))
		return;
	if (*place == 0)
		*place = take_place();
	/* after a fork the parent's places may have no memory here yet */
	if (*place != LIVE_NO_ROOM && back(*place)) {
		if (*place > header->used)
			__atomic_store_n(&header->used, *place, __ATOMIC_RELEASE);
		slot = slot_at(*place);
		begin(slot);
		memcpy((char *)slot + ahead, (const char *)shown + ahead, sizeof(*slot) - ahead);
		end(slot);
	}
	lock_release(&slots_lock);
	errno = kept;
}

bool live_count(uint32_t place, uint64_t bytes, uint64_t msgs, uint64_t now_ns)
{
	struct live_slot *slot;

	if (place == LIVE_NO_ROOM || over)
		return true;
	if (!header || place == 0 || place > backed)
		return false;
	slot = slot_at(place);
	if (slot->state == LIVE_FREE)
		return false;
	begin(slot);
	slot->bytes = bytes;
	slot->msgs = msgs;
	slot->last_seen_ns = now_ns;
	end(slot);
	return true;
}

void live_forget(uint32_t *place)
{
	struct live_slot *slot;

	if (*place == 0 || !lock_take(&slots_lock))
		return;
	if (*place == LIVE_NO_ROOM) {
		if (header)
			__atomic_sub_fetch(&header->unseen, 1, __ATOMIC_RELAXED);
	} else {
		if (header && *place <= backed) {
			slot = slot_at(*place);
			begin(slot);
			slot->state = LIVE_FREE;
			end(slot);
		}
		next_free[*place - 1] = first_free;
		first_free = *place;
	}
	*place = 0;
	lock_release(&slots_lock);
}

void live_forked(void)
{
	slots_lock.owner = 0;
	if (header)
		munmap(header, PAGE_SIZE_ALL);
	header = NULL;
	backed = 0;
	over = settings == NULL || settings->live == NULL;
}

void live_stop(void)
{
	if (header && header->pid == (int32_t)getpid())
		unlink(path);
	over = true;
}
