/*
 * config_table: the table of all variables, the only place to register one, and what each of them
 * is parsed to. What the values themselves look like is config_values.c's.
 */
#include "config_priv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_values.h"
#include "memory.h"
#include "shared_page.h"
#include "smtp_url.h"
#include "token.h"

static void *
field_of(const struct variable *variable, struct draft *draft)
{
	return (char *)draft->config + variable->field;
}

static const char *
parse_number(const struct variable *variable, const char *text, struct draft *draft)
{
	return value_parse_number(text, variable->least, variable->most, field_of(variable, draft));
}

static const char *
parse_endpoint(const struct variable *variable, const char *text, struct draft *draft)
{
	struct endpoint *endpoint = field_of(variable, draft);

	endpoint->port = 0;	/* off, where it may be empty */
	return *text ? value_parse_endpoint(text, endpoint) : NULL;
}

static const char *
parse_database_url(const struct variable *variable, const char *text, struct draft *draft)
{
	char **url = field_of(variable, draft);

	*url = xstrdup(text);
	return value_check_database_url(text);
}

static const char *
parse_secret(const struct variable *variable, const char *text, struct draft *draft)
{
	const char *fault = NULL;

	(void)variable;
	draft->config->secret = xstrdup(text);
	draft->config->keyring = keyring_create(text, &fault);
	return draft->config->keyring ? NULL : fault;
}

static const char *
parse_public_url(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	return value_parse_public_url(text, &draft->config->public_url,
		&draft->config->public_origin, &draft->config->public_url_is_https);
}

static const char *
parse_proxies(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	return value_parse_networks(text, &draft->config->trusted_proxies,
		&draft->config->trusted_proxy_count);
}

static const char *
parse_smtp_url(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	return smtp_url_parse(text, &draft->config->smtp);
}

static const char *
parse_smtp_insecure(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	return value_parse_yes_no(text, &draft->smtp_insecure);
}

/* Only the worker opens the file, and only its machine needs to have it. */
static const char *
parse_ca_file(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	draft->config->smtp_ca = xstrdup(text);
	if (draft->program == CONFIG_WORKER && access(text, R_OK) != 0)
		return "the file cannot be read";
	return NULL;
}

/* Whoever renews the token may be later than we are, so the file is looked at when it is
 * needed. */
static const char *
parse_token_file(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	draft->config->smtp_token_file = xstrdup(text);
	return NULL;
}

static const char *
parse_templates(const struct variable *variable, const char *text, struct draft *draft)
{
	struct stat info;

	(void)variable;
	draft->config->templates = xstrdup(text);
	if (draft->program == CONFIG_WORKER && (stat(text, &info) != 0 || !S_ISDIR(info.st_mode)))
		return "there is no such folder";
	return NULL;
}

static const char *
parse_bounce_maildir(const struct variable *variable, const char *text, struct draft *draft)
{
	static const char *const folders[] = { "new", "cur" };
	struct stat info;

	(void)variable;
	draft->config->bounce_maildir = xstrdup(text);
	for (size_t i = 0; draft->program == CONFIG_WORKER && i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s", text, folders[i]) >= (int)sizeof(path)
			|| stat(path, &info) != 0 || !S_ISDIR(info.st_mode) || access(path, R_OK | W_OK | X_OK) != 0)
			return "it is no Maildir that can be read and written: its folders are new and cur";
	}
	return NULL;
}

static const char *
parse_mail_from(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	return value_parse_mail_from(text, &draft->config->mail_from_name,
		&draft->config->mail_from_address);
}

static const char *
parse_password_hash(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	return password_cost_parse(text, &draft->config->password_cost)
		? NULL : "it is malformed, or its cost is out of bounds";
}

static const char *
parse_log_level(const struct variable *variable, const char *text, struct draft *draft)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
	};

	(void)variable;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(text, levels[i]) == 0) {
			draft->config->log_level = (enum log_level)i;
			return NULL;
		}
	}
	return "there is no such level";
}

static const char *
parse_log_format(const struct variable *variable, const char *text, struct draft *draft)
{
	(void)variable;
	draft->config->log_json = strcmp(text, "json") == 0;
	return draft->config->log_json || strcmp(text, "text") == 0 ? NULL : "there is no such format";
}

#define FIELD(member) offsetof(struct config, member)
#define NUMBER(member, from, to) .parse = parse_number, .field = FIELD(member), .least = (from), .most = (to)

