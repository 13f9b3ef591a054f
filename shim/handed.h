/* SPDX-License-Identifier: MIT */
/*
 * handed: what one image of a process hands to the next: the layout of the memfd between them.
 *
 * A header, then endpoints to its end. Each is followed by its numbers (int32_t), the policy's
 * state for it, and its associations, each with the policy's state for that. HANDED_VERSION counts
 * up with every change.
 */
#ifndef SCTPEEL_HANDED_H
#define SCTPEEL_HANDED_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#include "association.h"
#include "policy/policy.h"
#include "settings.h"

/* "DESCRIPTOR:INODE" of the memfd, for the next image alone. */
#define HANDED_VARIABLE "SCTPEEL__HANDED"

enum { HANDED_VERSION = 1, HANDED_NUMBERS = 64 };
enum { HANDED_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
#define HANDED_MAGIC 0x6c65657074637300u /* "\0sctpeel" in memory */

struct handed_header {
	uint64_t magic;
	uint32_t version;
	int32_t pid; /* whose exec it is: of no use to any other */
	/* by which it was counted: another's figures mean nothing */
	uint64_t policy;
	uint32_t state_size, reserved; /* of each association */
};

/* A descriptor is what it was if it is still the same file. */
struct handed_descriptor {
	uint64_t inode; /* 0: none */
	int32_t fd;
	uint32_t reserved;
};

enum {
	HANDED_LISTENING = 1 << 0,
	HANDED_INTERLEAVE = 1 << 1,
	HANDED_WANTS_RCVINFO = 1 << 2,
	HANDED_HIDES_RCVINFO = 1 << 3,
	HANDED_HIDES_ARRIVAL = 1 << 4,
	HANDED_HELD = 1 << 5,	/* nothing may be peeled from it any more */
	HANDED_PEEKED = 1 << 6, /* `bound` because of a look */
	HANDED_FORKED = 1 << 7, /* other processes may have it */
	HANDED_LOST_MAIL = 1 << 8,
};

enum { HANDED_UNBOUND, HANDED_ORIGINAL, HANDED_FIRST }; /* the associations, in their order */

struct handed_endpoint {
	uint64_t inode; /* of the socket */
	uint32_t numbers, associations;
	uint32_t flags;
	uint32_t bound; /* what the next receive must come from */
	sctp_assoc_t half_read;
	uint32_t state_size;
	uint64_t rcvtimeo_ns, noted;
	/* where processes share it */
	struct handed_descriptor commons, mail_in, mail_out;
	uint64_t read;
};

enum {
	HANDED_HIDES_CHANGES = 1 << 0,
	HANDED_ENDED = 1 << 1,
};

struct handed_association {
	struct handed_descriptor peeled;
	uint64_t first_seen_ns, last_seen_ns, bytes, msgs, unfinished, retry_ns;
	sctp_assoc_t id;
	uint32_t flags;
	uint32_t sndblocked;
	uint16_t refusals;
	int16_t rule;
	uint8_t verdict, hides_dry, reserved[6];
	struct peer_address peer;
};

struct handed_registration {
	int32_t set, number;
	uint64_t data;
	uint32_t events, reserved;
};

/* Which policy it is, as a number: FNV-1a. */
static inline uint64_t handed_policy(void)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (const char *c = settings_get()->policy_text; c && *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	return hash;
}

#endif
