/* SPDX-License-Identifier: MIT */
/*
 * once: without LIBFUZZER a fuzz target is a program that runs once over each file that it is
 * given, so that every build tries the seeds. Where FUZZ_WAYS is defined a byte before the file's
 * own says which of so many ways, and each is tried.
 */
#ifndef LIBFUZZER
#include <stdint.h>
#include <stdio.h>
#include <sysexits.h>

#ifndef FUZZ_WAYS
#define FUZZ_WAYS 0
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	static uint8_t data[1 << 20];
	const size_t before = FUZZ_WAYS > 0;

	for (int i = 1; i < argc; i++) {
		FILE *from = fopen(argv[i], "rb");
		size_t size;

		if (!from) {
			perror(argv[i]);
			return EX_NOINPUT;
		}
		size = fread(data + before, 1, sizeof(data) - before, from);
		fclose(from);
		for (int way = 0; way <= FUZZ_WAYS; way++) {
			if (before)
				data[0] = (uint8_t)way;
			LLVMFuzzerTestOneInput(data, size + before);
		}
	}
	fprintf(stderr, "%d inputs\n", argc - 1);
	return 0;
}
#endif
