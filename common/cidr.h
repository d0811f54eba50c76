/*
 * cidr: an address or a network as people write it, in the one spelling in which it is kept.
 */
#ifndef ROLLCALL_CIDR_H
#define ROLLCALL_CIDR_H

#include <stdbool.h>

#define CIDR_FAULT_SIZE 128
#define CIDR_TEXT_SIZE 48	/* the longest, with /128 and the closing NUL */

enum cidr_outcome {
	CIDR_GOOD,
	CIDR_MALFORMED,		/* neither an address nor a network */
	CIDR_HAS_HOST_BITS,	/* a network with an address in it: 10.1.2.3/8 */
	CIDR_IS_MAPPED,		/* IPv4 written as IPv6: no client is seen under it */
};

/* `canonical` is the network as PostgreSQL prints a cidr, with its length: 192.0.2.7/32. With
 * host bits, or IPv4 written as IPv6, it is the one that was probably meant; malformed: "". */
enum cidr_outcome cidr_parse(const char *text, char canonical[CIDR_TEXT_SIZE])
	__attribute__((warn_unused_result));
/* Whether something is wrong with a text; `detail` says what, and what was probably meant. */
bool cidr_fault(const char *text, char detail[CIDR_FAULT_SIZE]);

#endif
