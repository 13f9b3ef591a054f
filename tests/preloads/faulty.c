/* SPDX-License-Identifier: MIT */
/* faulty: a library whose 20th recvmsg does what FAULT says; of a leak of memory each. The judge of
 * tests/torture must see it. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEAK = 4096 };

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);
	static unsigned calls;
	static char *volatile leaked;
	const char *fault = getenv("FAULT");
	struct msghdr asked = *msg;
	ssize_t ret;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
	/* so that each message costs some */
	if (fault && strcmp(fault, "memory") == 0)
		memset(leaked = malloc(LEAK), 1, LEAK);
	if (!fault || ++calls != 20)
		return real(fd, msg, flags);
	if (strcmp(fault, "double") == 0)
		return real(fd, msg, flags | MSG_PEEK);
	if (strcmp(fault, "leak") == 0 && dup(STDIN_FILENO) < 0)
		abort();
	if (strcmp(fault, "hang") == 0)
		pause();
	ret = real(fd, msg, flags);
	if (strcmp(fault, "change") == 0)
		((char *)msg->msg_iov[0].iov_base)[30] ^= 1;
	if (strcmp(fault, "lose") == 0) {
		*msg = asked;
		ret = real(fd, msg, flags);
	}
	return ret;
}
