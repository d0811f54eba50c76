/* config: every variable, its faults all at once, its origin, and no secret in print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECRET_HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* What a program wrote to a descriptor while a function ran. */
static char captured[32768];

static void
set(const char *name, const char *value)
{
	assert_int_equal(setenv(name, value, 1), 0);
}

/* The least with which both programs start. */
/* Ours alone: what else is there is the test runner's. */
static void
forget_settings(void)
{
	for (char **entry = environ; *entry != NULL;) {
		char name[128];

		if (strncmp(*entry, "ROLLCALL_", 9) != 0) {
			entry++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*entry, "="), *entry);
		unsetenv(name);
	}
}

static int
set_up(void **state)
{
	(void)state;
	forget_settings();
	set("ROLLCALL_DATABASE_URL", "postgres://rollcall:s3same@db.example.com:5433/rollcall");
	set("ROLLCALL_SECRET", SECRET_HEX);
	set("ROLLCALL_PUBLIC_URL", "https://rollcall.example.com/");
	set("ROLLCALL_SMTP_URL", "smtp://127.0.0.1:2525?tls=none");
	set("ROLLCALL_MAIL_FROM", "Команда <no-reply@example.com>");
	return 0;
}

/* Loads with standard error going into `captured`. */
static struct config *
load(enum config_program program)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	struct config *config;
	size_t length;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	config = config_load(program);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	length = fread(captured, 1, sizeof(captured) - 1, file);
	captured[length] = '\0';
	fclose(file);
	return config;
}

static bool
print(enum config_program program)
{
	FILE *file = tmpfile();
	bool ok;
	size_t length;

	assert_non_null(file);
	ok = config_print(program, file);
	rewind(file);
	length = fread(captured, 1, sizeof(captured) - 1, file);
	captured[length] = '\0';
	fclose(file);
	return ok;
}

static void
assert_captured(const char *expected)
{
	if (!strstr(captured, expected))
		fail_msg("not found: %s\nin:\n%s", expected, captured);
}

