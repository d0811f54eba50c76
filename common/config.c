/*
 * config: how the variables are read.
 *
 * Reading never stops at a fault: every variable is looked at, then what they mean
 * together, and all faults are named at once. The variables are those of config_table.c;
 * they are shown by config_print.c. Texts that may hold secrets are cleansed.
 */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"
#include "config_values.h"
#include "log.h"
#include "memory.h"
#include "token.h"
#include "utf8.h"

#define FILE_LIMIT_BYTES 65536

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
