/*
 * config: everything that an operator can set: ROLLCALL_* variables, one table.
 *
 * Each variable may also come from a file named by NAME_FILE (for secrets). All
 * wrong values are named at start, at once. DESIGN.md §12 lists them.
 */
#ifndef ROLLCALL_CONFIG_H
#define ROLLCALL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "log.h"
#include "password.h"

struct keyring;

struct endpoint {
	char host[256];		/* a name or a literal address without brackets */
	uint16_t port;		/* 0: off */
};

enum smtp_tls {
	SMTP_TLS_STARTTLS,	/* required and verified */
	SMTP_TLS_IMPLICIT,	/* smtps://: from the first byte, verified */
	SMTP_TLS_NONE,
};

enum smtp_transport { SMTP_LIBESMTP, SMTP_LIBCURL };

struct smtp_config {
	char host[256];
	uint16_t port;
	enum smtp_tls tls;
	enum smtp_transport transport;
	char *user, *password;	/* NULL: no AUTH; percent-decoded */
	bool xoauth2;		/* a user without a password: the token is in a file */
};

struct network {
	int family;		/* AF_INET, AF_INET6 */
	uint8_t address[16];
	int prefix;
};

struct config {
	char *database_url;
	char *migrate_database_url;	/* falls back to database_url */
	char *secret;
	struct keyring *keyring;	/* from secret */
	struct endpoint listen;
	struct endpoint metrics_listen;
	char *public_url;		/* no slash at its end */
	char *public_origin;		/* its scheme, host and port, as a browser's Origin has them */
	bool public_url_is_https;
	struct network *trusted_proxies;
	int trusted_proxy_count;
	int processes;			/* never 0: resolved to the number of cores */
	struct smtp_config smtp;
	char *smtp_ca;			/* NULL: the system's */
	char *smtp_token_file;		/* read at each connection; NULL unless smtp.xoauth2 */
	char *mail_from_name;		/* NULL: none */
	char *mail_from_address;
	char *templates;		/* NULL: built in only */
	char *bounce_maildir;		/* NULL: none */
	int senders;
	int jobs;			/* children that run imports and the like; 0: none */
	int poll_interval_s;
	struct password_cost password_cost;
	int hash_threads;		/* of the machine; never 0 */
	int hash_queue;
	int rate_limit;			/* requests a minute of an address; 0: any number */
	int rate_limit_signed_in;	/* of a user or an API key */
	int db_read, db_write, db_slow;
	enum log_level log_level;
	bool log_json;
};

/* Database connections of each of the worker's job children: its own, and one more while it applies an import. */
#define JOB_CONNECTIONS 2

enum config_program { CONFIG_SERVER, CONFIG_WORKER };

/* Reads the environment. NULL, with every fault named in the log (and on
 * stderr), when something is wrong or missing. What only the other program
 * needs is checked when given, but not demanded. */
struct config *config_load(enum config_program program);
void config_free(struct config **config);
/* Every variable, its value (secrets masked) and where it comes from. Prints
 * also when some are wrong, and says so; returns false then. */
bool config_print(enum config_program program, FILE *out);
/* Whether an address (text) is one of the trusted proxies. */
bool config_trusts(const struct config *config, const char *address);

#endif
