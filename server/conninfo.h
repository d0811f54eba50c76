/*
 * conninfo: ROLLCALL_DATABASE_URL, taken apart into hosts and settings.
 *
 * libpq resolves names with a call that blocks; so names are looked up elsewhere
 * (resolver.h) and go to libpq as `hostaddr`, beside the name that certificates
 * are checked against. A name with several addresses becomes several hosts: libpq
 * tries them in turn, as it does with hosts that the operator lists.
 */
#ifndef ROLLCALL_CONNINFO_H
#define ROLLCALL_CONNINFO_H

#include <libpq-fe.h>
#include <stdbool.h>

#define HOSTS_MAX 16

struct host {
	char name[256];		/* a name, a literal address, the folder of a socket, or "" */
	char address[64];	/* "" when the name is none that must be looked up */
	char port[8];		/* "" is libpq's default */
};

struct host_list {
	int count;
	struct host hosts[HOSTS_MAX];
	const char *fault;	/* why there are none; static text */
};

struct conninfo;

/* Dies when the text is no connection string. */
struct conninfo *conninfo_create(const char *url);
void conninfo_free(struct conninfo **info);

/* As they stand in the connection string (or PGHOST, PGPORT). */
const struct host_list *conninfo_hosts(const struct conninfo *info);
/* Whether libpq would have to look the name up. */
bool host_needs_lookup(const struct host *host);

/* Begins to connect (PQconnectStartParams) to the hosts in turn, the one numbered
 * `first` at first. `options` is libpq's keyword of that name. */
PGconn *conninfo_start(const struct conninfo *info, const struct host_list *hosts, int first,
	const char *application_name, const char *options);

#endif
