/*
 * client_address: which address a request came from, behind proxies or not.
 *
 * An address is always in the one spelling that PostgreSQL takes, too: without a zone,
 * without the many ways to write zeros, and an IPv4 address in IPv6 as IPv4.
 */
#ifndef ROLLCALL_CLIENT_ADDRESS_H
#define ROLLCALL_CLIENT_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>

struct config;

#define CLIENT_NETWORK_MAX 8

/* The last address in X-Forwarded-For (all lines, joined; NULL: none) that is not one of
 * our proxies; where that is the peer, or nobody says more, the peer's. What cannot be read
 * ends the search: the hop that wrote it is as far as anything is known. "::" for a peer
 * that has no address. */
void client_address_find(const struct config *config, const char *peer, const char *forwarded,
	char address[INET6_ADDRSTRLEN]);

/* Whose it is, for counting: an IPv4 address by itself, of IPv6 the network of 64 bits,
 * which is what a household or a server is given. The number of its bytes, 4 or 8. */
int client_address_network(const char *address, uint8_t network[CLIENT_NETWORK_MAX]);

#endif
