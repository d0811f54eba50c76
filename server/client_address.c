/*
 * The client's address among what proxies wrote. Pure: no request, no memory.
 *
 * X-Forwarded-For is read from its end: the last entry was written by whoever is connected
 * to us, the one before by whoever was connected to him. So each is believed only while all
 * behind it are proxies of ours; what a client claims stands before that and is never
 * reached. Some proxies write ports behind addresses, and IPv6 in brackets.
 */
#include "client_address.h"

#include <arpa/inet.h>
#include <string.h>

#include "config.h"

/* An address with a zone, in brackets and with a port is shorter. */
#define ENTRY_MAX 80

static const char *
skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* ":" and digits, or nothing. */
static bool
is_port(const char *text)
{
	return *text == '\0' || (*text == ':' && text[1] != '\0' && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

/* Leaves the bare address: without brackets, port and zone. False where something else
 * stands around it. */
static bool
strip(char *entry)
{
	if (*entry == '[') {
		char *bracket = strchr(entry, ']');

		if (bracket == NULL || !is_port(bracket + 1))
			return false;
		*bracket = '\0';
		memmove(entry, entry + 1, strlen(entry));
	} else {
		char *colon = strchr(entry, ':');

		/* More than one: that is no port but IPv6. */
		if (colon != NULL && strchr(colon + 1, ':') == NULL) {
			if (!is_port(colon))
				return false;
			*colon = '\0';
		}
	}
	entry[strcspn(entry, "%")] = '\0';
	return true;
}

static bool
read_address(const char *text, size_t length, char address[INET6_ADDRSTRLEN])
{
	char entry[ENTRY_MAX];
	struct in6_addr binary;

	if (length >= sizeof(entry))
		return false;
	memcpy(entry, text, length);
	entry[length] = '\0';
	if (!strip(entry))
		return false;
	if (inet_pton(AF_INET, entry, &binary) == 1)
		return inet_ntop(AF_INET, &binary, address, INET6_ADDRSTRLEN) != NULL;
	if (inet_pton(AF_INET6, entry, &binary) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&binary))
		return inet_ntop(AF_INET, &binary.s6_addr[12], address, INET6_ADDRSTRLEN) != NULL;
	return inet_ntop(AF_INET6, &binary, address, INET6_ADDRSTRLEN) != NULL;
}

/* The last entry before `end`, which moves to where it begins. */
static bool
read_last_entry(const char *list, const char **end, char address[INET6_ADDRSTRLEN])
{
	const char *begin = *end, *last = *end;

	while (begin > list && begin[-1] != ',')
		begin--;
	*end = begin;
	begin = skip_blanks(begin);
	while (last > begin && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	return begin < last && read_address(begin, (size_t)(last - begin), address);
}

void
client_address_find(const struct config *config, const char *peer, const char *forwarded,
	char address[INET6_ADDRSTRLEN])
{
	char entry[INET6_ADDRSTRLEN];

	/* Never so, but what cannot be read must not reach the database. */
	if (!read_address(peer, strlen(peer), address))
		strcpy(address, "::");
	if (forwarded == NULL)
		return;
	const char *end = forwarded + strlen(forwarded);
	while (config_trusts(config, address) && read_last_entry(forwarded, &end, entry)) {
		strcpy(address, entry);
		if (end == forwarded)
			return;
		end--;	/* the comma */
	}
}

int
client_address_network(const char *address, uint8_t network[CLIENT_NETWORK_MAX])
{
	uint8_t binary[sizeof(struct in6_addr)] = { 0 };
	int length = inet_pton(AF_INET, address, binary) == 1 ? 4 : CLIENT_NETWORK_MAX;

	if (length == CLIENT_NETWORK_MAX)
		(void)inet_pton(AF_INET6, address, binary);
	memcpy(network, binary, (size_t)length);
	return length;
}
