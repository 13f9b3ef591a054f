/* SPDX-License-Identifier: MIT */
/*
 * counting: another preload, which counts some calls in the file COUNTING and passes them on.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two words of the file: receives and sends. Mapped, so that no end of the process loses them. */
static unsigned long *counts;

static __attribute__((constructor)) void start(void)
{
	const char *path = getenv("COUNTING");
	int fd = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;

	if (fd < 0 || ftruncate(fd, 4096))
		return;
	counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		counts = NULL;
	close(fd);
}

static void count(int which)
{
	if (counts)
		counts[which]++;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t (*next)(int, struct msghdr *, int);

	*(void **)&next = dlsym(RTLD_NEXT, "recvmsg");
	count(0);
	return next(fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*next)(int, const struct msghdr *, int);

	*(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
	count(1);
	return next(fd, message, flags);
}