const struct variable config_variables[] = {
	{ "ROLLCALL_DATABASE_URL", "a libpq connection string, as postgres://rollcall@db/rollcall",
		.parse = parse_database_url, .field = FIELD(database_url), .need = NEEDED, .mask = DATABASE_URL },
	{ "ROLLCALL_MIGRATE_DATABASE_URL", "a libpq connection string of the schema's owner; ROLLCALL_DATABASE_URL if not set",
		.parse = parse_database_url, .field = FIELD(migrate_database_url), .mask = DATABASE_URL },
	{ "ROLLCALL_SECRET", "base64: or hex: and at least 32 bytes; several separated by commas",
		.parse = parse_secret, .need = NEEDED, .mask = SECRET },
	{ "ROLLCALL_LISTEN", "address:port",
		.parse = parse_endpoint, .field = FIELD(listen), .fallback = "127.0.0.1:8080" },
	{ "ROLLCALL_METRICS_LISTEN", "address:port, or nothing to switch it off",
		.parse = parse_endpoint, .field = FIELD(metrics_listen), .fallback = "127.0.0.1:9090",
		.worker_fallback = "127.0.0.1:9091", .may_be_empty = true },
	{ "ROLLCALL_PUBLIC_URL", "what links in mails begin with, as https://rollcall.example.com",
		.parse = parse_public_url, .need = NEEDED },
	{ "ROLLCALL_TRUSTED_PROXIES", "addresses and networks separated by commas, as 10.0.0.0/8",
		.parse = parse_proxies },
	{ "ROLLCALL_PROCESSES", "a number from 0 (one for each core) to 60",
		NUMBER(processes, 0, PROCESSES_MAX), .fallback = "0" },
	{ "ROLLCALL_SMTP_URL", "smtp://[user:password@]host:port?tls=starttls|none or smtps://...; with &auth=xoauth2 a user without password",
		.parse = parse_smtp_url, .need = NEEDED_BY_WORKER, .mask = SMTP_URL },
	{ "ROLLCALL_SMTP_INSECURE", "yes or no", .parse = parse_smtp_insecure, .fallback = "no" },
	{ "ROLLCALL_SMTP_CA", "a file of certificates in PEM", .parse = parse_ca_file },
	{ "ROLLCALL_SMTP_TOKEN_FILE", "the file that holds the access token of auth=xoauth2", .parse = parse_token_file },
	{ "ROLLCALL_MAIL_FROM", "address or Name <address>",
		.parse = parse_mail_from, .need = NEEDED_BY_WORKER },
	{ "ROLLCALL_TEMPLATES", "a folder of mail templates", .parse = parse_templates },
	{ "ROLLCALL_BOUNCE_MAILDIR", "a Maildir that delivery reports come into", .parse = parse_bounce_maildir },
	{ "ROLLCALL_SENDERS", "a number from 1 to 32", NUMBER(senders, 1, 32), .fallback = "2" },
	{ "ROLLCALL_JOBS", "a number from 0 to 16", NUMBER(jobs, 0, 16), .fallback = "1" },
	{ "ROLLCALL_POLL_INTERVAL", "seconds, from 1 to 3600",
		NUMBER(poll_interval_s, 1, 3600), .fallback = "5" },
	{ "ROLLCALL_PASSWORD_HASH", "argon2id:m=19456,t=2,p=1 or scrypt:ln=15,r=8,p=3, at most 64 MiB",
		.parse = parse_password_hash, .fallback = "argon2id:m=19456,t=2,p=1" },
	{ "ROLLCALL_HASH_THREADS", "a number from 0 (one for each core) to 256",
		NUMBER(hash_threads, 0, 256), .fallback = "0" },
	{ "ROLLCALL_HASH_QUEUE", "a number from 1 to 4096",
		NUMBER(hash_queue, 1, HASH_PLACES_MAX), .fallback = "256" },
	{ "ROLLCALL_RATE_LIMIT", "requests a minute, from 0 (no limit) to 1000000",
		NUMBER(rate_limit, 0, 1000000), .fallback = "120" },
	{ "ROLLCALL_RATE_LIMIT_SIGNED_IN", "requests a minute, from 0 (no limit) to 1000000",
		NUMBER(rate_limit_signed_in, 0, 1000000), .fallback = "60000" },
	{ "ROLLCALL_DB_READ", "a number from 1 to 1000", NUMBER(db_read, 1, 1000), .fallback = "4" },
	{ "ROLLCALL_DB_WRITE", "a number from 1 to 1000", NUMBER(db_write, 1, 1000), .fallback = "16" },
	{ "ROLLCALL_DB_SLOW", "a number from 1 to 1000", NUMBER(db_slow, 1, 1000), .fallback = "8" },
	{ "ROLLCALL_LOG_LEVEL", "error, warn, info or debug",
		.parse = parse_log_level, .fallback = "info" },
	{ "ROLLCALL_LOG_FORMAT", "text or json", .parse = parse_log_format, .fallback = "text" },
};
const int config_variable_count = sizeof(config_variables) / sizeof(config_variables[0]);
