/* SPDX-License-Identifier: MIT */
/*
 * pool: memory for many small objects of one size, without malloc.
 *
 * The receive path may run in a signal handler or inside an allocator's own I/O; mmap is safe in
 * both. The caller brings the locking. Objects come zeroed.
 */
#ifndef SCTPEEL_POOL_H
#define SCTPEEL_POOL_H

#include <stddef.h>

struct pool {
	size_t size;  /* of one object, a multiple of 16 */
	void *free;   /* list through the first word */
	void *chunks; /* list of mappings through their first word */
	char *fresh;  /* not yet handed out, up to end */
	char *end;
};

void pool_init(struct pool *pool, size_t object_size);
/* NULL when memory is exhausted (errno ENOMEM). */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *object);
/*
 * Zeroed memory of its own, to be given back by munmap; NULL (errno ENOMEM) when it is exhausted.
 * A shortage that goes by at once goes unnoticed: what is read into it may exist nowhere else.
 * Async-signal-safe.
 */
void *pool_map(size_t size);
/* Unmaps everything. */
void pool_end(struct pool *pool);

#endif
