/*
 * conninfo: see conninfo.h. What the operator wrote wins over our defaults; hosts,
 * name, encoding and session settings are always ours.
 */
#include "conninfo.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "log.h"
#include "memory.h"

#define SETTINGS_MAX 64

struct conninfo {
	PQconninfoOption *options;
	struct host_list hosts;
};

struct settings {
	int count;
	const char *keywords[SETTINGS_MAX + 1];		/* closed by NULL */
	const char *values[SETTINGS_MAX + 1];
};

/* What holds unless the connection string says otherwise. A peer that has gone
 * without a word is noticed within seconds. Kerberos would block in the loop. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
	{ "keepalives_idle", "10" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "3" },
	{ "tcp_user_timeout", "10000" },
	{ "gssencmode", "disable" },
};

static const char *
given(const struct conninfo *info, const char *keyword)
{
	for (const PQconninfoOption *option = info->options; option->keyword != NULL; option++)
		if (strcmp(option->keyword, keyword) == 0)
			return option->val;
	return NULL;
}

/* The n-th of a list with commas; its last, when it has only one. */
static void
list_item(const char *list, int n, char *out, size_t size)
{
	size_t length;

	out[0] = '\0';
	if (list == NULL)
		return;
	if (strchr(list, ',') != NULL) {
		for (; n > 0 && list != NULL; n--)
			if ((list = strchr(list, ',')) != NULL)
				list++;
		if (list == NULL)
			return;
	}
	length = strcspn(list, ",");
	if (length >= size)
		die("could not read ROLLCALL_DATABASE_URL: a host or a port is too long");
	memcpy(out, list, length);
	out[length] = '\0';
}

static int
list_length(const char *list)
{
	int count = 1;

	for (const char *at = list; at != NULL && (at = strchr(at, ',')) != NULL; at++)
		count++;
	return count;
}

static void
read_hosts(struct conninfo *info)
{
	const char *names = given(info, "host"), *addresses = given(info, "hostaddr");
	const char *ports = given(info, "port");
	struct host_list *list = &info->hosts;

	if (names == NULL && addresses == NULL)
		names = getenv("PGHOST");
	if (ports == NULL)
		ports = getenv("PGPORT");
	list->count = list_length(addresses != NULL ? addresses : names);
	if (list->count > HOSTS_MAX)
		die("could not read ROLLCALL_DATABASE_URL: more than %d hosts", HOSTS_MAX);
	for (int i = 0; i < list->count; i++) {
		struct host *host = &list->hosts[i];

		list_item(names, i, host->name, sizeof(host->name));
		list_item(addresses, i, host->address, sizeof(host->address));
		list_item(ports, i, host->port, sizeof(host->port));
	}
}

struct conninfo *
conninfo_create(const char *url)
{
	struct conninfo *info = xcalloc(1, sizeof(*info));

	/* libpq's message would quote the text, password and all. */
	info->options = PQconninfoParse(url, NULL);
	if (info->options == NULL)
		die("could not read ROLLCALL_DATABASE_URL: it is no connection string");
	read_hosts(info);
	return info;
}

void
conninfo_free(struct conninfo **info)
{
	if (*info == NULL)
		return;
	PQconninfoFree((*info)->options);
	free(*info);
	*info = NULL;
}

const struct host_list *
conninfo_hosts(const struct conninfo *info)
{
	return &info->hosts;
}

bool
host_needs_lookup(const struct host *host)
{
	struct in6_addr address;

	/* A slash or an at sign begin the path of a socket. */
	return host->address[0] == '\0' && host->name[0] != '\0'
		&& host->name[0] != '/' && host->name[0] != '@'
		&& inet_pton(AF_INET, host->name, &address) != 1
		&& inet_pton(AF_INET6, host->name, &address) != 1;
}

static void
set(struct settings *settings, const char *keyword, const char *value)
{
	assert(settings->count < SETTINGS_MAX);
	settings->keywords[settings->count] = keyword;
	settings->values[settings->count++] = value;
}

/* Three lists of the same length, as libpq wants them. */
static void
write_hosts(const struct host_list *hosts, int first, struct buffer *names,
	struct buffer *addresses, struct buffer *ports)
{
	for (int i = 0; i < hosts->count; i++) {
		const struct host *host = &hosts->hosts[(first + i) % hosts->count];
		const char *separator = i > 0 ? "," : "";

		buffer_printf(names, "%s%s", separator, host->name);
		buffer_printf(addresses, "%s%s", separator, host->address);
		buffer_printf(ports, "%s%s", separator, host->port);
	}
}

PGconn *
conninfo_start(const struct conninfo *info, const struct host_list *hosts, int first,
	const char *application_name, const char *options)
{
	static const char *const ours[] = {
		"host", "hostaddr", "port", "application_name", "client_encoding", "options", "",
	};
	struct buffer names = BUFFER_INIT, addresses = BUFFER_INIT, ports = BUFFER_INIT;
	struct settings settings = { 0 };
	PGconn *connection;

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		set(&settings, defaults[i].keyword, defaults[i].value);
	/* Of several, the one that takes writes: a failover is a reconnect. */
	if (hosts->count > 1)
		set(&settings, "target_session_attrs", "read-write");
	for (const PQconninfoOption *option = info->options; option->keyword != NULL; option++) {
		const char *const *own = ours;

		while (**own != '\0' && strcmp(*own, option->keyword) != 0)
			own++;
		if (**own == '\0' && option->val != NULL)
			set(&settings, option->keyword, option->val);
	}
	write_hosts(hosts, first, &names, &addresses, &ports);
	set(&settings, "host", buffer_text(&names));
	set(&settings, "hostaddr", buffer_text(&addresses));
	set(&settings, "port", buffer_text(&ports));
	set(&settings, "application_name", application_name);
	set(&settings, "client_encoding", "UTF8");
	set(&settings, "options", options);
	connection = PQconnectStartParams(settings.keywords, settings.values, 0);
	buffer_free(&names);
	buffer_free(&addresses);
	buffer_free(&ports);
	return connection;
}
