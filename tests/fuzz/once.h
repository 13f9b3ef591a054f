/* SPDX-License-Identifier: MIT */
/*
 * once: without LIBFUZZER a fuzz target is a program that runs once over each file that it is given
 * and, after -n, over so many changes of each, the same in every run: so every build, compiler and
 * sanitizer tries the seeds and what is near them. Where FUZZ_WAYS is defined a byte before the
 * file's own says which of so many ways, and each is tried.
 */
#ifndef LIBFUZZER
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#ifndef FUZZ_WAYS
#define FUZZ_WAYS 0
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ONCE_BEFORE = FUZZ_WAYS > 0, ONCE_MOST = 1 << 20 };

struct once_input {
	size_t size;
	uint8_t bytes[ONCE_BEFORE + ONCE_MOST];
};

/* xorshift: what is found is found again. */
static uint32_t once_draw(uint32_t below)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return below ? state % below : 0;
}

static void once_try(struct once_input *input)
{
	for (int way = 0; way <= FUZZ_WAYS; way++) {
		const size_t size = ONCE_BEFORE + input->size;
		/* ends where its memory ends */
		uint8_t *copy = malloc(size > 0 ? size : 1);

		if (!copy)
			abort();
		if (ONCE_BEFORE)
			input->bytes[0] = (uint8_t)way;
		memcpy(copy, input->bytes, size);
		LLVMFuzzerTestOneInput(copy, size);
		free(copy);
	}
}

static void once_change(struct once_input *input)
{
	static const uint8_t odd[] = {0, 1, 2, 7, 15, 16, 31, 32, 48, 127, 128, 255};
	uint8_t *bytes = input->bytes + ONCE_BEFORE;
	uint32_t at = once_draw((uint32_t)input->size);
	uint32_t behind = (uint32_t)input->size - at, n = 1 + once_draw(16);

	switch (input->size > 0 ? once_draw(5) : 3) {
	case 0:
		bytes[at] ^= (uint8_t)(1u << once_draw(8));
		break;
	case 1:
		bytes[at] = odd[once_draw(sizeof(odd))];
		break;
	case 2:
		n = n < behind ? n : behind;
		memmove(bytes + at, bytes + at + n, behind - n);
		input->size -= n;
		break;
	case 3:
		if (input->size + n > ONCE_MOST)
			break;
		memmove(bytes + at + n, bytes + at, behind);
		memset(bytes + at, odd[once_draw(sizeof(odd))], n);
		input->size += n;
		break;
	default:
		n = n < behind ? n : behind;
		memmove(bytes + once_draw((uint32_t)input->size - n + 1), bytes + at, n);
	}
}

static bool once_read(struct once_input *input, const char *path)
{
	FILE *from = fopen(path, "rb");

	if (!from) {
		perror(path);
		return false;
	}
	input->size = fread(input->bytes + ONCE_BEFORE, 1, ONCE_MOST, from);
	fclose(from);
	return true;
}

int main(int argc, char **argv)
{
	static struct once_input seed, changed;
	bool counts = argc > 2 && strcmp(argv[1], "-n") == 0;
	const long changes = counts ? strtol(argv[2], NULL, 10) : 0;
	const int first = counts ? 3 : 1;

	for (int i = first; i < argc; i++) {
		if (!once_read(&seed, argv[i]))
			return EX_NOINPUT;
		once_try(&seed);
		for (long n = 0; n < changes; n++) {
			changed.size = seed.size;
			memcpy(changed.bytes, seed.bytes, ONCE_BEFORE + seed.size);
			for (uint32_t edits = 1 + once_draw(4); edits > 0; edits--)
				once_change(&changed);
			once_try(&changed);
		}
	}
	fprintf(stderr, "%d inputs", argc - first);
	if (changes > 0)
		fprintf(stderr, ", each also with %ld changes", changes);
	fputc('\n', stderr);
	return 0;
}
#endif
