/* SPDX-License-Identifier: MIT */
/*
 * Feeds any bytes to what reads executables: sctpeel run's refusals, sctpeel doctor's look at a
 * program and its libraries.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *       -DSCTPEEL_LIBDIR='""' -Ishim -o elf_fuzz tests/fuzz/elf_fuzz.c TOOLS PURE \
 *       -lelf -ljansson -lm -lncursesw -ltinfo      (the Makefile says which files these are)
 *   ./elf_fuzz -close_fd_mask=1 CORPUS tests/fuzz/elf
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/doctor.h"
#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("program", MFD_CLOEXEC);
	struct settings settings = {.program_glob = "*"};
	struct findings findings = {0};
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	doctor_program(&findings, &settings, path);
	close(fd);
	if (findings.count == 0)
		abort();
	return 0;
}

#include "once.h"
