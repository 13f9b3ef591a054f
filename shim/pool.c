/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "settings.h"

enum { CHUNK = 64 * 1024, CHUNK_HEAD = 64 };

void pool_init(struct pool *pool, size_t object_size)
{
	*pool = (struct pool){.size = (object_size + 15) & ~(size_t)15};
}

void *pool_map(size_t size)
{
	for (int tries = 0; tries < 3; tries++) {
		void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);

		if (mapped != MAP_FAILED)
			return mapped;
	}
	errno = ENOMEM;
	return NULL;
}

static int grow(struct pool *pool)
{
	int fault = fault_at("memory");
	char *chunk = fault ? NULL : pool_map(CHUNK);

	if (!chunk) {
		errno = ENOMEM;
		return -1;
	}
	*(void **)(void *)chunk = pool->chunks;
	pool->chunks = chunk;
	pool->fresh = chunk + CHUNK_HEAD;
	pool->end = chunk + CHUNK;
	return 0;
}

void *pool_take(struct pool *pool)
{
	void *object = pool->free;

	if (object) {
		pool->free = *(void **)object;
		memset(object, 0, pool->size);
		return object;
	}
	if ((size_t)(pool->end - pool->fresh) < pool->size && grow(pool) < 0)
		return NULL;
	object = pool->fresh;
	pool->fresh += pool->size;
	return object;
}

void pool_give(struct pool *pool, void *object)
{
	*(void **)object = pool->free;
	pool->free = object;
}

void pool_end(struct pool *pool)
{
	void *chunk = pool->chunks;

	while (chunk) {
		void *next = *(void **)chunk;

		munmap(chunk, CHUNK);
		chunk = next;
	}
	pool_init(pool, pool->size);
}
