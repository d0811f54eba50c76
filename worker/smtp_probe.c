/*
 * The steps of the dialogue, in their order. What the relay says is repeated, for that is what
 * whoever must mend it needs; what we said to authenticate never is.
 */
#include "smtp_probe.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "config_values.h"
#include "dial.h"
#include "encode.h"
#include "findings.h"
#include "mailer_priv.h"
#include "memory.h"

#define LIMIT_MS 30000
#define REPLY_LINES_MAX 100

struct probe {
	const struct probe_target *target;
	struct findings *findings;
	struct dial *dial;
	/* Of the last reply. */
	int code;
	char words[300];
	/* Of the last EHLO. */
	bool offers_starttls;
	char mechanisms[300];	/* " PLAIN LOGIN ", or "" */
};

static const char *
reason(const struct probe *probe)
{
	return *dial_fault(probe->dial) != '\0' ? dial_fault(probe->dial) : probe->words;
}

static void
take_extension(struct probe *probe, const char *line)
{
	if (strcasecmp(line, "STARTTLS") == 0)
		probe->offers_starttls = true;
	/* "AUTH=" is how some very old ones say it. */
	else if (strncasecmp(line, "AUTH", 4) == 0 && (line[4] == ' ' || line[4] == '='))
		snprintf(probe->mechanisms, sizeof(probe->mechanisms), " %.290s ", line + 5);
}

/* The whole reply, of several lines perhaps; false when there is none of a good class. */
static bool
read_reply(struct probe *probe, int wanted_class)
{
	char line[1024];

	for (int i = 0; i < REPLY_LINES_MAX && dial_read_line(probe->dial, line, sizeof(line)); i++) {
		if (strlen(line) < 3 || strspn(line, "0123456789") != 3) {
			snprintf(probe->words, sizeof(probe->words), "what answers there does not speak SMTP");
			return false;
		}
		probe->code = (int)strtol(line, NULL, 10);
		if (line[3] != '\0')
			take_extension(probe, line + 4);
		if (line[3] != '-') {
			snprintf(probe->words, sizeof(probe->words), "%.250s", line);
			return probe->code / 100 == wanted_class;
		}
	}
	return false;
}

static bool
say(struct probe *probe, int wanted_class, const char *command, const char *argument)
{
	struct buffer line = BUFFER_INIT;

	buffer_printf(&line, "%s%s\r\n", command, argument);
	const bool good = dial_write(probe->dial, buffer_text(&line)) && read_reply(probe, wanted_class);
	buffer_free_secret(&line);
	return good;
}

static bool
hello(struct probe *probe)
{
	probe->offers_starttls = false;
	probe->mechanisms[0] = '\0';
	if (say(probe, 2, "EHLO ", probe->target->greeting))
		return true;
	findings_add(probe->findings, FINDING_FAIL, "smtp.connect", "Ask who runs the relay whether this machine may use it.",
		"The relay does not take EHLO %s: %s.", probe->target->greeting, reason(probe));
	return false;
}

static bool
secure(struct probe *probe)
{
	if (dial_start_tls(probe->dial, probe->target->ca_file, probe->target->newest_tls)) {
		findings_add(probe->findings, FINDING_OK, "smtp.tls", NULL, "The relay's certificate is good for %s (%s).", probe->target->host,
			dial_tls_version(probe->dial));
		return true;
	}
	/* As OpenSSL words the alert of a relay to which our newest is too old. */
	const bool is_too_old = probe->target->newest_tls != 0 && strstr(reason(probe), "protocol version") != NULL;
	findings_add(probe->findings, FINDING_FAIL, "smtp.tls",
		is_too_old ? "Add transport=libcurl to ROLLCALL_SMTP_URL, or allow TLS 1.2 at the relay: libesmtp speaks no newer one."
			   : "Name the relay in ROLLCALL_SMTP_URL as its certificate does; set ROLLCALL_SMTP_CA where a CA of your own signed it.",
		"TLS with the relay does not come about: %s.", reason(probe));
	return false;
}

static bool
start_tls(struct probe *probe)
{
	if (probe->target->tls == PROBE_TLS_NONE) {
		const bool is_near = value_host_is_loopback(probe->target->host);

		findings_add(probe->findings, is_near ? FINDING_OK : FINDING_WARN, "smtp.tls", is_near ? NULL : "Use tls=starttls, unless the network between is yours alone.",
			is_near ? "The relay is on this machine, and used without TLS." : "Mails, links and all, go to the relay in clear text (tls=none).");
		return true;
	}
	if (probe->target->tls == PROBE_TLS_IMPLICIT)
		return true;	/* begun before the greeting */
	if (probe->offers_starttls && say(probe, 2, "STARTTLS", ""))
		return secure(probe) && hello(probe);
	findings_add(probe->findings, FINDING_FAIL, "smtp.tls", "Use the relay's port for submission (587), or switch TLS on there.",
		"The relay does not offer STARTTLS on port %u.", probe->target->port);
	return false;
}

