/*
 * mailer_probe: lets pytest drive the mail files of the worker without a database.
 *
 *     mailer_probe send TIMEOUT_MS TIMES   stdin: "recipient size" a line = a batch,
 *                                          sent TIMES times; stdout: JSON lines
 *     mailer_probe build                   stdin: the nine texts of struct message,
 *                                          each closed by NUL, again and again;
 *                                          stdout: length, newline, the message
 *     mailer_probe mail KIND LANGUAGE      one finished mail; stdin: "name=value" lines
 *     mailer_probe doctor                  what the doctor finds at the relay; stdout: JSON
 *
 * Configuration comes from ROLLCALL_*, as in the worker. PROBE_RELAY=name=canonical
 * makes `name` resolve to 127.0.0.1 with the canonical name that a CNAME in DNS
 * would give it, PROBE_ADDRESSES=name=first,second to these addresses in this order;
 * PROBE_RESOLVE_S makes every name take as many seconds.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "doctor_relay.h"
#include "findings.h"
#include "log.h"
#include "mailer.h"
#include "memory.h"
#include "message.h"
#include "template.h"

static const char *const result_words[] = { "sent", "refused", "later", "our_fault" };

typedef int resolver(const char *restrict, const char *restrict,
	const struct addrinfo *restrict, struct addrinfo **restrict);

/* The name of "name=value" is this one: its value; otherwise NULL. */
static const char *
value_for(const char *setting, const char *name)
{
	const size_t length = name != NULL ? strlen(name) : 0;

	return setting != NULL && name != NULL && strncmp(setting, name, length) == 0 && setting[length] == '=' ? setting + length + 1 : NULL;
}

/* "first,second" as one list; freeaddrinfo goes through it link by link. */
static int
find_all(resolver *real, const char *addresses, const char *restrict service, const struct addrinfo *restrict hints,
	struct addrinfo **restrict found)
{
	struct addrinfo **last = found;
	int result = 0;

	*found = NULL;
	while (*addresses != '\0' && result == 0) {
		const size_t length = strcspn(addresses, ",");
		char address[64];

		snprintf(address, sizeof address, "%.*s", (int)length, addresses);
		result = real(address, service, hints, last);
		while (result == 0 && *last != NULL)
			last = &(*last)->ai_next;
		addresses += length + (addresses[length] == ',');
	}
	return result;
}

/* Interposed: libesmtp asks here, and the doctor. */
int
getaddrinfo(const char *restrict host, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
	resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
	const char *canonical = value_for(getenv("PROBE_RELAY"), host), *addresses = value_for(getenv("PROBE_ADDRESSES"), host);
	int result;

	if (getenv("PROBE_RESOLVE_S") != NULL)
		sleep((unsigned)atoi(getenv("PROBE_RESOLVE_S")));
	if (addresses != NULL)
		return find_all(real, addresses, service, hints, found);
	if (canonical == NULL)
		return real(host, service, hints, found);
	result = real("127.0.0.1", service, hints, found);
	if (result == 0 && (*found)->ai_canonname != NULL) {
		free((*found)->ai_canonname);
		(*found)->ai_canonname = strdup(canonical);
	}
	return result;
}

/* A message of about `size` bytes in two parts. */
static char *
make_message(const char *recipient, int number, size_t size, size_t *length)
{
	struct buffer text = BUFFER_INIT, out = BUFFER_INIT;
	char id[64];

	snprintf(id, sizeof id, "probe-%d@test.example", number);
	while (text.length < size / 2)
		buffer_puts(&text, "A line of some text that is about seventy characters long, so.\n");
	message_build(&(struct message){
		.id = id, .from_name = "Probe", .from_address = "probe@test.example",
		.to_name = NULL, .to_address = recipient, .subject = "Пробний лист", .language = "uk",
		.text = buffer_text(&text), .html = buffer_text(&text), .date = 1700000000,
	}, &out);
	buffer_free(&text);
	*length = out.length;
	return buffer_take(&out);
}

static int
read_batch(struct mail **mails)
{
	char *line = NULL;
	size_t capacity = 0, size = 0;
	int count = 0;

	while (getline(&line, &capacity, stdin) > 0) {
		char *blank = strrchr(line, ' ');

		if (blank == NULL)
			die("malformed line");
		*blank = '\0';
		size = strtoul(blank + 1, NULL, 10);
		*mails = xrealloc(*mails, (size_t)(count + 1) * sizeof **mails);
		(*mails)[count].recipient = xstrdup(line);
		(*mails)[count].message = make_message(line, count, size, &(*mails)[count].message_length);
		count++;
	}
	free(line);
	return count;
}

static void
print_outcome(const struct mail_outcome *outcome)
{
	printf("{\"result\": \"%s\", \"attempted\": %s, \"reply\": \"",
		result_words[outcome->result], outcome->attempted ? "true" : "false");
	for (const char *c = outcome->reply; *c != '\0'; c++)
		printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	printf("\"}\n");
}

