/* SPDX-License-Identifier: MIT */
/*
 * rules: what a parsed policy is made of. Private to shim/policy/.
 *
 * A policy is held twice. The tree (struct node) is what the text said, with every `not` pushed
 * down to the predicates; the canonical form, the explanation and the reasons are read from it.
 * The leaves (struct leaf) are the same predicates as a flat program with two jumps each, which
 * is what a message costs.
 */
#ifndef SCTPEEL_POLICY_RULES_H
#define SCTPEEL_POLICY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

enum {
	TEXT_MAX = 64 * 1024, /* bytes of policy text */
	RULES_MAX = 256,
	PREDICATES_MAX = 4096,
	NESTING_MAX = 32, /* parentheses; bounds every recursion below */
	WINDOWS_MAX = 8,  /* each costs 24 bytes an association */
	RANGES_MAX = 64,  /* in one set */
	NAME_LENGTH_MAX = 31,
};

/* The longest window and `for`: twice of it still fits 64 bits. */
#define DURATION_MAX (UINT64_C(1) << 62)
#define NS_PER_S UINT64_C(1000000000)

enum unit {
	UNIT_COUNT,
	UNIT_SIZE,
	UNIT_COUNT_RATE,
	UNIT_SIZE_RATE,
	UNIT_TIME,    /* nanoseconds */
	UNIT_PERCENT, /* hundredths of a percent */
	UNIT_SET,
	UNIT_PREFIX,
};

enum window_use { WINDOW_NONE, WINDOW_OPTIONAL, WINDOW_REQUIRED };

enum field {
#define FIELD(id, name, alias, unit, window, noun, help) FIELD_##id,
#include "fields.def"
#undef FIELD
	FIELDS
};

struct field_info {
	const char *name, *alias, *noun;
	enum unit unit;
	enum window_use window;
};
extern const struct field_info field_table[FIELDS];

enum op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };
enum op op_inverse(enum op op);
const char *op_symbol(enum op op);

/* First to last, both included. */
struct range {
	uint32_t first, last;
};

/* IPv4 as v4-mapped IPv6, so that a mapped peer matches an IPv4 prefix. Host byte order halves. */
struct address {
	uint64_t high, low;
};
struct prefix {
	struct address address, mask;
	uint8_t length; /* as written: 0 to 32 or 128 */
	bool v4;
};

enum node_kind { NODE_ALL, NODE_ANY, NODE_PREDICATE };
#define NO_NODE UINT32_MAX

struct node {
	enum node_kind kind;
	uint32_t child, sibling; /* NO_NODE: none */
	uint32_t leaves;	 /* in this subtree */
	uint32_t leaf;		 /* first of them */
	/* predicates only */
	enum field field;
	enum op op;
	uint64_t window_ns; /* 0: none */
	uint64_t number;    /* in units of the field; for sets with < <= > >= too */
	uint32_t first;	    /* range or prefix in the policy's arrays */
	uint32_t ranges;
};

enum leaf_how { LEAF_COUNTER, LEAF_RANGE, LEAF_SET, LEAF_PREFIX };
/*
 * Jumps out of the program: LEAF_EXIT when no rule matched, LEAF_EXIT + 1 + the rule that did.
 * Without any `for` in the policy, a rule that misses jumps to the next one, so that one walk
 * through the leaves answers for all rules. With a `for`, rules are walked one by one.
 */
enum { LEAF_EXIT = 0x8000 };

struct leaf {
	uint8_t source, how;   /* enum source, enum leaf_how */
	uint8_t window;	       /* slot in the association's state, NO_WINDOW */
	uint8_t socket_window; /* slot in the socket's state (share) */
	uint8_t offset;	       /* COUNTER: of the value in struct policy_input */
	bool negate;
	uint16_t next[2]; /* when false, when true */
	/* COUNTER, RANGE: value - low <= span; SET: first and number of ranges; PREFIX: index */
	uint64_t low, span;
};
#define NO_WINDOW 0xff

struct rule {
	char name[NAME_LENGTH_MAX + 1]; /* "" when it has none */
	char shown[16];			/* "#2" then */
	enum policy_verdict verdict;
	uint32_t node;	 /* NO_NODE: unconditional */
	uint16_t entry;	 /* first leaf, or for an unconditional rule the exit */
	uint64_t for_ns; /* 0: at once */
	uint16_t timer;	 /* slot, when for_ns is set */
};

struct window_info {
	uint64_t length_ns;
	bool messages; /* counts messages, not bytes */
};

struct policy {
	struct rule *rules;
	struct node *nodes;
	struct leaf *leaves;
	struct range *ranges;
	struct prefix *prefixes;
	uint32_t rule_count, node_count, leaf_count, range_count, prefix_count;
	uint32_t rule_room, node_room, range_room, prefix_room;
	uint32_t timer_count, window_count, socket_window_count;
	struct window_info windows[WINDOWS_MAX];
	struct window_info socket_windows[WINDOWS_MAX];
	bool never_peels;
	char hash[9];
	char *canonical;
};

/* compile.c: tree to leaves, slots, canonical form and hash. 0, or -ENOMEM. */
int policy_compile(struct policy *policy);
/* The window's slot; a new one if need be; -1 when there are too many. */
int policy_window_slot(struct policy *policy, uint64_t length_ns, bool messages, bool socket);

#endif