static void
write_file(const char *path, const char *bytes, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

static void
defaults_are_those_of_the_documentation(void **state)
{
	struct config *server = load(CONFIG_SERVER), *worker = load(CONFIG_WORKER);

	(void)state;
	assert_non_null(server);
	assert_non_null(worker);
	assert_string_equal(captured, "");
	assert_string_equal(server->listen.host, "127.0.0.1");
	assert_int_equal(server->listen.port, 8080);
	assert_int_equal(server->metrics_listen.port, 9090);
	assert_int_equal(worker->metrics_listen.port, 9091);
	assert_string_equal(server->migrate_database_url, server->database_url);
	assert_string_equal(server->public_url, "https://rollcall.example.com");
	assert_true(server->public_url_is_https);
	assert_non_null(server->keyring);
	assert_true(server->processes >= 1 && server->hash_threads >= 1);
	assert_int_equal(server->hash_queue, 256);
	assert_int_equal(server->rate_limit, 120);
	assert_int_equal(server->rate_limit_signed_in, 60000);
	assert_int_equal(server->db_read, 4);
	assert_int_equal(server->db_write, 16);
	assert_int_equal(server->db_slow, 8);
	assert_int_equal(worker->senders, 2);
	assert_int_equal(worker->poll_interval_s, 5);
	assert_int_equal(server->password_cost.scheme, SCHEME_ARGON2ID);
	assert_int_equal(server->password_cost.memory_kib, 19456);
	assert_int_equal(server->log_level, LOG_LEVEL_INFO);
	assert_false(server->log_json);
	assert_null(server->smtp_ca);
	assert_null(server->templates);
	assert_int_equal(server->trusted_proxy_count, 0);
	assert_string_equal(worker->mail_from_name, "Команда");
	assert_string_equal(worker->mail_from_address, "no-reply@example.com");
	config_free(&server);
	config_free(&worker);
	assert_null(server);
	config_free(&server);
}

static void
the_url_chooses_the_transport(void **state)
{
	static const struct {
		const char *url;
		enum smtp_tls tls;
		enum smtp_transport transport;
		int port;
	} cases[] = {
		{ "smtps://u:p@h", SMTP_TLS_IMPLICIT, SMTP_LIBCURL, 465 },
		{ "smtps://h/?transport=libcurl", SMTP_TLS_IMPLICIT, SMTP_LIBCURL, 465 },
		{ "smtp://u:p@h:25?transport=libcurl&tls=starttls", SMTP_TLS_STARTTLS, SMTP_LIBCURL, 25 },
		{ "smtp://u:p@h?transport=libesmtp", SMTP_TLS_STARTTLS, SMTP_LIBESMTP, 587 },
		{ "smtp://127.0.0.1?tls=none&transport=libcurl", SMTP_TLS_NONE, SMTP_LIBCURL, 25 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config;

		set("ROLLCALL_SMTP_URL", cases[i].url);
		config = load(CONFIG_WORKER);
		assert_non_null(config);
		assert_int_equal(config->smtp.tls, cases[i].tls);
		assert_int_equal(config->smtp.transport, cases[i].transport);
		assert_int_equal(config->smtp.port, cases[i].port);
		config_free(&config);
	}
}

/* Its name ends like that of a variable that stands in a file. */
static void
a_token_file_need_not_be_there_yet(void **state)
{
	struct config *config;

	(void)state;
	set("ROLLCALL_SMTP_URL", "smtp://mail%40x@h?auth=xoauth2");
	set("ROLLCALL_SMTP_TOKEN_FILE", "/nonexistent/token");
	config = load(CONFIG_WORKER);
	assert_string_equal(captured, "");
	assert_non_null(config);
	assert_true(config->smtp.xoauth2);
	assert_string_equal(config->smtp.user, "mail@x");
	assert_null(config->smtp.password);
	assert_string_equal(config->smtp_token_file, "/nonexistent/token");
	assert_int_equal(config->smtp.transport, SMTP_LIBCURL);
	config_free(&config);
}

static void
every_variable_reaches_its_field(void **state)
{
	struct config *config;

	(void)state;
	set("ROLLCALL_MIGRATE_DATABASE_URL", "host=a,b dbname=rollcall user=owner");
	set("ROLLCALL_LISTEN", "[::1]:8081");
	set("ROLLCALL_METRICS_LISTEN", "");
	set("ROLLCALL_PUBLIC_URL", "http://localhost:8080/rollcall//");
	set("ROLLCALL_PROCESSES", "3");
	set("ROLLCALL_SMTP_URL", "smtp://user%40x:p%3Aa%2Fss@mail.example.com?tls=starttls");
	set("ROLLCALL_SMTP_CA", "/dev/null");
	set("ROLLCALL_MAIL_FROM", "a@b.example");
	set("ROLLCALL_TEMPLATES", "/tmp");
	set("ROLLCALL_SENDERS", "7");
	set("ROLLCALL_JOBS", "3");
	set("ROLLCALL_POLL_INTERVAL", "60");
	set("ROLLCALL_PASSWORD_HASH", "scrypt:ln=14,p=5");
	set("ROLLCALL_HASH_THREADS", "2");
	set("ROLLCALL_HASH_QUEUE", "4096");
	set("ROLLCALL_RATE_LIMIT", "0");
	set("ROLLCALL_RATE_LIMIT_SIGNED_IN", "17");
	set("ROLLCALL_DB_READ", "1");
	set("ROLLCALL_DB_WRITE", "2");
	set("ROLLCALL_DB_SLOW", "3");
	set("ROLLCALL_LOG_LEVEL", "debug");
	set("ROLLCALL_LOG_FORMAT", "json");
	config = load(CONFIG_WORKER);
	assert_string_equal(captured, "");
	assert_non_null(config);
	assert_string_equal(config->migrate_database_url, "host=a,b dbname=rollcall user=owner");
	assert_string_equal(config->listen.host, "::1");
	assert_int_equal(config->listen.port, 8081);
	assert_int_equal(config->metrics_listen.port, 0);
	assert_string_equal(config->public_url, "http://localhost:8080/rollcall");
	assert_false(config->public_url_is_https);
	assert_int_equal(config->processes, 3);
	assert_string_equal(config->smtp.host, "mail.example.com");
	assert_int_equal(config->smtp.port, 587);
	assert_int_equal(config->smtp.tls, SMTP_TLS_STARTTLS);
	assert_int_equal(config->smtp.transport, SMTP_LIBESMTP);
	assert_string_equal(config->smtp.user, "user@x");
	assert_string_equal(config->smtp.password, "p:a/ss");
	assert_string_equal(config->smtp_ca, "/dev/null");
	assert_null(config->mail_from_name);
	assert_string_equal(config->templates, "/tmp");
	assert_int_equal(config->senders, 7);
	assert_int_equal(config->jobs, 3);
	assert_int_equal(config->poll_interval_s, 60);
	assert_int_equal(config->password_cost.log2_n, 14);
	assert_int_equal(config->hash_threads, 2);
	assert_int_equal(config->hash_queue, 4096);
	assert_int_equal(config->rate_limit, 0);
	assert_int_equal(config->rate_limit_signed_in, 17);
	assert_int_equal(config->db_read + config->db_write * 10 + config->db_slow * 100, 321);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_true(config->log_json);
	config_free(&config);
}

/* One wrong value each; the sentence must be found beside the variable's name. */
static const struct {
	const char *name, *value, *sentence;
} faults[] = {
	{ "ROLLCALL_DATABASE_URL", "host", "libpq does not understand it" },
	{ "ROLLCALL_DATABASE_URL", "postgres://h/?nonsense=1", "libpq does not understand it" },
	{ "ROLLCALL_DATABASE_URL", "", "it is missing" },
	{ "ROLLCALL_MIGRATE_DATABASE_URL", "host='x", "libpq does not understand it" },
	{ "ROLLCALL_SECRET", "short", "" },
	{ "ROLLCALL_SECRET", "hex:00", "" },
	{ "ROLLCALL_LISTEN", "8080", "the port is missing" },
	{ "ROLLCALL_LISTEN", ":8080", "the address is missing" },
	{ "ROLLCALL_LISTEN", "localhost:", "the port is not a number" },
	{ "ROLLCALL_LISTEN", "localhost:0", "the port is not a number" },
	{ "ROLLCALL_LISTEN", "localhost:65536", "the port is not a number" },
	{ "ROLLCALL_LISTEN", "local host:80", "characters that no host name has" },
	{ "ROLLCALL_LISTEN", "::1:80", "stands in brackets" },
	{ "ROLLCALL_LISTEN", "[::1]", "the port is missing" },
	{ "ROLLCALL_LISTEN", "[::1:80", "closing bracket" },
	{ "ROLLCALL_LISTEN", "[127.0.0.1]:80", "not an IPv6 address" },
	{ "ROLLCALL_METRICS_LISTEN", "x", "the port is missing" },
	{ "ROLLCALL_PUBLIC_URL", "rollcall.example.com", "it does not begin with" },
	{ "ROLLCALL_PUBLIC_URL", "ftp://x", "it does not begin with" },
	{ "ROLLCALL_PUBLIC_URL", "https://", "the host is missing" },
	{ "ROLLCALL_PUBLIC_URL", "https:///x", "the host is missing" },
	{ "ROLLCALL_PUBLIC_URL", "https://a@b", "a user name" },
	{ "ROLLCALL_PUBLIC_URL", "https://x:", "the port is not a number" },
	{ "ROLLCALL_PUBLIC_URL", "https://x:0", "the port is not a number" },
	{ "ROLLCALL_PUBLIC_URL", "https://x:65536/y", "the port is not a number" },
	{ "ROLLCALL_PUBLIC_URL", "https://x:80:80", "the port is not a number" },
	{ "ROLLCALL_PUBLIC_URL", "https://:443", "the address is missing" },
	{ "ROLLCALL_PUBLIC_URL", "https://x..y", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://.x", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://x.", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://-x.example", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://x-.example", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://1.2.3", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://256.0.0.1", "no host of this name" },
	{ "ROLLCALL_PUBLIC_URL", "https://x%20y", "characters that no host name has" },
	{ "ROLLCALL_PUBLIC_URL", "https://x*y", "characters that no host name has" },
	{ "ROLLCALL_PUBLIC_URL", "https://[::1", "closing bracket" },
	{ "ROLLCALL_PUBLIC_URL", "https://[::1]x", "closing bracket" },
	{ "ROLLCALL_PUBLIC_URL", "https://[::g]", "not an IPv6 address" },
	{ "ROLLCALL_PUBLIC_URL", "https://[::1]:x", "the port is not a number" },
	{ "ROLLCALL_PUBLIC_URL", "https://x/?a", "a query or a fragment" },
	{ "ROLLCALL_PUBLIC_URL", "https://x/#a", "a query or a fragment" },
	{ "ROLLCALL_PUBLIC_URL", "https://x/\"y", "encoded" },
	{ "ROLLCALL_PUBLIC_URL", "https://приклад.укр", "encoded" },
	{ "ROLLCALL_TRUSTED_PROXIES", "10.0.0.0/33", "prefix" },
	{ "ROLLCALL_TRUSTED_PROXIES", "10.0.0.0/", "prefix" },
	{ "ROLLCALL_TRUSTED_PROXIES", "10.0.0.1, nginx", "neither IPv4 nor IPv6" },
	{ "ROLLCALL_PROCESSES", "61", "too large" },
	{ "ROLLCALL_PROCESSES", "-1", "not a whole number" },
	{ "ROLLCALL_PROCESSES", "99999999999999999999", "too large" },
	{ "ROLLCALL_SMTP_URL", "mail.example.com:25", "it begins with neither smtp:// nor smtps://" },
	{ "ROLLCALL_SMTP_URL", "smtps://h?tls=starttls", "takes no option tls" },
	{ "ROLLCALL_SMTP_URL", "smtps://h?transport=libesmtp", "knows neither smtps:// nor xoauth2" },
	{ "ROLLCALL_SMTP_URL", "smtp://u@h?auth=xoauth2&transport=libesmtp", "knows neither smtps:// nor xoauth2" },
	{ "ROLLCALL_SMTP_URL", "smtp://h?transport=sendmail", "libesmtp or libcurl" },
	{ "ROLLCALL_SMTP_URL", "smtps://h?auth=xoauth2", "needs the user" },
	{ "ROLLCALL_SMTP_URL", "smtps://u:p@h?auth=xoauth2", "a user and no password" },
	{ "ROLLCALL_SMTP_URL", "smtps://@h?auth=xoauth2", "a user and no password" },
	{ "ROLLCALL_SMTP_URL", "smtps://u%0a@h?auth=xoauth2", "percent-encoded" },
	{ "ROLLCALL_SMTP_URL", "smtps://u@h?auth=xoauth2", "needs ROLLCALL_SMTP_TOKEN_FILE" },
	{ "ROLLCALL_SMTP_URL", "smtp://u@127.0.0.1?tls=none&auth=xoauth2", "sent in clear" },
	{ "ROLLCALL_SMTP_URL", "smtp://u:p@h?auth=plain", "the option auth is xoauth2" },
	{ "ROLLCALL_SMTP_URL", "smtp://h?tls=none&tls=starttls", "twice" },
	{ "ROLLCALL_SMTP_URL", "smtp://h?tls", "the only options" },
	{ "ROLLCALL_SMTP_URL", "smtp://h/inbox", "behind the host stand only options" },
	{ "ROLLCALL_SMTP_TOKEN_FILE", "/run/token", "which ROLLCALL_SMTP_URL does not ask for" },
	{ "ROLLCALL_SMTP_URL", "smtp://", "the address is missing" },
	{ "ROLLCALL_SMTP_URL", "smtp://h:x", "the port is not a number" },
	{ "ROLLCALL_SMTP_URL", "smtp://u@h", "a user needs a password" },
	{ "ROLLCALL_SMTP_URL", "smtp://:p@h", "a user needs a password" },
	{ "ROLLCALL_SMTP_URL", "smtp://u:%@h", "percent-encoded" },
	{ "ROLLCALL_SMTP_URL", "smtp://u:a%0d%0aQUIT@h", "percent-encoded" },
	{ "ROLLCALL_SMTP_URL", "smtp://u:%00@h", "percent-encoded" },
	{ "ROLLCALL_SMTP_URL", "smtp://h?tls=maybe", "starttls or none" },
	{ "ROLLCALL_SMTP_URL", "smtp://h?tls=starttls&x=1", "the only options are tls, auth and transport" },
	{ "ROLLCALL_SMTP_URL", "smtp://[::1]:25?tls=none", "give the relay a name" },
	{ "ROLLCALL_SMTP_URL", "smtp://u:p@127.0.0.1:25?tls=none", "sent in clear" },
	{ "ROLLCALL_SMTP_URL", "smtp://mail.example.com:25?tls=none", "loopback" },
	{ "ROLLCALL_SMTP_URL", "smtp://128.0.0.1:25?tls=none", "loopback" },
	{ "ROLLCALL_SMTP_URL", "smtp://127.example.com:25?tls=none", "loopback" },
	{ "ROLLCALL_SMTP_INSECURE", "true", "neither yes nor no" },
	{ "ROLLCALL_SMTP_CA", "/nonexistent/ca.pem", "cannot be read" },
	{ "ROLLCALL_TEMPLATES", "/dev/null", "no such folder" },
	{ "ROLLCALL_BOUNCE_MAILDIR", "/nonexistent", "no Maildir" },
	{ "ROLLCALL_BOUNCE_MAILDIR", "/tmp", "no Maildir" },
	{ "ROLLCALL_MAIL_FROM", "nobody", "no valid e-mail address" },
	{ "ROLLCALL_MAIL_FROM", "X <a@b.example", "closing >" },
	{ "ROLLCALL_MAIL_FROM", "X <>", "no valid e-mail address" },
	{ "ROLLCALL_MAIL_FROM", "X <a@b.example>\r\nBcc: e@f.example", "control character" },
	{ "ROLLCALL_MAIL_FROM", "\xff <a@b.example>", "not UTF-8" },
	{ "ROLLCALL_SENDERS", "0", "too small" },
	{ "ROLLCALL_SENDERS", "2x", "not a whole number" },
	{ "ROLLCALL_JOBS", "17", "too large" },
	{ "ROLLCALL_POLL_INTERVAL", "0", "too small" },
	{ "ROLLCALL_PASSWORD_HASH", "md5", "malformed" },
	{ "ROLLCALL_PASSWORD_HASH", "argon2id:m=1000000", "out of bounds" },
	{ "ROLLCALL_HASH_THREADS", "1000", "too large" },
	{ "ROLLCALL_HASH_QUEUE", "0", "too small" },
	{ "ROLLCALL_HASH_QUEUE", "4097", "too large" },
	{ "ROLLCALL_RATE_LIMIT", "1000001", "too large" },
	{ "ROLLCALL_RATE_LIMIT_SIGNED_IN", "-1", "not a whole number" },
	{ "ROLLCALL_DB_READ", "0", "too small" },
	{ "ROLLCALL_LOG_LEVEL", "loud", "no such level" },
	{ "ROLLCALL_LOG_FORMAT", "xml", "no such format" },
};

/* Browsers leave a scheme's own port out of an Origin, and write it small. */
static void
the_public_address_is_written_as_browsers_write_it(void **state)
{
	static const struct {
		const char *value, *origin, *url;
	} cases[] = {
		{ "https://x.example", "https://x.example", "https://x.example" },
		{ "https://x.example:443", "https://x.example", "https://x.example" },
		{ "http://x.example:80/", "http://x.example", "http://x.example" },
		{ "https://x.example:80", "https://x.example:80", "https://x.example:80" },
		{ "http://x.example:443", "http://x.example:443", "http://x.example:443" },
		{ "https://x.example:00443/y", "https://x.example", "https://x.example/y" },
		{ "https://X.Example:8443/Y//", "https://x.example:8443", "https://x.example:8443/Y" },
		{ "http://my_host", "http://my_host", "http://my_host" },
		{ "http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080", "http://127.0.0.1:8080/a/b" },
		{ "http://[::1]", "http://[::1]", "http://[::1]" },
		{ "http://[0:0::1]:80/x", "http://[::1]", "http://[::1]/x" },
		{ "https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config;

		set_up(state);
		set("ROLLCALL_PUBLIC_URL", cases[i].value);
		config = load(CONFIG_SERVER);
		assert_non_null(config);
		assert_string_equal(config->public_origin, cases[i].origin);
		assert_string_equal(config->public_url, cases[i].url);
		config_free(&config);
	}
}

static void
each_wrong_value_is_refused_with_a_reason(void **state)
{
	for (size_t i = 0; i < COUNT(faults); i++) {
		char expected[256];

		set_up(state);
		set(faults[i].name, faults[i].value);
		if (load(CONFIG_WORKER))
			fail_msg("accepted: %s=%s", faults[i].name, faults[i].value);
		snprintf(expected, sizeof(expected), "could not use %s: ", faults[i].name);
		assert_captured(expected);
		assert_captured(faults[i].sentence);
		assert_captured("expected=");
		/* One fault, one line. */
		assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
	}
}

static void
all_faults_are_named_at_once(void **state)
{
	(void)state;
	forget_settings();
	set("ROLLCALL_LISTEN", "x");
	set("ROLLCALL_SENDERS", "none");
	assert_null(load(CONFIG_WORKER));
	assert_captured("ROLLCALL_DATABASE_URL: it is missing");
	assert_captured("ROLLCALL_SECRET: it is missing");
	assert_captured("ROLLCALL_PUBLIC_URL: it is missing");
	assert_captured("ROLLCALL_SMTP_URL: it is missing");
	assert_captured("ROLLCALL_MAIL_FROM: it is missing");
	assert_captured("ROLLCALL_LISTEN: the port is missing");
	assert_captured("ROLLCALL_SENDERS: it is not a whole number");
}

static void
the_server_does_without_what_only_the_worker_needs(void **state)
{
	struct config *config;

	(void)state;
	unsetenv("ROLLCALL_SMTP_URL");
	unsetenv("ROLLCALL_MAIL_FROM");
	set("ROLLCALL_SMTP_CA", "/only/on/the/workers/machine.pem");
	config = load(CONFIG_SERVER);
	assert_non_null(config);
	config_free(&config);
	/* But what is given must be right. */
	set("ROLLCALL_SMTP_URL", "http://x");
	assert_null(load(CONFIG_SERVER));
}

static void
no_fault_ever_quotes_a_secret(void **state)
{
	(void)state;
	set("ROLLCALL_DATABASE_URL", "postgres://u:hushhush@h:port/");
	set("ROLLCALL_SECRET", "hushhush");
	set("ROLLCALL_SMTP_URL", "smtp://u:hushhush@h:port");
	assert_null(load(CONFIG_WORKER));
	assert_null(strstr(captured, "hushhush"));
	assert_false(print(CONFIG_WORKER));
	assert_null(strstr(captured, "hushhush"));
}

static void
values_come_from_files_too(void **state)
{
	static const struct {
		const char *text, *expected;	/* NULL: refused */
	} cases[] = {
		{ "host=db", "host=db" }, { "host=db\n", "host=db" }, { "host=db\r\n", "host=db" },
		{ "host=db\n\n", NULL }, { "", NULL }, { "\n", NULL },
	};
	char path[] = "/tmp/rollcall-test-XXXXXX";
	struct config *config;

	(void)state;
	close(mkstemp(path));
	unsetenv("ROLLCALL_DATABASE_URL");
	set("ROLLCALL_DATABASE_URL_FILE", path);
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file(path, cases[i].text, strlen(cases[i].text));
		config = load(CONFIG_SERVER);
		if (cases[i].expected)
			assert_string_equal(config->database_url, cases[i].expected);
		else
			assert_null(config);
		config_free(&config);
	}

	write_file(path, "host=db\0x", 9);
	assert_null(load(CONFIG_SERVER));
	assert_captured("not a text");

	/* An empty variable is as none, as compose files leave it. */
	write_file(path, "host=db\n", 8);
	set("ROLLCALL_DATABASE_URL", "");
	config = load(CONFIG_SERVER);
	assert_non_null(config);
	config_free(&config);

	set("ROLLCALL_DATABASE_URL", "host=other");
	assert_null(load(CONFIG_SERVER));
	assert_captured("both ROLLCALL_DATABASE_URL and ROLLCALL_DATABASE_URL_FILE are set");

	unsetenv("ROLLCALL_DATABASE_URL");
	unlink(path);
	assert_null(load(CONFIG_SERVER));
	assert_captured("the file cannot be read: No such file or directory");
	assert_captured(path);
	set("ROLLCALL_DATABASE_URL_FILE", "/tmp");
	assert_null(load(CONFIG_SERVER));
	assert_captured("the file cannot be read: Is a directory");
}

static void
unknown_variables_are_a_warning_with_a_guess(void **state)
{
	struct config *config;

	(void)state;
	set("ROLLCALL_LISTN", "x");
	set("ROLLCALL_SMTP_PASSWORD_IN_SOME_FILE", "x");
	set("ROLLCALL_SECRETS_FILE", "x");
	set("ROLL", "x");
	config = load(CONFIG_SERVER);
	assert_non_null(config);
	assert_captured("unknown variable ROLLCALL_LISTN did_you_mean=ROLLCALL_LISTEN\n");
	assert_captured("unknown variable ROLLCALL_SMTP_PASSWORD_IN_SOME_FILE\n");
	assert_captured("unknown variable ROLLCALL_SECRETS_FILE did_you_mean=ROLLCALL_SECRET\n");
	config_free(&config);
}

static void
plain_smtp_leaves_loopback_only_when_that_is_asked_for(void **state)
{
	static const char *const hosts[] = { "localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10" };
	struct config *config;
	char url[64];

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		snprintf(url, sizeof(url), "smtp://%s/?tls=none", hosts[i]);
		set("ROLLCALL_SMTP_URL", url);
		config = load(CONFIG_WORKER);
		assert_non_null(config);
		assert_int_equal(config->smtp.port, 25);
		config_free(&config);
	}
	set("ROLLCALL_SMTP_URL", "smtp://relay:25?tls=none");
	set("ROLLCALL_SMTP_INSECURE", "yes");
	config = load(CONFIG_WORKER);
	assert_non_null(config);
	config_free(&config);
	/* A password never. */
	set("ROLLCALL_SMTP_URL", "smtp://u:p@relay:25?tls=none");
	assert_null(load(CONFIG_WORKER));
}

static void
senders_have_names_in_any_script(void **state)
{
	static const struct {
		const char *text, *name, *address;
	} cases[] = {
		{ "a@b.example", NULL, "a@b.example" },
		{ "<a@b.example>", NULL, "a@b.example" },
		{ "Rollcall <a@b.example>", "Rollcall", "a@b.example" },
		{ "\"Rollcall, Inc.\" <a@b.example>", "Rollcall, Inc.", "a@b.example" },
		{ "  Команда  <a@b.example>", "Команда", "a@b.example" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config;

		set("ROLLCALL_MAIL_FROM", cases[i].text);
		config = load(CONFIG_WORKER);
		assert_non_null(config);
		assert_string_equal(config->mail_from_address, cases[i].address);
		if (cases[i].name)
			assert_string_equal(config->mail_from_name, cases[i].name);
		else
			assert_null(config->mail_from_name);
		config_free(&config);
	}
}

static void
proxies_are_trusted_by_network(void **state)
{
	static const struct {
		const char *address;
		bool trusted;
	} cases[] = {
		{ "10.1.2.3", true }, { "11.1.2.3", false }, { "192.168.1.127", true },
		{ "192.168.1.128", false }, { "::1", true }, { "::2", false }, { "fd00:1::9", true },
		{ "fd01::9", false }, { "::ffff:10.1.2.3", true }, { "::ffff:11.1.2.3", false },
		{ "203.0.113.5", true }, { "203.0.113.4", false }, { "", false }, { "10.1.2", false },
		{ "unix", false },
	};
	struct config *config;

	(void)state;
	set("ROLLCALL_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.99/25,::1 fd00::/16,203.0.113.5");
	config = load(CONFIG_SERVER);
	assert_non_null(config);
	assert_int_equal(config->trusted_proxy_count, 5);
	for (size_t i = 0; i < COUNT(cases); i++)
		if (config_trusts(config, cases[i].address) != cases[i].trusted)
			fail_msg("wrong about %s", cases[i].address);
	config_free(&config);

	set("ROLLCALL_TRUSTED_PROXIES", "0.0.0.0/0");
	config = load(CONFIG_SERVER);
	assert_true(config_trusts(config, "198.51.100.1"));
	assert_false(config_trusts(config, "::1"));
	config_free(&config);
}

static void
printing_shows_values_and_origins(void **state)
{
	char path[] = "/tmp/rollcall-test-XXXXXX", expected[128];
	int lines = 0;

	(void)state;
	close(mkstemp(path));
	write_file(path, "info\n", 5);
	set("ROLLCALL_LOG_LEVEL_FILE", path);
	set("ROLLCALL_SENDERS", "many");
	set("ROLLCALL_METRICS_LISTEN", "");
	assert_false(print(CONFIG_SERVER));
	assert_captured("ROLLCALL_LISTEN=127.0.0.1:8080  # default\n");
	assert_captured("ROLLCALL_METRICS_LISTEN=  # environment\n");
	assert_captured("ROLLCALL_PUBLIC_URL=https://rollcall.example.com/  # environment\n");
	assert_captured("ROLLCALL_SECRET=****  # environment\n");
	assert_captured("ROLLCALL_SMTP_CA=  # default\n");
	assert_captured("ROLLCALL_SENDERS=many  # environment; WRONG: it is not a whole number");
	snprintf(expected, sizeof(expected), "ROLLCALL_LOG_LEVEL=info  # file %s\n", path);
	assert_captured(expected);
	for (const char *c = captured; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 28);
	unlink(path);

	set("ROLLCALL_SENDERS", "3");
	unsetenv("ROLLCALL_LOG_LEVEL_FILE");
	assert_true(print(CONFIG_WORKER));
	assert_null(strstr(captured, "WRONG"));
	unsetenv("ROLLCALL_SECRET");
	assert_false(print(CONFIG_SERVER));
	assert_captured("ROLLCALL_SECRET=  # default; WRONG: it is missing");
}

static void
passwords_are_masked_in_every_form(void **state)
{
	static const struct {
		const char *name, *value, *shown;
	} cases[] = {
		{ "ROLLCALL_DATABASE_URL", "postgres://rollcall:s3same@db:5433,db2/rollcall?sslmode=require",
		  "postgres://rollcall:****@db:5433,db2/rollcall?sslmode=require" },
		{ "ROLLCALL_DATABASE_URL", "postgresql://u:s3same:s3same@/x", "postgresql://u:****@/x" },
		{ "ROLLCALL_DATABASE_URL", "postgres://u@db/x", "postgres://u@db/x" },
		{ "ROLLCALL_DATABASE_URL", "postgres://db:5432/x?user=u&password=s3same&sslpassword=s3same",
		  "postgres://db:5432/x?user=u&password=****&sslpassword=****" },
		{ "ROLLCALL_DATABASE_URL", "postgres://db/x?pass%77ord=s3same", "****" },
		{ "ROLLCALL_DATABASE_URL", "host=db password=s3same user=u", "host=db password=**** user=u" },
		{ "ROLLCALL_DATABASE_URL", "password = 's3same it\\'s s3same' host=db",
		  "password = **** host=db" },
		{ "ROLLCALL_DATABASE_URL", "host=db password=s3same\\ s3same", "host=db password=****" },
		{ "ROLLCALL_DATABASE_URL", "host=db user='x password=y'", "host=db user='x password=y'" },
		{ "ROLLCALL_MIGRATE_DATABASE_URL", "host=db password=s3same", "host=db password=****" },
		{ "ROLLCALL_SMTP_URL", "smtp://u:s3same@mail.example.com:587?tls=starttls",
		  "smtp://u:****@mail.example.com:587?tls=starttls" },
		{ "ROLLCALL_SMTP_URL", "smtp://u:s3same@s3same@h", "smtp://u:****@h" },
		{ "ROLLCALL_SMTP_URL", "smtp://127.0.0.1:25?tls=none", "smtp://127.0.0.1:25?tls=none" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char expected[256];

		set_up(state);
		set(cases[i].name, cases[i].value);
		assert_true(print(CONFIG_WORKER));
		snprintf(expected, sizeof(expected), "%s=%s  # environment\n", cases[i].name, cases[i].shown);
		assert_captured(expected);
		assert_null(strstr(captured, "s3same"));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults_are_those_of_the_documentation, set_up),
		cmocka_unit_test_setup(every_variable_reaches_its_field, set_up),
		cmocka_unit_test_setup(the_public_address_is_written_as_browsers_write_it, set_up),
		cmocka_unit_test_setup(each_wrong_value_is_refused_with_a_reason, set_up),
		cmocka_unit_test_setup(all_faults_are_named_at_once, set_up),
		cmocka_unit_test_setup(the_server_does_without_what_only_the_worker_needs, set_up),
		cmocka_unit_test_setup(no_fault_ever_quotes_a_secret, set_up),
		cmocka_unit_test_setup(values_come_from_files_too, set_up),
		cmocka_unit_test_setup(unknown_variables_are_a_warning_with_a_guess, set_up),
		cmocka_unit_test_setup(plain_smtp_leaves_loopback_only_when_that_is_asked_for, set_up),
		cmocka_unit_test_setup(the_url_chooses_the_transport, set_up),
		cmocka_unit_test_setup(a_token_file_need_not_be_there_yet, set_up),
		cmocka_unit_test_setup(senders_have_names_in_any_script, set_up),
		cmocka_unit_test_setup(proxies_are_trusted_by_network, set_up),
		cmocka_unit_test_setup(printing_shows_values_and_origins, set_up),
		cmocka_unit_test_setup(passwords_are_masked_in_every_form, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
