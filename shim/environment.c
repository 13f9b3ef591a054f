/* SPDX-License-Identifier: MIT */
#include "environment.h"

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
