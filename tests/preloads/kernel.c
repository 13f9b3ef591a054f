/* SPDX-License-Identifier: MIT */
/* A kernel as FAKE_... describe it, to whoever asks for SCTP: its name and what it can do. */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

/* FAKE_SOCKET: the errno that an SCTP socket fails with; unset: it is made */
int socket(int domain, int type, int protocol)
{
	int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
	const char *failure = getenv("FAKE_SOCKET");

	if (protocol != IPPROTO_SCTP)
		return real(domain, type, protocol);
	if (failure == NULL)
		return real(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	errno = atoi(failure);
	return -1;
}

/* FAKE_OPTIONS: the options that it has, as " 102 122 " */
int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	const char *options = getenv("FAKE_OPTIONS");
	char word[16];

	(void)fd, (void)level, (void)value, (void)length;
	snprintf(word, sizeof(word), " %d ", name);
	errno = options == NULL || strstr(options, word) != NULL ? EINVAL : ENOPROTOOPT;
	return -1;
}

int uname(struct utsname *ret)
{
	const char *release = getenv("FAKE_RELEASE"), *version = getenv("FAKE_VERSION");

	memset(ret, 0, sizeof(*ret));
	strcpy(ret->sysname, "Linux");
	strcpy(ret->release, release ? release : "6.1.176");
	strcpy(ret->version, version ? version : "#1 SMP");
	return 0;
}
