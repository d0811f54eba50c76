/*
 * config: the table of all variables, and how they are read.
 *
 * Reading never stops at a fault: every variable is looked at, then what they mean
 * together, and all faults are named at once. Values are parsed by config_values.c
 * and shown by config_print.c. Texts that may hold secrets are cleansed.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_priv.h"
#include "config_values.h"
#include "memory.h"
#include "shared_page.h"
#include "smtp_url.h"
#include "text.h"
#include "token.h"

#define FILE_LIMIT_BYTES 65536
#define PROCESSES_MAX 60	/* CHILDREN_MAX, less those that do not serve */

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

static void __attribute__((format(printf, 2, 3)))
set_fault(struct setting *setting, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(setting->fault, sizeof(setting->fault), format, arguments);
	va_end(arguments);
}

static bool
has_control_character(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* The file's text without the line end that editors leave. */
static void
read_file(const char *path, struct setting *setting)
{
	FILE *file = fopen(path, "re");
	char *text = xmalloc(FILE_LIMIT_BYTES + 1);
	size_t length = file ? fread(text, 1, FILE_LIMIT_BYTES + 1, file) : 0;

	if (!file || ferror(file))
		set_fault(setting, "the file cannot be read: %s", strerror(errno));
	else if (length > FILE_LIMIT_BYTES || memchr(text, '\0', length))
		set_fault(setting, "the file is too large, or not a text");
	if (file)
		fclose(file);
	if (length > 0 && text[length - 1] == '\n')
		length--;
	if (length > 0 && text[length - 1] == '\r')
		length--;
	if (setting->fault[0] == '\0') {
		text[length] = '\0';
		setting->text = xstrdup(text);
	}
	OPENSSL_cleanse(text, FILE_LIMIT_BYTES + 1);
	free(text);
}

/* Finds the text: in the environment, in a file, or the default. */
static void
find_text(const struct variable *variable, enum config_program program, struct setting *setting)
{
	const char *text = getenv(variable->name);
	char file_name[64];

	snprintf(file_name, sizeof(file_name), "%s_FILE", variable->name);
	setting->path = getenv(file_name);
	if (setting->path && *setting->path == '\0')
		setting->path = NULL;
	if (text && *text == '\0' && (!variable->may_be_empty || setting->path))
		text = NULL;

	if (text && setting->path) {
		setting->origin = ORIGIN_ENVIRONMENT;
		set_fault(setting, "both %s and %s are set", variable->name, file_name);
	} else if (setting->path) {
		setting->origin = ORIGIN_FILE;
		read_file(setting->path, setting);
	} else if (text) {
		setting->origin = ORIGIN_ENVIRONMENT;
		setting->text = xstrdup(text);
	} else {
		text = program == CONFIG_WORKER && variable->worker_fallback
			? variable->worker_fallback : variable->fallback;
		setting->origin = text ? ORIGIN_DEFAULT : ORIGIN_NONE;
		setting->text = text ? xstrdup(text) : NULL;
	}
}

static void
read_variable(const struct variable *variable, struct draft *draft, struct setting *setting)
{
	bool is_needed = variable->need == NEEDED ||
		(variable->need == NEEDED_BY_WORKER && draft->program == CONFIG_WORKER);
	const char *fault = NULL;

	find_text(variable, draft->program, setting);
	if (setting->fault[0] != '\0')
		return;
	if (!setting->text)
		fault = is_needed ? "it is missing" : NULL;
	else if (*setting->text == '\0' && !variable->may_be_empty)
		fault = "it is empty";
	else if (has_control_character(setting->text))
		fault = "it holds a control character or several lines";
	else if (!utf8_is_valid(setting->text, strlen(setting->text)))
		fault = "it is not UTF-8";
	else
		fault = variable->parse(variable, setting->text, draft);
	if (fault)
		set_fault(setting, "%s", fault);
}

static struct setting *
setting_of(const struct reading *reading, const char *name)
{
	for (int i = 0; i < config_variable_count; i++)
		if (strcmp(config_variables[i].name, name) == 0)
			return &reading->settings[i];
	return NULL;
}

static void
check_relay(const struct reading *reading, const struct draft *draft)
{
	const struct smtp_config *smtp = &draft->config->smtp;
	struct setting *setting = setting_of(reading, "ROLLCALL_SMTP_URL");
	struct setting *token = setting_of(reading, "ROLLCALL_SMTP_TOKEN_FILE");

	if (!setting->text || setting->fault[0] != '\0')
		return;
	if (smtp->tls == SMTP_TLS_NONE && !draft->smtp_insecure && !value_host_is_loopback(smtp->host))
		set_fault(setting, "tls=none is for a relay on loopback; "
			"ROLLCALL_SMTP_INSECURE=yes allows it elsewhere");
	if (smtp->xoauth2 && !token->text)
		set_fault(setting, "auth=xoauth2 needs ROLLCALL_SMTP_TOKEN_FILE");
	if (!smtp->xoauth2 && token->text && token->fault[0] == '\0')
		set_fault(token, "it is for auth=xoauth2, which ROLLCALL_SMTP_URL does not ask for");
}

/* What no variable can be blamed for alone. */
static void
check_together(const struct reading *reading, const struct draft *draft)
{
	const struct endpoint *api = &draft->config->listen, *metrics = &draft->config->metrics_listen;
	struct setting *metrics_setting = setting_of(reading, "ROLLCALL_METRICS_LISTEN");

	check_relay(reading, draft);
	if (draft->program == CONFIG_SERVER && metrics_setting->fault[0] == '\0' && metrics->port != 0 &&
	    metrics->port == api->port && strcmp(metrics->host, api->host) == 0)
		set_fault(metrics_setting, "it is the address of ROLLCALL_LISTEN");
}

static void
fill_in(struct config *config)
{
	int cores = value_count_cores();

	if (!config->migrate_database_url && config->database_url)
		config->migrate_database_url = xstrdup(config->database_url);
	if (config->processes == 0)
		config->processes = cores < PROCESSES_MAX ? cores : PROCESSES_MAX;
	if (config->hash_threads == 0)
		config->hash_threads = cores;
}

struct reading
config_read(enum config_program program)
{
	struct reading reading = {
		.config = xcalloc(1, sizeof(*reading.config)),
		.settings = xcalloc((size_t)config_variable_count, sizeof(*reading.settings)),
	};
	struct draft draft = { .config = reading.config, .program = program };

	for (int i = 0; i < config_variable_count; i++)
		read_variable(&config_variables[i], &draft, &reading.settings[i]);
	check_together(&reading, &draft);
	for (int i = 0; i < config_variable_count; i++)
		reading.fault_count += reading.settings[i].fault[0] != '\0';
	fill_in(reading.config);
	return reading;
}

static void
free_secret(char **text)
{
	if (*text)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void
config_reading_free(struct reading *reading)
{
	for (int i = 0; i < config_variable_count; i++)
		free_secret(&reading->settings[i].text);
	free(reading->settings);
	config_free(&reading->config);
}

void
config_free(struct config **config)
{
	if (!*config)
		return;
	free_secret(&(*config)->database_url);
	free_secret(&(*config)->migrate_database_url);
	free_secret(&(*config)->secret);
	free_secret(&(*config)->smtp.user);
	free_secret(&(*config)->smtp.password);
	keyring_free(&(*config)->keyring);
	free((*config)->public_url);
	free((*config)->public_origin);
	free((*config)->trusted_proxies);
	free((*config)->smtp_ca);
	free((*config)->smtp_token_file);
	free((*config)->mail_from_name);
	free((*config)->mail_from_address);
	free((*config)->templates);
	free((*config)->bounce_maildir);
	free(*config);
	*config = NULL;
}

static void
log_faults(const struct reading *reading)
{
	for (int i = 0; i < config_variable_count; i++) {
		const struct setting *setting = &reading->settings[i];
		char message[FAULT_SIZE + 64];

		if (setting->fault[0] == '\0')
			continue;
		snprintf(message, sizeof(message), "could not use %s: %s",
			config_variables[i].name, setting->fault);
		log_error(message, "expected", config_variables[i].expected,
			"file", setting->origin == ORIGIN_FILE ? setting->path : NULL, NULL);
	}
}

struct config *
config_load(enum config_program program)
{
	struct reading reading = config_read(program);
	struct config *config = NULL;

	config_warn_of_unknown();
	log_faults(&reading);
	if (reading.fault_count == 0) {
		config = reading.config;
		reading.config = NULL;
	}
	config_reading_free(&reading);
	return config;
}

bool
config_trusts(const struct config *config, const char *address)
{
	for (int i = 0; i < config->trusted_proxy_count; i++)
		if (value_network_holds(&config->trusted_proxies[i], address))
			return true;
	return false;
}