static void
send_batches(int timeout_ms, int times)
{
	struct config *config = config_load(CONFIG_WORKER);
	struct mail *mails = NULL;
	int count = read_batch(&mails);
	struct mail_outcome *outcomes = xcalloc((size_t)count, sizeof *outcomes);
	struct mailer *mailer;

	if (config == NULL)
		exit(1);
	mailer = mailer_create(config);
	mailer_set_timeout(mailer, timeout_ms);
	for (int i = 0; i < times; i++) {
		int64_t started_ns = clock_monotonic_ns();

		mailer_send(mailer, mails, count, outcomes);
		started_ns = clock_monotonic_ns() - started_ns;
		for (int k = 0; k < count; k++)
			print_outcome(&outcomes[k]);
		printf("{\"seconds\": %.6f}\n", (double)started_ns / 1e9);
	}
	for (int i = 0; i < count; i++) {
		free((char *)mails[i].recipient);
		free((char *)mails[i].message);
	}
	free(mails);
	free(outcomes);
	mailer_free(&mailer);
	config_free(&config);
}

static bool
read_message(char *texts[9])
{
	for (int i = 0; i < 9; i++) {
		size_t capacity = 0;

		texts[i] = NULL;
		if (getdelim(&texts[i], &capacity, '\0', stdin) < 0) {
			for (; i >= 0; i--)
				free(texts[i]);
			return false;
		}
	}
	return true;
}

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void
build_messages(void)
{
	struct buffer out = BUFFER_INIT;
	char *texts[9];

	while (read_message(texts)) {
		buffer_clear(&out);
		message_build(&(struct message){
			.id = texts[0], .from_name = or_null(texts[1]), .from_address = texts[2],
			.to_name = or_null(texts[3]), .to_address = texts[4], .subject = texts[5],
			.language = texts[6], .text = texts[7], .html = texts[8], .date = 1700000000,
		}, &out);
		printf("%zu\n", out.length);
		fwrite(out.data, 1, out.length, stdout);
		fflush(stdout);
		for (int i = 0; i < 9; i++)
			free(texts[i]);
	}
	buffer_free(&out);
}

static void
set_value(struct template_values *values, struct arena *arena, char *line)
{
	static const struct { const char *name; size_t offset; } names[] = {
#define VALUE(member) { #member, offsetof(struct template_values, member) }
		VALUE(organization), VALUE(first_name), VALUE(full_name), VALUE(login),
		VALUE(recipient_name), VALUE(link), VALUE(expires_at), VALUE(sign_in_url),
		VALUE(forgot_password_url), VALUE(days), VALUE(idle_on), VALUE(list), VALUE(count),
		VALUE(contact_email), VALUE(file_name), VALUE(rows), VALUE(created), VALUE(updated),
		VALUE(errors), VALUE(applied),
#undef VALUE
	};
	char *equals = strchr(line, '=');

	if (equals == NULL)
		die("malformed line");
	line[strcspn(line, "\n")] = '\0';
	*equals = '\0';
	for (char *c = equals + 1; *c != '\0'; c++)
		if (*c == '|')	/* stands for a line end */
			*c = '\n';
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, line) == 0)
			*(const char **)((char *)values + names[i].offset) = arena_copy(arena, equals + 1);
}

static void
print_mail(const char *kind, const char *language)
{
	struct template_set *set = template_set_load(getenv("ROLLCALL_TEMPLATES"));
	struct arena *arena = arena_create();
	struct template_values values = { .organization = NULL };
	struct buffer subject = BUFFER_INIT, text = BUFFER_INIT, html = BUFFER_INIT, out = BUFFER_INIT;
	char *line = NULL;
	size_t capacity = 0;

	while (getline(&line, &capacity, stdin) > 0)
		set_value(&values, arena, line);
	if (!template_render(set, kind, language, &values, &subject, &text, &html))
		die("no such mail");
	message_build(&(struct message){
		.id = "0190b8a0-0000-7000-8000-000000000000@test.example",
		.from_name = values.organization, .from_address = "rollcall@test.example",
		.to_name = values.full_name, .to_address = "olena@test.example",
		.subject = buffer_text(&subject), .language = language,
		.text = buffer_text(&text), .html = buffer_text(&html), .date = 1700000000,
	}, &out);
	fwrite(out.data, 1, out.length, stdout);
	free(line);
	buffer_free(&subject);
	buffer_free(&text);
	buffer_free(&html);
	buffer_free(&out);
	arena_free(&arena);
	template_set_free(&set);
}

static int
ask_doctor(void)
{
	struct config *config = config_load(CONFIG_WORKER);
	struct findings *findings = findings_create();

	if (config == NULL)
		exit(1);
	doctor_look_at_relay(findings, config);
	const int code = findings_print(findings, stdout, true);
	findings_free(&findings);
	config_free(&config);
	return code;
}

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "send") == 0)
		send_batches(atoi(argv[2]), atoi(argv[3]));
	else if (argc == 2 && strcmp(argv[1], "build") == 0)
		build_messages();
	else if (argc == 4 && strcmp(argv[1], "mail") == 0)
		print_mail(argv[2], argv[3]);
	else if (argc == 2 && strcmp(argv[1], "doctor") == 0)
		return ask_doctor();
	else
		die("usage: mailer_probe send TIMEOUT_MS TIMES | build | mail KIND LANGUAGE | doctor");
	return 0;
}
