/*
 * mailer: which transport carries a batch, and what all transports have in common.
 *
 * Which one it is, the URL says (smtp_url.h). Only the reply codes of each single mail are
 * believed, in the order that mail_judge gives them.
 */
#include "mailer.h"

#include <assert.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "config.h"
#include "encode.h"
#include "log.h"
#include "mailer_priv.h"
#include "memory.h"
#include "text.h"

enum { DEFAULT_TIMEOUT_MS = 25000, LINE_MAX_BYTES = 998 };

/* Relays refuse an EHLO without a dot in it, and a container's name has none: then
 * the host of our public address stands in. */
static void
choose_greeting(struct mailer *mailer)
{
	const char *host = strstr(mailer->config->public_url, "://");
	size_t length;

	if (gethostname(mailer->greeting, sizeof mailer->greeting) < 0)
		mailer->greeting[0] = '\0';
	mailer->greeting[sizeof mailer->greeting - 1] = '\0';
	host = host != NULL ? host + 3 : "";
	length = strcspn(host, ":/");
	if (strchr(mailer->greeting, '.') == NULL && length > 0 && host[0] != '[')
		snprintf(mailer->greeting, sizeof mailer->greeting, "%.*s", (int)length, host);
	if (mailer->greeting[0] == '\0')
		strcpy(mailer->greeting, "localhost");
}

const struct transport *
transport_of(const struct config *config)
{
	return config->smtp.transport == SMTP_LIBCURL ? &transport_curl : &transport_esmtp;
}

struct mailer *
mailer_create(const struct config *config)
{
	struct mailer *mailer = xcalloc(1, sizeof *mailer);

	signal(SIGPIPE, SIG_IGN);
	mailer->config = config;
	mailer->timeout_ms = DEFAULT_TIMEOUT_MS;
	mailer->transport = transport_of(config);
	mailer->own = mailer->transport->create(config);
	choose_greeting(mailer);
	return mailer;
}

void
mailer_free(struct mailer **mailer)
{
	if (*mailer == NULL)
		return;
	(*mailer)->transport->free((*mailer)->own);
	free(*mailer);
	*mailer = NULL;
}

void
mailer_set_timeout(struct mailer *mailer, int timeout_ms)
{
	mailer->timeout_ms = timeout_ms < 1000 ? 1000 : timeout_ms;
}

/* Only message_build's output may be sent: a bare LF before a dot could end the message. */
static bool
is_fit_for_the_wire(const struct mail *mail)
{
	const char *line = mail->message, *end = line + mail->message_length;

	if (memchr(line, '\0', mail->message_length) != NULL)
		return false;
	while (line < end) {
		const char *feed = memchr(line, '\n', (size_t)(end - line));

		if (feed == NULL || feed - line > LINE_MAX_BYTES + 1)
			return false;
		if (memchr(line, '\r', (size_t)(end - line)) != feed - 1)
			return false;
		line = feed + 1;
	}
	return true;
}

static struct mail_outcome
unsaid(enum mail_result result, bool attempted, const char *words)
{
	struct mail_outcome outcome = { .result = result, .attempted = attempted };

	copy_words(outcome.reply, sizeof outcome.reply, words);
	return outcome;
}

/* Many relays take any MAIL and say only at each recipient, or behind the text, that we may not send
 * (5.7.1 "relay access denied", "sender address rejected"). One such answer may be about a recipient;
 * of nothing else, and never a mail taken, it is about us. */
#define SAME_REFUSALS 3

/* "554 5.7.1 …", as far as it is the same for all. */
static size_t
policy_refusal(const struct mail_outcome *outcome)
{
	const char *reply = outcome->reply;

	return outcome->result == MAIL_REFUSED && strlen(reply) > 8 && strncmp(reply + 4, "5.7.", 4) == 0
		? strcspn(reply + 4, " ") + 4 : 0;
}

static bool
are_refused_for_us(const struct mail_outcome *outcomes, int count)
{
	const size_t length = count >= SAME_REFUSALS ? policy_refusal(&outcomes[0]) : 0;

	for (int i = 0; length > 0 && i < count; i++) {
		if (policy_refusal(&outcomes[i]) != length || strncmp(outcomes[i].reply, outcomes[0].reply, length) != 0)
			return false;
	}
	return length > 0;
}

/* An address that is none would add commands: it goes to no transport. */
void
mailer_send(struct mailer *mailer, const struct mail *mails, int count,
	struct mail_outcome *outcomes)
{
	struct mail *fit = xcalloc((size_t)count + 1, sizeof *fit);
	struct mail_outcome *found = xcalloc((size_t)count + 1, sizeof *found);
	int fit_count = 0, next = 0;

	for (int i = 0; i < count; i++) {
		if (!email_is_valid(mails[i].recipient))
			continue;
		assert(is_fit_for_the_wire(&mails[i]));
		fit[fit_count++] = mails[i];
	}
	if (fit_count > 0)
		mailer->transport->send(mailer, fit, fit_count, found);
	const bool are_ours = are_refused_for_us(found, fit_count);
	for (int i = 0; are_ours && i < fit_count; i++)
		found[i].result = MAIL_OUR_FAULT;
	for (int i = 0; i < count; i++) {
		outcomes[i] = email_is_valid(mails[i].recipient) ? found[next++]
			: unsaid(MAIL_REFUSED, false, "not an e-mail address that can be used");
	}
	free(fit);
	free(found);
}

static bool
is_class(const struct relay_reply *reply, int class)
{
	return reply->code / 100 == class;
}