/* ---- Authentication. */

static char *
base64_of(const char *bytes, size_t length)
{
	char *text = xmalloc((length + 2) / 3 * 4 + 1);

	base64_encode((const uint8_t *)bytes, length, text);
	return text;
}

static void
free_secret(char *text)
{
	OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static bool
say_secret(struct probe *probe, int wanted_class, const char *command, const char *bytes, size_t length)
{
	char *argument = base64_of(bytes, length);
	const bool good = say(probe, wanted_class, command, argument);

	free_secret(argument);
	return good;
}

/* RFC 4616: nobody else, NUL, user, NUL, password. */
static bool
say_plain(struct probe *probe)
{
	struct buffer words = BUFFER_INIT;

	buffer_putc(&words, '\0');
	buffer_append(&words, probe->target->user, strlen(probe->target->user) + 1);
	buffer_puts(&words, probe->target->password);
	const bool good = say_secret(probe, 2, "AUTH PLAIN ", words.data, words.length);
	buffer_free_secret(&words);
	return good;
}

static bool
say_login(struct probe *probe)
{
	const struct probe_target *target = probe->target;

	return say(probe, 3, "AUTH LOGIN", "") && say_secret(probe, 3, "", target->user, strlen(target->user))
		&& say_secret(probe, 2, "", target->password, strlen(target->password));
}

/* As Google and Microsoft have it; a refusal is explained after an empty line of ours. */
static bool
say_xoauth2(struct probe *probe)
{
	struct buffer words = BUFFER_INIT;

	buffer_printf(&words, "user=%s\001auth=Bearer %s\001\001", probe->target->user, probe->target->token);
	bool good = say_secret(probe, 2, "AUTH XOAUTH2 ", words.data, words.length);
	buffer_free_secret(&words);
	if (!good && probe->code / 100 == 3)
		good = say(probe, 2, "", "");
	return good;
}

/* Some relays quote what they refuse. */
static const char *
reason_without_secret(const struct probe *probe)
{
	const struct probe_target *target = probe->target;
	const char *secret = target->token != NULL ? target->token : target->password;

	return words_hold_secret(probe->words, target->user, secret) ? "its answer quotes the password or token" : reason(probe);
}

static bool
authenticate(struct probe *probe)
{
	static const struct {
		const char *name;
		bool needs_token;
		bool (*say)(struct probe *probe);
	} mechanisms[] = { { " XOAUTH2 ", true, say_xoauth2 }, { " PLAIN ", false, say_plain }, { " LOGIN ", false, say_login } };
	const struct probe_target *target = probe->target;

	if (target->user == NULL) {
		findings_add(probe->findings, FINDING_OK, "smtp.auth", NULL, "The relay is used without authentication.");
		return true;
	}
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		if (mechanisms[i].needs_token != (target->token != NULL) || strcasestr(probe->mechanisms, mechanisms[i].name) == NULL)
			continue;
		const bool good = mechanisms[i].say(probe);
		findings_add(probe->findings, good ? FINDING_OK : FINDING_FAIL, "smtp.auth",
			good ? NULL : "Check user and password (or token) of ROLLCALL_SMTP_URL; special characters are written as %XX there.",
			good ? "The relay lets us in (%.*s)." : "The relay does not let us in (%.*s): %s.", (int)strlen(mechanisms[i].name) - 2,
			mechanisms[i].name + 1, reason_without_secret(probe));
		return good;
	}
	findings_add(probe->findings, FINDING_FAIL, "smtp.auth", "Use the relay's port for submission (587), or ask who runs it which way of AUTH it takes.",
		"The relay offers no way to authenticate that we know; it offers:%s.", probe->mechanisms[0] != '\0' ? probe->mechanisms : " none");
	return false;
}

static bool
say_path(struct probe *probe, const char *command)
{
	struct buffer path = BUFFER_INIT;

	buffer_printf(&path, "<%s>", probe->target->sender);
	const bool good = say(probe, 2, command, buffer_text(&path));
	buffer_free(&path);
	return good;
}

