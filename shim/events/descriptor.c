/* SPDX-License-Identifier: MIT */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "../libc.h"

void (*descriptor_changed)(int fd, bool ours);

static atomic_int current = -1;
static atomic_int users;
static dev_t device; /* what was opened there */
static ino_t inode;

static void tell(int fd, bool ours)
{
	if (descriptor_changed)
		descriptor_changed(fd, ours);
}

int descriptor_get(void)
{
	return atomic_load_explicit(&current, memory_order_relaxed);
}

int descriptor_enter(void)
{
	atomic_fetch_add(&users, 1);
	return atomic_load(&current);
}

void descriptor_leave(void)
{
	atomic_fetch_sub(&users, 1);
}

/* Lets those who read the old number finish; not for ever: we may have interrupted one of them. */
static void wait_for_users(void)
{
	for (int i = 0; i < 1000 && atomic_load(&users) > 0; i++)
		sched_yield();
}

/* A duplicate near the top, where no program looks, and below 1024, so that tables stay small. */
static int high_duplicate(int fd)
{
	struct rlimit limit = {.rlim_cur = 1024};
	int top, result;

	getrlimit(RLIMIT_NOFILE, &limit);
	top = limit.rlim_cur < 1024 ? (int)limit.rlim_cur : 1024;
	for (int part = 16; part >= 2; part /= 2) { /* 15/16 of the way up, then 7/8, … */
		int floor = top - top / part;

		result = libc.fcntl(fd, F_DUPFD_CLOEXEC, floor > 3 ? floor : 3);
		if (result >= 0)
			return result;
	}
	return -EMFILE;
}

/* Puts what `fd` is on our number, a new one if there is none. The number, or -errno. */
static int place(int fd, int number)
{
	if (number < 0)
		return high_duplicate(fd);
	return libc.dup3(fd, number, O_CLOEXEC) < 0 ? -errno : number;
}

int descriptor_set(int fd)
{
	struct stat info;
	int number = fstat(fd, &info) < 0 ? -errno : place(fd, atomic_load(&current));

	libc.close(fd);
	if (number < 0)
		return number;
	device = info.st_dev;
	inode = info.st_ino;
	atomic_store(&current, number);
	tell(number, true);
	return 0;
}

bool descriptor_check(struct stat *ret)
{
	int number = atomic_load(&current);

	if (number < 0)
		return false;
	if (fstat(number, ret) == 0 && ret->st_dev == device && ret->st_ino == inode)
		return true;
	/* another thread may just have moved it */
	atomic_compare_exchange_strong(&current, &number, -1);
	return false;
}

void descriptor_close(void)
{
	int number = atomic_exchange(&current, -1);

	if (number < 0)
		return;
	wait_for_users();
	libc.close(number);
	tell(number, false);
}

int descriptor_move(int fd)
{
	int number;

	if (fd < 0 || atomic_load(&current) != fd)
		return 0;
	number = high_duplicate(fd);
	if (number < 0)
		return number;
	atomic_store(&current, number);
	tell(number, true);
	wait_for_users();
	tell(fd, false);
	libc.close(fd);
	return 0;
}

void descriptor_forked(void)
{
	atomic_store(&users, 0);
}