/* RFC 4954 §6: who we are is in question, at whatever command it is said. */
static bool
asks_who_we_are(const struct relay_reply *reply)
{
	return reply->code == 530 || reply->code == 534 || reply->code == 535 || reply->code == 538;
}

static struct mail_outcome
said(enum mail_result result, const struct relay_reply *reply)
{
	struct mail_outcome outcome = {
		.result = asks_who_we_are(reply) ? MAIL_OUR_FAULT : result,
	};

	outcome.attempted = outcome.result != MAIL_OUR_FAULT;
	copy_words(outcome.reply, sizeof outcome.reply, reply->words);
	return outcome;
}

/* It ended before it was decided. */
static struct mail_outcome
judge_by_the_end(const struct mail_facts *mail, const struct session_facts *session)
{
	/* It was ended between a message and the next: what is undecided was not offered. */
	if (session->was_stopped)
		return unsaid(MAIL_LATER, false, "the worker stopped before this message");
	if (mail->recipient.code != 0)
		return unsaid(MAIL_LATER, true, session->has_run_out || session->went_quiet
			? "the relay took too long to take this message"
			: "the connection was lost before the relay had taken this message");
	if (session->has_run_out)
		return unsaid(MAIL_LATER, false, "the relay took too long over earlier messages");
	if (mail->sender.code != 0)
		return unsaid(MAIL_LATER, true, session->went_quiet
			? "the relay took too long to take the recipient"
			: "the connection was lost before the recipient was taken");
	if (session->refusal[0] != '\0')
		return unsaid(MAIL_LATER, false, session->refusal);
	return unsaid(MAIL_LATER, false, session->went_quiet ? "the relay took too long to answer"
		: "the connection was lost before this message");
}

/* The order matters: over BDAT a mail counts as complete although its recipient
 * was put off; a relay that refuses every recipient refuses DATA too; a code
 * 250 instead of 354 has delivered nothing. */
struct mail_outcome
mail_judge(const struct mail_facts *mail, const struct session_facts *session)
{
	if (mail->is_complete && is_class(&mail->recipient, 2) && is_class(&mail->message, 2))
		return said(MAIL_SENT, &mail->message);
	if (is_class(&mail->recipient, 5))
		return said(MAIL_REFUSED, &mail->recipient);
	if (is_class(&mail->recipient, 4))
		return said(MAIL_LATER, &mail->recipient);
	if (is_class(&mail->recipient, 2) && is_class(&mail->message, 5))
		return said(MAIL_REFUSED, &mail->message);
	if (is_class(&mail->recipient, 2) && is_class(&mail->message, 4))
		return said(MAIL_LATER, &mail->message);
	if (is_class(&mail->sender, 5))
		return said(MAIL_OUR_FAULT, &mail->sender);
	if (is_class(&mail->sender, 4))
		return said(MAIL_LATER, &mail->sender);
	return judge_by_the_end(mail, session);
}

struct mail_outcome
mail_unoffered(const struct session_facts *session)
{
	return unsaid(session->fault, false, session->fault_words);
}

bool
session_set_fault(struct session_facts *session, enum mail_result result, const char *reason,
	const char *detail)
{
	int shown = detail[0] >= '0' && detail[0] <= '9' ? 3 : 200;
	char words[512];

	if (session->fault_words[0] != '\0')
		return false;
	session->fault = result;
	snprintf(words, sizeof words, "%s%s%.300s", reason, detail[0] != '\0' ? ": " : "", detail);
	copy_words(session->fault_words, sizeof session->fault_words, words);
	snprintf(session->fault_to_log, sizeof session->fault_to_log, "%s%s%.*s", reason,
		detail[0] != '\0' ? ": " : "", shown, detail);
	return true;
}

void
session_log(const struct session_facts *session)
{
	if (session->fault_words[0] == '\0')
		return;
	if (session->fault == MAIL_OUR_FAULT)
		log_error("could not send mail through the relay", "reason", session->fault_to_log, NULL);
	else
		log_warn("could not send mail through the relay", "reason", session->fault_to_log, NULL);
}

void
copy_words(char *out, size_t size, const char *words)
{
	size_t length = 0;

	for (; *words != '\0' && length + 1 < size; words++) {
		unsigned char c = (unsigned char)*words;
		bool is_blank = c <= ' ' || c == 0x7f;

		if (is_blank && (length == 0 || out[length - 1] == ' '))
			continue;
		out[length++] = is_blank ? ' ' : c < 0x7f ? (char)c : '?';
	}
	while (length > 0 && out[length - 1] == ' ')
		length--;
	out[length] = '\0';
}

/* Its beginning is enough: what is quoted may have been cut. */
static bool
hold_base64(const char *words, const char *bytes, size_t length)
{
	char encoded[16];
	bool holds;

	base64_encode((const uint8_t *)bytes, length < 9 ? length : 9, encoded);
	encoded[8] = '\0';
	holds = strstr(words, encoded) != NULL;
	OPENSSL_cleanse(encoded, sizeof encoded);
	return holds;
}

bool
words_hold_secret(const char *words, const char *user, const char *secret)
{
	/* As AUTH PLAIN has it: NUL user NUL password; and as XOAUTH2 begins. */
	char plain[16], bearer[16];
	int length = snprintf(plain, sizeof plain, "%c%s%c%s", 0, user, 0, secret);
	bool holds = strstr(words, secret) != NULL || hold_base64(words, secret, strlen(secret))
		|| hold_base64(words, plain, length < (int)sizeof plain ? (size_t)length : sizeof plain - 1);

	snprintf(bearer, sizeof bearer, "user=%s", user);
	holds = holds || hold_base64(words, bearer, strlen(bearer));
	OPENSSL_cleanse(plain, sizeof plain);
	return holds;
}
