/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

static uint64_t load_be64(const uint8_t *at)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | at[i];
	return n;
}

bool address_of(const struct sockaddr *sockaddr, struct address *ret_address, uint16_t *ret_port)
{
	if (sockaddr == NULL)
		return false;
	if (sockaddr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sockaddr, sizeof(in));
		*ret_address = (struct address){0, V4_MAPPED | ntohl(in.sin_addr.s_addr)};
		*ret_port = ntohs(in.sin_port);
		return true;
	}
	if (sockaddr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sockaddr, sizeof(in6));
		*ret_address = (struct address){load_be64(in6.sin6_addr.s6_addr),
						load_be64(in6.sin6_addr.s6_addr + 8)};
		*ret_port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

bool prefix_holds(const struct prefix *prefix, struct address address)
{
	/* ::/0 means every IPv6 address, not the IPv4 ones that are mapped into it */
	return (address.high & prefix->mask.high) == prefix->address.high &&
	       (address.low & prefix->mask.low) == prefix->address.low &&
	       prefix->v4 == address_is_v4(address);
}

static struct address mask_of(unsigned bits)
{
	struct address mask = {0, 0};

	if (bits > 0)
		mask.high = bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
	if (bits > 64)
		mask.low = bits >= 128 ? UINT64_MAX : UINT64_MAX << (128 - bits);
	return mask;
}

/* The digits after the slash; false when they are no number up to 999. */
static bool parse_length(const char *at, unsigned *ret)
{
	unsigned n = 0;

	if (*at == '\0' || strlen(at) > 3)
		return false;
	for (; *at; at++) {
		if (*at < '0' || *at > '9')
			return false;
		n = n * 10 + (unsigned)(*at - '0');
	}
	*ret = n;
	return true;
}

/* Checks length and host bits; `shown` is how the user wrote it. */
static bool finish_prefix(struct prefix *prefix, unsigned length, const char *shown, char *why,
			  size_t size)
{
	unsigned most = prefix->v4 ? 32 : 128;
	struct text text = {why, size, 0};

	if (length > most) {
		snprintf(why, size, "/%u: the length of an %s prefix is 0 to %u", length,
			 prefix->v4 ? "IPv4" : "IPv6", most);
		return false;
	}
	prefix->length = (uint8_t)length;
	prefix->mask = mask_of(prefix->v4 ? length + 96 : length);
	if ((prefix->address.high & ~prefix->mask.high) == 0 &&
	    (prefix->address.low & ~prefix->mask.low) == 0)
		return true;
	prefix->address.high &= prefix->mask.high;
	prefix->address.low &= prefix->mask.low;
	text_string(&text, "'");
	text_string(&text, shown);
	text_string(&text, "' has bits set beyond its length (did you mean '");
	text_prefix(&text, prefix);
	text_string(&text, "'?)");
	text_end(&text);
	return false;
}

bool prefix_parse(const char *at, size_t length, struct prefix *ret, char *why, size_t size)
{
	char shown[64], copy[64], *address = copy, *slash, *bracket;
	uint8_t raw[16];
	unsigned bits;
	struct prefix prefix = {.v4 = false};

	if (length >= sizeof(copy)) {
		snprintf(why, size, "too long for an address");
		return false;
	}
	memcpy(copy, at, length);
	copy[length] = '\0';
	memcpy(shown, copy, length + 1);
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash++ = '\0';
	bracket = strchr(copy, ']');
	if (copy[0] == '[' && bracket != NULL && bracket[1] == '\0') {
		*bracket = '\0';
		address++;
	}
	if (address == copy && inet_pton(AF_INET, address, raw) == 1) {
		prefix.v4 = true;
		prefix.address.low = V4_MAPPED | (uint64_t)raw[0] << 24 | (uint64_t)raw[1] << 16 |
				     (uint64_t)raw[2] << 8 | raw[3];
	} else if (inet_pton(AF_INET6, address, raw) == 1) {
		prefix.address = (struct address){load_be64(raw), load_be64(raw + 8)};
	} else {
		snprintf(why, size, "'%s' is not an IPv4 or IPv6 address or prefix", shown);
		return false;
	}
	bits = prefix.v4 ? 32 : 128;
	if (slash != NULL && !parse_length(slash, &bits)) {
		snprintf(why, size, "'/%s' is not a prefix length", slash);
		return false;
	}
	if (!prefix.v4 && address_is_v4(prefix.address) && bits >= 96 && bits <= 128) {
		prefix.v4 = true;
		bits -= 96;
	}
	if (!finish_prefix(&prefix, bits, shown, why, size))
		return false;
	*ret = prefix;
	return true;
}
