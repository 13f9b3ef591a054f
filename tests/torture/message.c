/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include <string.h>

static const char magic[4] = {'T', 'O', 'R', 'T'};

static uint32_t sum_of(const struct message *message)
{
	const uint8_t *bytes = (const uint8_t *)message;
	uint32_t sum = 2166136261U;

	for (size_t i = offsetof(struct message, size); i < message->size; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	return sum;
}

/* Small letters, so that the middle of a message never looks like the beginning of one. */
void message_make(struct message *message)
{
	char *bytes = (char *)message;

	memcpy(message->magic, magic, sizeof(magic));
	for (size_t i = sizeof(*message); i < message->size; i++)
		bytes[i] = (char)('a' + (i * 7 + message->number * 13U + message->peer) % 26);
	message->sum = sum_of(message);
}

size_t message_begins(const char *data, size_t size)
{
	uint32_t total;

	if (size < 12 || memcmp(data, magic, sizeof(magic)) != 0)
		return 0;
	memcpy(&total, data + offsetof(struct message, size), sizeof(total));
	return total >= sizeof(struct message) && total <= BIGGEST ? total : 0;
}

const char *message_fault(const struct message *message, size_t size)
{
	if (message->size != size)
		return "its size is wrong";
	if (message->sum != sum_of(message))
		return "its checksum is wrong";
	if (message->peer > PEERS || message->life >= LIVES || message->stream >= STREAMS ||
	    message->number >= NUMBERS)
		return "it says what it cannot be";
	return NULL;
}
