/* SPDX-License-Identifier: MIT */
/*
 * Feeds any pages to the reader of the live pages, as sctpeel top looks at them twice: the file as
 * it is at first (the first half of the bytes) and as it is later. Nothing but text may come of it.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *       -DSCTPEEL_LIBDIR='""' -Ishim -o live_fuzz tests/fuzz/live_fuzz.c TOOLS PURE \
 *       -lelf -ljansson -lm -lncursesw -ltinfo      (the Makefile says which files these are)
 *   ./live_fuzz CORPUS tests/fuzz/live
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/top_view.h"
#include "events/live_layout.h"

/* What the first byte chooses: the order, and these. */
enum { REVERSED = 8, FILTERED = 16, ENDED = 32, RAW = 64, FUZZ_WAYS_ALL = 128 };
#define FUZZ_WAYS FUZZ_WAYS_ALL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/dev/shm/live_fuzz.XXXXXX", running[96], ended[96];

static void clean(void)
{
	unlink(running);
	unlink(ended);
	rmdir(folder);
}

/* A process that runs has its page mapped. */
static void prepare(void)
{
	int fd;

	if (!mkdtemp(folder))
		abort();
	snprintf(running, sizeof(running), "%s/x.%d" LIVE_SUFFIX, folder, (int)getpid());
	snprintf(ended, sizeof(ended), "%s/x.5000000" LIVE_SUFFIX, folder);
	fd = open(running, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (mmap(NULL, LIVE_HEADER_SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		abort();
	close(fd);
	unlink(ended);
	atexit(clean);
}

static void put(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* Raw bytes, or the begin of a header and slots behind it: a header that is read on is rare. */
static void put_page(const char *path, const uint8_t *data, size_t size, bool raw)
{
	static uint8_t page[LIVE_HEADER_SIZE + (1 << 20)];
	struct live_header *header = (struct live_header *)(void *)page;
	size_t head = size < sizeof(*header) ? size : sizeof(*header);

	if (raw || size > 1 << 20) {
		put(path, data, size);
		return;
	}
	memset(page, 0, LIVE_HEADER_SIZE);
	memcpy(page, data, head);
	memcpy(header->magic, LIVE_MAGIC, sizeof(header->magic));
	header->version = LIVE_VERSION;
	header->header_size = LIVE_HEADER_SIZE;
	header->slot_size = sizeof(struct live_slot);
	header->slots = LIVE_SLOTS;
	memcpy(page + LIVE_HEADER_SIZE, data + head, size - head);
	put(path, page, LIVE_HEADER_SIZE + size - head);
}

/* No control character, of one byte or, in UTF-8, of two. */
static void check_text(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			abort();
}

static void look(struct top_view *view)
{
	char buf[TOP_ROW_SIZE];
	struct line line;

	if (top_view_look(view) != 0)
		abort();
	line_open(&line, buf, sizeof(buf));
	top_view_put_summary(view, &line);
	check_text(line_done(&line));
	for (size_t i = 0; i < view->count; i++) {
		line_open(&line, buf, sizeof(buf));
		top_view_put_row(&view->rows[i], &line);
		check_text(line_done(&line));
		if (line.cut)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int way = size > 0 ? data[0] : 0;
	struct top_view view = {.folder.path = folder,
				.pid = way & ENDED ? 5000000 : getpid(),
				.order = (enum top_order)(way % ORDERS),
				.reversed = way & REVERSED,
				.filter = ""};
	const char *path = way & ENDED ? ended : running;
	size_t half = size / 2;

	if (size == 0)
		return 0;
	if (!*running)
		prepare();
	strcpy(view.filter, way & FILTERED ? "e" : "");
	put_page(path, data + 1, half - (half > 0), way & RAW);
	look(&view);
	put_page(path, data + half, size - half, way & RAW);
	look(&view);
	unlink(ended);
	top_view_end(&view);
	return 0;
}

#include "once.h"
