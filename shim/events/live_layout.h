/* SPDX-License-Identifier: MIT */
/*
 * live_layout: the live page, as the shim writes it and `sctpeel top` reads it.
 *
 * A file FOLDER/PROGRAM.PID.live: a header, then slots of one association each. Numbers are of the
 * machine's own byte order, times are CLOCK_MONOTONIC. Whoever changes a field or its meaning
 * raises LIVE_VERSION.
 *
 * A slot is written by one thread at a time, without a lock: its sequence is odd while it is being
 * written. Who reads takes the sequence, then the slot, then the sequence again: equal and even,
 * the copy is whole.
 */
#ifndef SCTPEEL_LIVE_LAYOUT_H
#define SCTPEEL_LIVE_LAYOUT_H

#include <stdint.h>

#define LIVE_MAGIC "sctpeel" /* with its end: 8 bytes */
#define LIVE_SUFFIX ".live"

enum { LIVE_VERSION = 1, LIVE_SLOTS = 32768, LIVE_HEADER_SIZE = 4096 };

/* Slots behind `used` have never been written, and need not be there. */
struct live_header {
	char magic[8];
	uint32_t version, header_size, slot_size, slots;
	uint32_t used;	 /* atomic */
	uint32_t unseen; /* associations that have no slot; atomic */
	int32_t pid;
	uint32_t mode; /* enum settings_mode */
	uint64_t started_ns;
	char program[96];     /* cut, always terminated */
	char policy_hash[16]; /* likewise */
	char policy[1024];    /* likewise */
};

enum live_state { LIVE_FREE, LIVE_SHARED, LIVE_PEELED };

/* Without a port in its family an address is not known. */
struct live_address {
	uint16_t family; /* AF_INET, AF_INET6, 0: unknown */
	uint16_t port;	 /* network byte order */
	uint8_t bytes[16];
};

struct live_slot {
	uint32_t sequence; /* atomic */
	uint32_t state;	   /* enum live_state */
	int32_t fd;	   /* as the program knows it */
	int32_t assoc_id;
	uint64_t first_seen_ns, last_seen_ns;
	uint64_t bytes, msgs;
	struct live_address peer, local;
	uint32_t sndblocked;
	int32_t rule_index; /* 0-based, -1: none */
	char verdict[8];    /* "keep", "peel", "hold", "": none yet; these need not be terminated */
	char rule[40];
	char held[80]; /* what stands against the peel */
	char reserved[32];
};

_Static_assert(sizeof(struct live_header) <= LIVE_HEADER_SIZE, "the header fits its page");
_Static_assert(sizeof(struct live_slot) == 256, "slots are whole cache lines");

#endif
