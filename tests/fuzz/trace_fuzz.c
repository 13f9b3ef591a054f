/* SPDX-License-Identifier: MIT */
/*
 * Feeds any bytes to the readers of traces: report in one of its forms, chosen by the first byte,
 * or simulate.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *       -DSCTPEEL_LIBDIR='""' -Ishim -Itools -o trace_fuzz tests/fuzz/trace_fuzz.c TOOLS PURE \
 *       -lelf -ljansson -lm -lncursesw -ltinfo      (the Makefile says which files these are)
 *   ./trace_fuzz -close_fd_mask=3 CORPUS tests/fuzz/trace
 *
 * Without LIBFUZZER it runs once over each file that it is given, so that every build tries the
 * seeds.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "../../tools/tool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run(unsigned int way, char *path)
{
	char *text[] = {"report", path, NULL}, *json[] = {"report", "--json", path, NULL};
	char *html[] = {"report", "--html", "/dev/null", path, NULL};
	char *chrome[] = {"report", "--chrome", "/dev/null", "--csv", "/dev/null", path, NULL};
	char *simulate[] = {"simulate", "-p", "peel if share(1s) > 50% for 1s", "-d", path, NULL};
	char *suggest[] = {"simulate", "-p", "volume", "-s", path, NULL};

	optind = 0;
	switch (way % 6) {
	case 0:
		return report_main(2, text);
	case 1:
		return report_main(3, json);
	case 2:
		return report_main(4, html);
	case 3:
		return report_main(6, chrome);
	case 4:
		return simulate_main(5, simulate);
	default:
		return simulate_main(5, suggest);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("trace", MFD_CLOEXEC), status;
	char path[64];

	if (fd < 0 || size == 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	status = run(data[0], path);
	close(fd);
	/* no input of this kind is a fault of ours */
	if (status != EX_OK && status != EX_DATAERR)
		abort();
	return 0;
}

#define FUZZ_WAYS 6
#include "once.h"
