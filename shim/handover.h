/* SPDX-License-Identifier: MIT */
/*
 * handover: endpoints that go along with an exec (P03).
 *
 * Before it, what is known of them is written into a sealed memfd that the new image's environment
 * names, and what was peeled off is inherited as the socket is; takeover.c goes on with both. If
 * the exec fails all is as before. Everything here is async-signal-safe and allocates nothing.
 */
#ifndef SCTPEEL_HANDOVER_H
#define SCTPEEL_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

struct handover {
	char *const *envp; /* to execute with */
	int memfd;	   /* -1: nothing is handed over */
	bool begun;
	char variable[64];
};

/* How many entries handover_begin wants room for. */
size_t handover_entries(char *const envp[]);
/*
 * `room` holds the new environment's entries until the exec; `dir` and `path` are as for
 * image_obstacle. errno is kept.
 */
struct handover *handover_begin(struct handover *handover, int dir, const char *path,
				char *const envp[], char **room, size_t entries);
/* The exec has failed: returns its result. errno is kept. */
int handover_failed(struct handover *handover, int ret);

/* On the stack: a child of vfork has no memory of its own to make room in. */
#define HAND_OVER(name, dir, path, envp)                      \
	const size_t name##_entries = handover_entries(envp); \
	char *name##_room[name##_entries];                    \
	struct handover name##_it;                            \
	struct handover *name =                               \
		handover_begin(&name##_it, dir, path, envp, name##_room, name##_entries)

#endif
