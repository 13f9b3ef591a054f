/* SPDX-License-Identifier: MIT */
#include "trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../libc.h"
#include "../line.h"
#include "descriptor.h"
#include "file_name.h"
#include "outlet.h"

#define INSPECT_NS UINT64_C(10000000) /* how long we trust what fstat said */
#define UNSEEN_PART                                                                   \
	64 /* of the limit: what each process may write between two looks at the size \
	    */
#define RETRY_NS UINT64_C(1000000000) /* between tries to open or rotate */

/* Written once by trace_file_prepare. */
static struct {
	const char *pattern;
	uint64_t limit;
} origin;

static char path[PATH_MAX], rotated[PATH_MAX + 2];

static atomic_uint_fast64_t size;      /* of the file, as far as we know */
static atomic_uint_fast64_t unseen;    /* written by us since the last fstat */
static atomic_uint_fast64_t inspected; /* when that was */
static atomic_uint_fast64_t retry_at;
static atomic_int error;       /* why there is no file to write to */
static atomic_bool needs_hush; /* a write may raise a signal */
static atomic_bool is_regular;

void trace_file_prepare(const struct settings *settings)
{
	origin.pattern = settings->trace_path;
	origin.limit = settings->trace_limit;
}

/* The pattern with its escapes replaced into `path` and (with .1) `rotated`. */
static bool expand(void)
{
	struct line line;

	if (!file_name_expand(origin.pattern, path, sizeof(path)))
		return false;
	line_open(&line, rotated, sizeof(rotated));
	line_format(&line, "%s.1", path);
	line_done(&line);
	return true;
}

static void noted(const struct stat *info, uint64_t now)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

	getrlimit(RLIMIT_FSIZE, &limit);
	atomic_store(&is_regular, S_ISREG(info->st_mode));
	atomic_store(&needs_hush, !S_ISREG(info->st_mode) || limit.rlim_cur != RLIM_INFINITY);
	atomic_store(&size, S_ISREG(info->st_mode) ? (uint64_t)info->st_size : 0);
	atomic_store(&unseen, 0);
	atomic_store(&inspected, now);
}

/*
 * In a folder where others may write too, somebody may have put another file of the user's under
 * our name (link(2)), or one of his own, to read what we write. 0, or the -errno that says so.
 */
static int suspicion(int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return 0;
	return info.st_nlink > 1 ? -EMLINK : info.st_uid != geteuid() ? -EPERM : 0;
}

static int reopen(uint64_t now)
{
	struct stat info;
	int fd, result;

	if (!expand())
		return -ENAMETOOLONG;
	/* O_NONBLOCK: a FIFO must not make us wait; O_NOFOLLOW: a link may lead to others' files */
	fd = open(path,
		  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		  0600);
	if (fd < 0)
		return -errno;
	result = suspicion(fd);
	if (result < 0) {
		libc.close(fd);
		return result;
	}
	result = descriptor_set(fd);
	if (result == 0 && descriptor_check(&info))
		noted(&info, now);
	return result;
}

/*
 * Among processes, who holds the lock rotates; a process lock, as a fork child shares our open
 * file description. It ends when the old file's descriptor is replaced.
 */
static bool lock_file(int fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	return libc.fcntl(fd, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

static int rotate(const struct stat *ours, uint64_t now)
{
	int fd = descriptor_get(), result = 0;
	struct stat there;

	if (!lock_file(fd, F_WRLCK))
		return 0; /* somebody is at it; until then we go on with the old one */
	/* when the name has another file already, only our descriptor is behind */
	if (lstat(path, &there) == 0 && there.st_dev == ours->st_dev &&
	    there.st_ino == ours->st_ino && rename(path, rotated) < 0)
		result = -errno;
	if (result == 0)
		result = reopen(now);
	if (result < 0)
		lock_file(fd, F_UNLCK);
	return result;
}

static bool is_full(size_t length)
{
	return atomic_load_explicit(&is_regular, memory_order_relaxed) &&
	       atomic_load_explicit(&size, memory_order_relaxed) + length > origin.limit;
}

bool trace_file_is_due(size_t length, uint64_t now_ns)
{
	return now_ns - atomic_load_explicit(&inspected, memory_order_relaxed) >= INSPECT_NS ||
	       atomic_load_explicit(&unseen, memory_order_relaxed) > origin.limit / UNSEEN_PART ||
	       descriptor_get() < 0 || is_full(length);
}

int trace_file_tend(size_t length, uint64_t now_ns)
{
	struct stat info;
	bool have = descriptor_check(&info);
	int result = 0;

	if (have)
		noted(&info, now_ns);
	if (have && info.st_nlink > 0 && !is_full(length)) {
		atomic_store(&error, 0);
		return 0;
	}
	if (now_ns < atomic_load(&retry_at))
		return -atomic_load(&error);
	if (have && info.st_nlink > 0)
		result = rotate(&info, now_ns);
	else
		result = reopen(now_ns);
	if (result < 0)
		atomic_store(&retry_at, now_ns + RETRY_NS);
	atomic_store(&error, -result);
	return result;
}

ssize_t trace_file_write(const char *line, size_t length)
{
	int fd = descriptor_enter(), why = atomic_load_explicit(&error, memory_order_relaxed);
	ssize_t done;

	if (fd < 0 || (why && is_full(length)))
		done = why ? -why : -EBADF;
	else if (atomic_load_explicit(&needs_hush, memory_order_relaxed))
		done = quiet_write(fd, line, length);
	else if ((done = libc.write(fd, line, length)) < 0)
		done = -errno;
	descriptor_leave();
	if (done > 0) {
		atomic_fetch_add_explicit(&size, (uint64_t)done, memory_order_relaxed);
		atomic_fetch_add_explicit(&unseen, (uint64_t)done, memory_order_relaxed);
	}
	return done;
}

bool trace_file_forked(void)
{
	atomic_store(&retry_at, 0);
	atomic_store(&error, 0);
	return file_name_is_own(origin.pattern);
}
