/*
 * config_values: the parsers. They know the forms of values, not the variables
 * that have them; those are in config_table.c.
 */
#include "config_values.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "memory.h"
#include "text.h"

#define PORT_HTTP 80
#define PORT_HTTPS 443
#define LABEL_MAX_BYTES 63	/* RFC 1035 */

static const char letters_and_digits_and_dots[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

static char *
copy_n(const char *text, size_t length)
{
	char *copy = xmalloc(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static bool
starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *
value_parse_number(const char *text, int least, int most, int *number)
{
	size_t digits = strspn(text, "0123456789");
	long value;

	if (digits == 0 || text[digits] != '\0')
		return "it is not a whole number";
	value = digits > 9 ? (long)most + 1 : strtol(text, NULL, 10);
	if (value < least)
		return "the number is too small";
	if (value > most)
		return "the number is too large";
	*number = (int)value;
	return NULL;
}

const char *
value_parse_yes_no(const char *text, bool *is_yes)
{
	*is_yes = strcmp(text, "yes") == 0;
	return *is_yes || strcmp(text, "no") == 0 ? NULL : "it is neither yes nor no";
}

const char *
value_parse_port(const char *text, uint16_t *port)
{
	int number = 0;

	if (value_parse_number(text, 1, 65535, &number))
		return "the port is not a number from 1 to 65535";
	*port = (uint16_t)number;
	return NULL;
}

const char *
value_parse_host(const char *text, size_t length, char host[256])
{
	if (length == 0)
		return "the address is missing";
	if (length >= 256)
		return "the address is too long";
	if (strspn(text, letters_and_digits_and_dots) < length)
		return "the address holds characters that no host name has";
	memcpy(host, text, length);
	host[length] = '\0';
	return NULL;
}

static const char *
parse_bracketed(const char *text, struct endpoint *endpoint)
{
	const char *end = strchr(text, ']');
	struct in6_addr ignored;

	if (!end || (size_t)(end - text - 1) >= sizeof(endpoint->host))
		return "the closing bracket of the address is missing";
	memcpy(endpoint->host, text + 1, (size_t)(end - text - 1));
	endpoint->host[end - text - 1] = '\0';
	if (inet_pton(AF_INET6, endpoint->host, &ignored) != 1)
		return "what stands in brackets is not an IPv6 address";
	if (end[1] != ':')
		return "the port is missing";
	return value_parse_port(end + 2, &endpoint->port);
}

const char *
value_parse_endpoint(const char *text, struct endpoint *endpoint)
{
	const char *colon = strchr(text, ':');
	const char *fault;

	if (*text == '[')
		return parse_bracketed(text, endpoint);
	if (!colon)
		return "the port is missing";
	if (strchr(colon + 1, ':'))
		return "an IPv6 address stands in brackets";
	fault = value_parse_host(text, (size_t)(colon - text), endpoint->host);
	return fault ? fault : value_parse_port(colon + 1, &endpoint->port);
}

const char *
value_check_database_url(const char *text)
{
	/* libpq's own message would quote pieces of the text. */
	PQconninfoOption *options = PQconninfoParse(text, NULL);

	if (!options)
		return "libpq does not understand it";
	PQconninfoFree(options);
	return NULL;
}

/* Labels of letters, digits and inner hyphens. A browser takes a name that ends in a
 * number for an IPv4 address, in some spelling; here it must be one in the usual. */
static bool
is_host_name(const char *host)
{
	const char *label = host;
	struct in_addr ignored;
	size_t length;

	for (;; label += length + 1) {
		length = strcspn(label, ".");
		if (length == 0 || length > LABEL_MAX_BYTES || label[0] == '-' || label[length - 1] == '-')
			return false;
		if (label[length] == '\0')
			break;
	}
	return strspn(label, "0123456789") < length || inet_pton(AF_INET, host, &ignored) == 1;
}

/* As browsers write it in an Origin: small letters, an IPv6 address in its short form. */
static const char *
normalize_host(const char *text, char host[256])
{
	size_t length = strlen(text);
	struct in6_addr address;
	const char *fault;

	if (*text != '[') {
		fault = value_parse_host(text, length, host);
		for (char *c = host; !fault && *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + ('a' - 'A')) : *c;
		return fault || is_host_name(host) ? fault : "there can be no host of this name";
	}
	if (length >= 256 || text[length - 1] != ']')
		return "the closing bracket of the address is missing";
	memcpy(host, text + 1, length - 2);
	host[length - 2] = '\0';
	if (inet_pton(AF_INET6, host, &address) != 1)
		return "what stands in brackets is not an IPv6 address";
	host[0] = '[';
	inet_ntop(AF_INET6, &address, host + 1, INET6_ADDRSTRLEN);
	strcat(host, "]");
	return NULL;
}

/* `authority` is host[:port], and is cut at its colon. */
static const char *
make_origin(char *authority, bool is_https, char **origin)
{
	const char *host_end = *authority == '[' ? strchr(authority, ']') : authority;
	char *colon = host_end ? strchr(host_end, ':') : NULL;
	const uint16_t own = is_https ? PORT_HTTPS : PORT_HTTP;
	uint16_t port = own;
	char host[256], text[300];
	const char *fault = NULL;
	int length;

	if (colon) {
		*colon = '\0';
		fault = value_parse_port(colon + 1, &port);
	}
	if (!fault)
		fault = normalize_host(authority, host);
	if (fault)
		return fault;
	length = snprintf(text, sizeof(text), "%s://%s", is_https ? "https" : "http", host);
	if (port != own)
		snprintf(text + length, sizeof(text) - (size_t)length, ":%u", port);
	*origin = xstrdup(text);
	return NULL;
}

const char *
value_parse_public_url(const char *text, char **url, char **origin, bool *is_https)
{
	const char *host, *fault;
	char *authority;
	size_t host_length, length = strlen(text);

	*is_https = starts_with(text, "https://");
	if (!*is_https && !starts_with(text, "http://"))
		return "it does not begin with https:// or http://";
	host = strstr(text, "://") + 3;
	host_length = strcspn(host, "/");
	if (host_length == 0)
		return "the host is missing";
	if (memchr(host, '@', host_length))
		return "a user name has no place in it";
	if (strpbrk(text, "?#"))
		return "it holds a query or a fragment";
	/* It is copied into mails and pages. */
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"'<>\\^`{|}", *c))
			return "it holds characters that an address must have encoded";
	while (length > 0 && text[length - 1] == '/')
		length--;
	authority = copy_n(host, host_length);
	fault = make_origin(authority, *is_https, origin);
	free(authority);
	if (!fault) {
		struct buffer whole = BUFFER_INIT;

		buffer_puts(&whole, *origin);
		buffer_append(&whole, host + host_length, length - (size_t)(host + host_length - text));
		*url = buffer_take(&whole);
	}
	return fault;
}

/* The number of bytes of an address of this family. */
static int
address_bytes(int family)
{
	return family == AF_INET ? 4 : 16;
}

static bool
parse_address(const char *text, int *family, uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	*family = AF_INET;
	if (inet_pton(AF_INET, text, address) == 1)
		return true;
	*family = AF_INET6;
	if (inet_pton(AF_INET6, text, address) != 1)
		return false;
	/* How a socket for both families shows an IPv4 peer. */
	if (memcmp(address, mapped, sizeof(mapped)) == 0) {
		*family = AF_INET;
		memmove(address, address + 12, 4);
	}
	return true;
}

/* `text` is cut at its slash. */
static const char *
parse_network(char *text, struct network *network)
{
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	if (!parse_address(text, &network->family, network->address))
		return "one of the addresses is neither IPv4 nor IPv6";
	network->prefix = address_bytes(network->family) * 8;
	if (slash && value_parse_number(slash + 1, 0, network->prefix, &network->prefix))
		return "one of the prefix lengths is impossible";
	return NULL;
}

const char *
value_parse_networks(const char *text, struct network **networks, int *count)
{
	char *copy = xstrdup(text), *rest = NULL;
	const char *fault = NULL;

	for (char *word = strtok_r(copy, ", ", &rest); word && !fault; word = strtok_r(NULL, ", ", &rest)) {
		*networks = xrealloc(*networks, (size_t)(*count + 1) * sizeof(**networks));
		(*networks)[*count] = (struct network){ 0 };
		fault = parse_network(word, &(*networks)[*count]);
		++*count;
	}
	free(copy);
	return fault;
}

bool
value_network_holds(const struct network *network, const char *address)
{
	uint8_t bytes[16];
	int family;
	int whole = network->prefix / 8, rest = network->prefix % 8;

	if (!parse_address(address, &family, bytes) || family != network->family)
		return false;
	if (memcmp(bytes, network->address, (size_t)whole) != 0)
		return false;
	/* The bits of the byte in which the prefix ends. */
	return rest == 0 || (bytes[whole] ^ network->address[whole]) >> (8 - rest) == 0;
}

bool
value_network_has_host_bits(const struct network *network)
{
	for (int bit = network->prefix; bit < address_bytes(network->family) * 8; bit++) {
		if (network->address[bit / 8] & (0x80 >> bit % 8))
			return true;
	}
	return false;
}

/* The text between the first and the last character, without blanks and quotes. */
static char *
copy_display_name(const char *text, size_t length)
{
	while (length > 0 && *text == ' ')
		text++, length--;
	while (length > 0 && text[length - 1] == ' ')
		length--;
	if (length >= 2 && text[0] == '"' && text[length - 1] == '"')
		text++, length -= 2;
	return copy_n(text, length);
}

const char *
value_parse_mail_from(const char *text, char **name, char **address)
{
	const char *open = strrchr(text, '<');
	size_t length = strlen(text);

	if (!open) {
		*address = xstrdup(text);
	} else if (text[length - 1] != '>') {
		return "the closing > is missing";
	} else {
		*address = copy_n(open + 1, length - (size_t)(open - text) - 2);
		*name = copy_display_name(text, (size_t)(open - text));
	}
	if (!email_is_valid(*address))
		return "it holds no valid e-mail address";
	if (*name && **name == '\0') {
		free(*name);
		*name = NULL;
	}
	return *name && !name_is_valid(*name) ? "the name is not one" : NULL;
}

bool
value_host_is_loopback(const char *host)
{
	struct in_addr address;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

int
value_count_cores(void)
{
	cpu_set_t allowed;

	/* What a container or taskset leaves us, not what the machine has. */
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		return CPU_COUNT(&allowed);
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