static bool
offer_sender(struct probe *probe)
{
	const bool good = say_path(probe, "MAIL FROM:");

	findings_add(probe->findings, good ? FINDING_OK : FINDING_FAIL, "smtp.sender",
		good ? NULL : "Set ROLLCALL_MAIL_FROM to an address that the relay lets this user send from.",
		good ? "The relay takes mail from the address of ROLLCALL_MAIL_FROM." : "The relay takes no mail from the address of ROLLCALL_MAIL_FROM: %s.",
		reason(probe));
	return good;
}

/* ---- The recipient. */

enum refusal { REFUSES_US, PUTS_OFF, REFUSES_THIS_ONE };

/* What is said to this recipient, and whether it will be said to all:
 *
 * - 4xx: perhaps not. Who greylists puts off whomever he sees for the first time, whatever
 *   enhanced code he says it with.
 * - 5xx with X.7.x of RFC 3463 is about permission: relaying, authentication, policy. So is 53x
 *   (RFC 4954). That is about us.
 * - 5xx else (5.1.1, or 550 alone) is as likely to be about this one mailbox, which need not take
 *   mail for others to get theirs.
 * - No reply: mails would end here, too. */
static enum refusal
weigh_refusal(const struct probe *probe)
{
	if (*dial_fault(probe->dial) != '\0' || probe->code / 100 < 4)
		return REFUSES_US;
	if (probe->code / 100 == 4)
		return PUTS_OFF;
	return probe->code / 10 == 53 || strncmp(probe->words + 3, " 5.7.", 5) == 0 ? REFUSES_US : REFUSES_THIS_ONE;
}

static void
offer_recipient(struct probe *probe)
{
	static const struct {
		enum finding_level level;
		const char *detail, *todo;
	} refusals[] = {
		[REFUSES_US] = { FINDING_FAIL, "The relay lets us name no recipient",
			"Ask who runs the relay to let this machine, or the user of ROLLCALL_SMTP_URL, send mail through it to everybody." },
		[PUTS_OFF] = { FINDING_WARN, "The relay puts off mail to the address of ROLLCALL_MAIL_FROM",
			"Ask again in some minutes: relays put off whom they do not know yet. If it stays so, ask who runs the relay." },
		[REFUSES_THIS_ONE] = { FINDING_WARN, "The relay takes no mail to the address of ROLLCALL_MAIL_FROM, perhaps to this one alone",
			"Make that address one that exists, for bounces come back to it; then see by a test mail whether others get theirs (POST /v1/test-mail)." },
	};

	if (say_path(probe, "RCPT TO:")) {
		findings_add(probe->findings, FINDING_OK, "smtp.recipient", NULL, "The relay takes mail to the address of ROLLCALL_MAIL_FROM; none was sent.");
		return;
	}
	const enum refusal refusal = weigh_refusal(probe);
	findings_add(probe->findings, refusals[refusal].level, "smtp.recipient", refusals[refusal].todo, "%s: %s.", refusals[refusal].detail, reason(probe));
}

static void
offer(struct probe *probe)
{
	if (offer_sender(probe))
		offer_recipient(probe);
	if (*dial_fault(probe->dial) == '\0' && say(probe, 2, "RSET", ""))
		(void)say(probe, 2, "QUIT", "");
}

static bool
greet(struct probe *probe)
{
	const struct probe_target *target = probe->target;

	if (*dial_fault(probe->dial) == '\0' && (target->tls != PROBE_TLS_IMPLICIT || secure(probe)) && read_reply(probe, 2)) {
		findings_add(probe->findings, FINDING_OK, "smtp.connect", NULL, "The relay answers.");
		return true;
	}
	if (target->tls == PROBE_TLS_IMPLICIT && *dial_fault(probe->dial) != '\0' && dial_tls_version(probe->dial) != NULL)
		return false;	/* secure() has said it */
	findings_add(probe->findings, FINDING_FAIL, "smtp.connect", "Check host and port of ROLLCALL_SMTP_URL, and whether a firewall stands between: many networks block port 25.",
		"The relay at %s port %u does not answer: %s.", target->host, target->port, reason(probe));
	return false;
}

void
smtp_probe(const struct probe_target *target, struct findings *findings)
{
	struct probe probe = { .target = target, .findings = findings, .dial = dial_open(target->host, target->port, LIMIT_MS) };

	if (greet(&probe) && hello(&probe) && start_tls(&probe) && authenticate(&probe))
		offer(&probe);
	dial_close(&probe.dial);
}
