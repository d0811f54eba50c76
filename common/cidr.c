/*
 * Reads addresses and networks, IPv4 and IPv6, and writes them in one spelling.
 *
 * What is always true: what is good here PostgreSQL takes as a cidr, and prints the same.
 */
#include "cidr.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_BITS 96	/* ::ffff:0:0/96 */

struct parsed {
	int family, bits, prefix;	/* `bits` of an address */
	uint8_t bytes[16];
};

static bool
parse_address(const char *text, size_t length, struct parsed *out)
{
	char address[INET6_ADDRSTRLEN];

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	out->family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	out->bits = out->family == AF_INET6 ? 128 : 32;
	return inet_pton(out->family, address, out->bytes) == 1;
}

/* Digits alone, without zeros in front. -1: it is no length of a prefix. */
static int
parse_prefix(const char *text, int bits)
{
	int prefix = 0;

	if (*text == '\0' || strlen(text) > 3 || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		prefix = prefix * 10 + (*text - '0');
	}
	return prefix <= bits ? prefix : -1;
}

/* Zeros behind the prefix; true when there was something else. */
static bool
clear_host_bits(struct parsed *parsed)
{
	bool had_bits = false;

	for (int bit = parsed->prefix; bit < parsed->bits; bit++) {
		const uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		had_bits = had_bits || (parsed->bytes[bit / 8] & mask) != 0;
		parsed->bytes[bit / 8] &= (uint8_t)~mask;
	}
	return had_bits;
}

static bool
is_mapped(const struct parsed *parsed)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return parsed->family == AF_INET6 && parsed->prefix >= MAPPED_BITS
		&& memcmp(parsed->bytes, mapped, sizeof(mapped)) == 0;
}

enum cidr_outcome
cidr_parse(const char *text, char canonical[CIDR_TEXT_SIZE])
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct parsed parsed = { 0 };

	canonical[0] = '\0';
	if (!parse_address(text, slash != NULL ? (size_t)(slash - text) : strlen(text), &parsed))
		return CIDR_MALFORMED;
	parsed.prefix = slash != NULL ? parse_prefix(slash + 1, parsed.bits) : parsed.bits;
	if (parsed.prefix < 0)
		return CIDR_MALFORMED;
	const bool has_host_bits = clear_host_bits(&parsed), was_mapped = is_mapped(&parsed);
	if (was_mapped) {
		parsed.family = AF_INET;
		parsed.prefix -= MAPPED_BITS;
		memmove(parsed.bytes, parsed.bytes + 12, 4);
	}
	inet_ntop(parsed.family, parsed.bytes, address, sizeof(address));
	snprintf(canonical, CIDR_TEXT_SIZE, "%s/%d", address, parsed.prefix);
	if (was_mapped)
		return CIDR_IS_MAPPED;
	return has_host_bits ? CIDR_HAS_HOST_BITS : CIDR_GOOD;
}

bool
cidr_fault(const char *text, char detail[CIDR_FAULT_SIZE])
{
	char canonical[CIDR_TEXT_SIZE];

	switch (cidr_parse(text, canonical)) {
	case CIDR_GOOD:
		return false;
	case CIDR_MALFORMED:
		snprintf(detail, CIDR_FAULT_SIZE, "An address or a network is like 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32.");
		break;
	case CIDR_HAS_HOST_BITS:
		snprintf(detail, CIDR_FAULT_SIZE, "This is an address in a network: %s was probably meant.", canonical);
		break;
	case CIDR_IS_MAPPED:
		snprintf(detail, CIDR_FAULT_SIZE, "An IPv4 network is written as such: %s was probably meant.", canonical);
		break;
	}
	return true;
}
