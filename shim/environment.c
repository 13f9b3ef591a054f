/* SPDX-License-Identifier: MIT */
#include "environment.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static char **find(const char *name)
{
	size_t length = strlen(name);

	for (char **at = environ; at && *at; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return at;
	return NULL;
}

static void remove_entry(char **at)
{
	do
		at[0] = at[1];
	while (*at++);
}

const char *environment_take_out(const char *name)
{
	const char *ret = NULL;

	for (char **at; (at = find(name)) != NULL; remove_entry(at))
		ret = *at + strlen(name) + 1;
	return ret;
}

/* Entries are parted by blanks or colons (ld.so(8)). */
static bool is_ours(const char *entry, size_t length)
{
	static const char name[] = "libsctpeel.so";
	const size_t end = sizeof(name) - 1;

	return length >= end && memcmp(entry + length - end, name, end) == 0;
}

void environment_leave(void)
{
	char **at = find("LD_PRELOAD"), *to, *from;

	if (!at)
		return;
	to = from = strchr(*at, '=') + 1;
	while (*from) {
		size_t length = strcspn(from, ": ");
		size_t whole = length + (from[length] != '\0');

		if (!is_ours(from, length)) {
			memmove(to, from, whole);
			to += whole;
		}
		from += whole;
	}
	*to = '\0';
	if (to[-1] == '=')
		remove_entry(at);
}
