/* SPDX-License-Identifier: MIT */
#include "fdtable.h"

#include <stdbool.h>

/* 8 MB of address space; only the pages of numbers in use cost memory. */
uintptr_t fdtable[FDTABLE_SIZE];

static int end;

uintptr_t fdtable_set(int fd, uintptr_t word)
{
	int seen = __atomic_load_n(&end, __ATOMIC_RELAXED);

	if ((unsigned int)fd >= FDTABLE_SIZE)
		return FD_FOREIGN;
	while (fd >= seen && !__atomic_compare_exchange_n(&end, &seen, fd + 1, true,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return __atomic_exchange_n(&fdtable[fd], word, __ATOMIC_SEQ_CST);
}

int fdtable_end(void)
{
	return __atomic_load_n(&end, __ATOMIC_RELAXED);
}
