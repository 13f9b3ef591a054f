/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char kernel_missing[] = "this kernel has no SCTP";
const char kernel_remedy[] = "load the module (modprobe sctp), or use a kernel that has it";

bool kernel_line(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	bool good = file != NULL && fgets(buf, (int)size, file) != NULL;

	if (file != NULL)
		fclose(file);
	if (good)
		buf[strcspn(buf, "\n")] = '\0';
	return good;
}

int kernel_sctp_error(void)
{
	int fd = socket(AF_INET, SOCK_SEQPACKET | SOCK_CLOEXEC, IPPROTO_SCTP);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/*
 * SCTP_SENDALL came with 4.17, the wait in connect that a peel disturbs with 4.16. Both were fixed
 * in 7.1; of the stable series only 6.1's releases are known: 6.1.175 and 6.1.176.
 */
enum kernel_fixes kernel_fixes(const char *version)
{
	unsigned long number[3] = {0};
	char *end;

	for (int i = 0; i < 3; i++) {
		number[i] = strtoul(version, &end, 10);
		if (*end != '.')
			break;
		version = end + 1;
	}
	if (number[0] < 4 || (number[0] == 4 && number[1] < 16))
		return FIXES_THERE;
	if (number[0] > 7 || (number[0] == 7 && number[1] >= 1))
		return FIXES_THERE;
	if (number[0] != 6 || number[1] != 1)
		return FIXES_UNKNOWN;
	return number[2] >= 176 ? FIXES_THERE : FIXES_MISSING;
}
