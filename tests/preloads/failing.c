/* SPDX-License-Identifier: MIT */
/*
 * failing: a preload after libsctpeel.so that counts, place by place, the calls which that library
 * makes, and lets one of them fail, or the process be killed there (failing.h). What others call
 * goes through.
 */
#include "failing.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

/* glibc's own names for them: dlsym may call calloc. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct failing_table *table;
static uintptr_t library, library_end;

static int find_library(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size, (void)unused;
	if (!strstr(info->dlpi_name, "libsctpeel.so"))
		return 0;
	library = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			library_end =
				library + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	return 1;
}

/* By number: nothing of ours is to be counted. Preloads are initialised last first. */
static __attribute__((constructor)) void start(void)
{
	const char *path = getenv("FAILING");
	long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1, at;

	if (fd < 0)
		return;
	at = syscall(SYS_mmap, NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
	syscall(SYS_close, fd);
	dl_iterate_phdr(find_library, NULL);
	if (at > 0)
		table = (struct failing_table *)at;
}

/* Names are set by prctl(2); by number, likewise. */
static bool is_victim(void)
{
	char name[16] = "";

	syscall(SYS_prctl, PR_GET_NAME, name);
	return strcmp(name, "victim") == 0;
}

static void kill_if_due(const char *call, uintptr_t at)
{
	if (!is_victim() || ++table->calls != table->kill_at)
		return;
	table->due.at = at;
	strcpy(table->due.call, call);
	syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

/* The error that this call is to fail with, or 0. */
static int due(const char *call, const void *caller, uint64_t detail)
{
	uintptr_t address = (uintptr_t)caller;
	struct failing_site *site;

	if (!table || address < library || address >= library_end)
		return 0;
	address -= library;
	if (table->kill_at)
		kill_if_due(call, address);
	for (site = table->sites; site < table->sites + table->count; site++)
		if (site->at == address && site->detail == detail && strcmp(site->call, call) == 0)
			break;
	if (site == table->sites + table->count) {
		if (table->count == sizeof(table->sites) / sizeof(table->sites[0]))
			return 0;
		table->count++;
		strcpy(site->call, call);
		site->at = address;
		site->detail = detail;
	}
	site->times++;
	if (!table->error || table->due.at != address || table->due.detail != detail ||
	    table->due.times != site->times || strcmp(table->due.call, call) != 0)
		return 0;
	table->failed++;
	return table->error;
}

#define DUE(name, detail) due(name, __builtin_return_address(0), (uint64_t)(detail))

#define NEXT(name)                     \
	static __typeof__(&name) next; \
	if (!next)                     \
	*(void **)&next = dlsym(RTLD_NEXT, #name)

#define FAIL(type, name, params, args, detail, failed, errors) \
	type name params                                       \
	{                                                      \
		NEXT(name);                                    \
		int error = DUE(#name, detail);                \
                                                               \
		if (!error)                                    \
			return next args;                      \
		errno = error;                                 \
		return failed;                                 \
	}
#include "failing.def"

/* Linux closes it, whatever it answers (close(2)). */
int close(int fd)
{
	int error = DUE("close", 0);
	long ret = syscall(SYS_close, fd);

	if (error)
		errno = error;
	return error ? -1 : (int)ret;
}

int fcntl(int fd, int command, ...)
{
	NEXT(fcntl);
	int error = DUE("fcntl", command);
	va_list list;
	void *argument;

	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	if (!error)
		return next(fd, command, argument);
	errno = error;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	NEXT(ioctl);
	int error = DUE("ioctl", request);
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (!error)
		return next(fd, request, argument);
	errno = error;
	return -1;
}

int open(const char *path, int flags, ...)
{
	NEXT(open);
	int error = DUE("open", 0);
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	if (!error)
		return next(path, flags, mode);
	errno = error;
	return -1;
}

int openat(int folder, const char *path, int flags, ...)
{
	NEXT(openat);
	int error = DUE("openat", 0);
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	if (!error)
		return next(folder, path, flags, mode);
	errno = error;
	return -1;
}

void *malloc(size_t size)
{
	int error = DUE("malloc", 0);

	if (error)
		errno = error;
	return error ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	int error = DUE("calloc", 0);

	if (error)
		errno = error;
	return error ? NULL : __libc_calloc(count, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	int error = DUE("reallocarray", 0);
	size_t bytes;

	if (!error && __builtin_mul_overflow(count, size, &bytes))
		error = ENOMEM;
	if (error)
		errno = error;
	return error ? NULL : __libc_realloc(old, bytes);
}

long syscall(long number, ...)
{
	NEXT(syscall);
	int error = DUE("syscall", number);
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!error)
		return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	errno = error;
	return -1;
}
