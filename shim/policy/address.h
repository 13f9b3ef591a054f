/* SPDX-License-Identifier: MIT */
/* address: IPv4 and IPv6 addresses and prefixes as two 64-bit halves. Private to shim/policy/. */
#ifndef SCTPEEL_POLICY_ADDRESS_H
#define SCTPEEL_POLICY_ADDRESS_H

#include "rules.h"

#define V4_MAPPED (UINT64_C(0xffff) << 32)

static inline bool address_is_v4(struct address address)
{
	return address.high == 0 && address.low >> 32 == 0xffff;
}

/* Address and port (host byte order) of a sockaddr; false when it is NULL or of another family. */
bool address_of(const struct sockaddr *sockaddr, struct address *ret_address, uint16_t *ret_port);
bool prefix_holds(const struct prefix *prefix, struct address address);
/*
 * Reads "10.9.0.0/16", "2001:db8::/32", "[2001:db8::]/32" or an address. False with the reason
 * in `why` (at most `size` bytes): not an address, length out of range, host bits set.
 */
bool prefix_parse(const char *at, size_t length, struct prefix *ret, char *why, size_t size);

#endif
