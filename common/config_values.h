/*
 * config_values: from the text of a variable to its value.
 *
 * Every parser returns NULL, or a static sentence that says what is wrong with the
 * text. The sentence never quotes the text, which may hold a secret. Texts are
 * valid UTF-8 without control characters. What a parser allocates is the caller's.
 */
#ifndef ROLLCALL_CONFIG_VALUES_H
#define ROLLCALL_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

const char *value_parse_number(const char *text, int least, int most, int *number);
const char *value_parse_yes_no(const char *text, bool *is_yes);
/* A name or an IPv4 address of `length` characters. */
const char *value_parse_host(const char *text, size_t length, char host[256]);
const char *value_parse_port(const char *text, uint16_t *port);
/* host:port or [IPv6 address]:port */
const char *value_parse_endpoint(const char *text, struct endpoint *endpoint);
/* What libpq takes: a URI or key=value pairs. */
const char *value_check_database_url(const char *text);
/* http:// or https://, a host, perhaps a port and a path; slashes at the end are dropped.
 * The origin is what browsers say (RFC 6454): small letters, and no port where it is the
 * scheme's own. The URL begins with it. */
const char *value_parse_public_url(const char *text, char **url, char **origin, bool *is_https);
/* Addresses and networks (10.0.0.0/8), separated by commas or blanks. */
const char *value_parse_networks(const char *text, struct network **networks, int *count);
/* a@b, Name <a@b> or "Name" <a@b>; *name is NULL when there is none. */
const char *value_parse_mail_from(const char *text, char **name, char **address);

bool value_host_is_loopback(const char *host);
/* Whether the address (text; IPv4 also as ::ffff:a.b.c.d) lies in the network. */
bool value_network_holds(const struct network *network, const char *address);
/* Whether it was written with an address in it: 10.1.2.3/8. */
bool value_network_has_host_bits(const struct network *network);
/* Cores that this process may use. */
int value_count_cores(void);

#endif
