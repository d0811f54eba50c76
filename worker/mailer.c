/*
 * mailer: batches through libesmtp, and what became of each mail.
 *
 * libesmtp's own verdicts (its return value, its errno, "complete") say success
 * where nothing was delivered and failure where all was. Only the reply codes of
 * each single mail are believed, in the order that `judge` gives them. What
 * goes wrong before the first mail is dialogue.c's; what a connection may cost is
 * connect.c's.
 */
#include "mailer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "clock.h"
#include "config.h"
#include "connect.h"
#include "dialogue.h"
#include "log.h"
#include "memory.h"
#include "text.h"

enum { DEFAULT_TIMEOUT_MS = 25000, CONNECT_MS = 5000, LINE_MAX_BYTES = 998 };

struct mailer {
	const struct config *config;
	SSL_CTX *tls;		/* NULL: plain, to a relay on this machine */
	char relay[300];	/* host:port */
	char greeting[256];	/* what we call ourselves in EHLO */
	int timeout_ms;
};

/* One mail while its session runs. */
struct delivery {
	const struct mail *mail;
	bool is_read;			/* libesmtp has had the text */
	smtp_message_t message;		/* NULL: not offered, its address is none */
	smtp_recipient_t recipient;
};

/* One context for each relay: the name that its certificate must carry is in it.
 * TLS 1.3 is left out, because libesmtp reads before it writes: when the relay's
 * session tickets have arrived by then, both sides wait for each other. */
static SSL_CTX *
create_tls(const struct config *config)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	X509_VERIFY_PARAM *expected;
	unsigned char ipv4[4];
	int ok;

	if (tls == NULL)
		die("could not prepare TLS: %s", ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
	ok = config->smtp_ca != NULL ? SSL_CTX_load_verify_file(tls, config->smtp_ca)
		: SSL_CTX_set_default_verify_paths(tls);
	if (!ok)
		die("could not read the certificates of ROLLCALL_SMTP_CA: %s",
			ERR_reason_error_string(ERR_get_error()));
	expected = SSL_CTX_get0_param(tls);
	X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	ok = inet_pton(AF_INET, config->smtp.host, ipv4) == 1
		? X509_VERIFY_PARAM_set1_ip(expected, ipv4, sizeof ipv4)
		: X509_VERIFY_PARAM_set1_host(expected, config->smtp.host, 0);
	if (!ok)
		die("could not prepare TLS: out of memory");
	return tls;
}

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

struct mailer *
mailer_create(const struct config *config)
{
	struct mailer *mailer = xcalloc(1, sizeof *mailer);

	/* libesmtp cuts its "host:port" at the first colon. */
	if (strchr(config->smtp.host, ':') != NULL)
		die("ROLLCALL_SMTP_URL: a relay cannot be given by its IPv6 address, only by a name");
	signal(SIGPIPE, SIG_IGN);
	auth_client_init();
	mailer->config = config;
	mailer->timeout_ms = DEFAULT_TIMEOUT_MS;
	mailer->tls = config->smtp.starttls ? create_tls(config) : NULL;
	snprintf(mailer->relay, sizeof mailer->relay, "%s:%d", config->smtp.host, config->smtp.port);
	choose_greeting(mailer);
	return mailer;
}

void
mailer_free(struct mailer **mailer)
{
	if (*mailer == NULL)
		return;
	SSL_CTX_free((*mailer)->tls);
	free(*mailer);
	*mailer = NULL;
}

void
mailer_set_timeout(struct mailer *mailer, int timeout_ms)
{
	mailer->timeout_ms = timeout_ms < 1000 ? 1000 : timeout_ms;
}

/* Only message_build's output may be sent: libesmtp stuffs the dot of a line only
 * behind CRLF, so a bare LF before a dot would end the message. */
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

/* libesmtp asks for the text piece by piece; without `length` it begins anew. */
static const char *
give_text(void **unused, int *length, void *arg)
{
	struct delivery *delivery = arg;

	(void)unused;
	if (length == NULL) {
		delivery->is_read = false;
		return NULL;
	}
	*length = delivery->is_read ? 0 : (int)delivery->mail->message_length;
	delivery->is_read = true;
	return delivery->mail->message;
}

/* Out of memory is the only failure of libesmtp's constructors. */
static void *
must(void *made)
{
	if (made == NULL)
		abort();
	return made;
}

static void
set_timeouts(smtp_session_t session, long timeout_ms)
{
	static const int steps[] = {
		Timeout_GREETING, Timeout_ENVELOPE, Timeout_DATA, Timeout_TRANSFER,
	};

	/* Milliseconds, whatever its manual says; without the flag, 2 to 10 minutes. */
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		smtp_set_timeout(session, steps[i] | Timeout_OVERRIDE_RFC2822_MINIMUM, timeout_ms);
	smtp_set_timeout(session, Timeout_DATA2 | Timeout_OVERRIDE_RFC2822_MINIMUM, 2 * timeout_ms);
}

/* libesmtp puts addresses on the wire unchecked: one that is none adds commands. */
static bool
add_delivery(const struct mailer *mailer, smtp_session_t session, struct delivery *delivery)
{
	if (!email_is_valid(delivery->mail->recipient))
		return false;
	assert(is_fit_for_the_wire(delivery->mail));
	delivery->message = must(smtp_add_message(session));
	smtp_set_reverse_path(delivery->message, mailer->config->mail_from_address);
	smtp_set_messagecb(delivery->message, give_text, delivery);
	delivery->recipient = must(smtp_add_recipient(delivery->message, delivery->mail->recipient));
	return true;
}

static smtp_session_t
open_session(const struct mailer *mailer)
{
	smtp_session_t session = must(smtp_create_session());

	smtp_set_server(session, mailer->relay);
	smtp_set_hostname(session, mailer->greeting);
	set_timeouts(session, mailer->timeout_ms);
	return session;
}

static void
run_session(const struct mailer *mailer, smtp_session_t session, struct dialogue *dialogue)
{
	const struct smtp_config *relay = &mailer->config->smtp;
	bool authenticates = mailer->tls != NULL && relay->user != NULL;
	auth_context_t auth = authenticates ? must(auth_create_context()) : NULL;
	enum connect_end end;
	bool has_greeted;

	dialogue_begin(dialogue, relay, 2 * mailer->timeout_ms);
	dialogue_watch(dialogue, session, mailer->tls);
	if (auth != NULL) {
		auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
		auth_set_interact_cb(auth, dialogue_give_credentials, dialogue);
		smtp_auth_set_context(session, auth);
	}
	connect_guard(mailer->timeout_ms < CONNECT_MS ? mailer->timeout_ms : CONNECT_MS,
		4 * mailer->timeout_ms);
	has_greeted = smtp_start_session(session) != 0;
	/* libesmtp calls both a lost connection. */
	dialogue->went_quiet = clock_monotonic_ms() - dialogue->heard_ms >= mailer->timeout_ms;
	end = connect_release();
	dialogue->has_run_out |= end == CONNECT_EXPIRED;
	dialogue->was_stopped |= end == CONNECT_STOPPED;
	dialogue_end(dialogue, !has_greeted);
	if (auth != NULL)
		auth_destroy_context(auth);
}

static bool
is_class(const smtp_status_t *status, int class)
{
	return status->code / 100 == class;
}

/* RFC 4954 §6: who we are is in question, at whatever command it is said. */
static bool
asks_who_we_are(const smtp_status_t *status)
{
	return status->code == 530 || status->code == 534 || status->code == 535 || status->code == 538;
}

static void
copy_reply(char reply[256], const smtp_status_t *status)
{
	char words[512];
	int length = snprintf(words, sizeof words, "%d ", status->code);

	if (status->enh_class != 0)
		length += snprintf(words + length, sizeof words - (size_t)length, "%d.%d.%d ",
			status->enh_class, status->enh_subject, status->enh_detail);
	snprintf(words + length, sizeof words - (size_t)length, "%.300s",
		status->text != NULL ? status->text : "");
	dialogue_copy_words(reply, 256, words);
}

static struct mail_outcome
said(enum mail_result result, const smtp_status_t *status)
{
	struct mail_outcome outcome = {
		.result = asks_who_we_are(status) ? MAIL_OUR_FAULT : result,
	};

	outcome.attempted = outcome.result != MAIL_OUR_FAULT;
	copy_reply(outcome.reply, status);
	return outcome;
}

static struct mail_outcome
unsaid(enum mail_result result, bool attempted, const char *words)
{
	struct mail_outcome outcome = { .result = result, .attempted = attempted };

	dialogue_copy_words(outcome.reply, sizeof outcome.reply, words);
	return outcome;
}

/* The order matters: over BDAT a mail counts as complete although its recipient
 * was put off; a relay that refuses every recipient refuses DATA too; a code
 * 250 instead of 354 has delivered nothing. */
static struct mail_outcome
judge(const struct delivery *delivery, const struct dialogue *dialogue)
{
	const smtp_status_t *sender = smtp_reverse_path_status(delivery->message);
	const smtp_status_t *recipient = smtp_recipient_status(delivery->recipient);
	const smtp_status_t *message = smtp_message_transfer_status(delivery->message);
	bool is_complete = smtp_recipient_check_complete(delivery->recipient) != 0;

	if (is_complete && is_class(recipient, 2) && is_class(message, 2))
		return said(MAIL_SENT, message);
	if (is_class(recipient, 5))
		return said(MAIL_REFUSED, recipient);
	if (is_class(recipient, 4))
		return said(MAIL_LATER, recipient);
	if (is_class(recipient, 2) && is_class(message, 5))
		return said(MAIL_REFUSED, message);
	if (is_class(recipient, 2) && is_class(message, 4))
		return said(MAIL_LATER, message);
	if (is_class(sender, 5))
		return said(MAIL_OUR_FAULT, sender);
	if (is_class(sender, 4))
		return said(MAIL_LATER, sender);
	/* It ended between a message and the next: what is undecided was not offered. */
	if (dialogue->was_stopped)
		return unsaid(MAIL_LATER, false, "the worker stopped before this message");
	if (recipient->code != 0)
		return unsaid(MAIL_LATER, true, dialogue->has_run_out || dialogue->went_quiet
			? "the relay took too long to take this message"
			: "the connection was lost before the relay had taken this message");
	if (dialogue->has_run_out)
		return unsaid(MAIL_LATER, false, "the relay took too long over earlier messages");
	if (sender->code != 0)
		return unsaid(MAIL_LATER, true, dialogue->went_quiet
			? "the relay took too long to take the recipient"
			: "the connection was lost before the recipient was taken");
	if (dialogue->refusal[0] != '\0')
		return unsaid(MAIL_LATER, false, dialogue->refusal);
	return unsaid(MAIL_LATER, false, dialogue->went_quiet ? "the relay took too long to answer"
		: "the connection was lost before this message");
}

/* Faults of the session are said once, here; of single mails, by who settles them. */
static void
log_session(const struct dialogue *dialogue)
{
	if (dialogue->fault_words[0] == '\0')
		return;
	if (dialogue->fault == MAIL_OUR_FAULT)
		log_error("could not send mail through the relay", "reason", dialogue->fault_to_log, NULL);
	else
		log_warn("could not send mail through the relay", "reason", dialogue->fault_to_log, NULL);
}

void
mailer_send(struct mailer *mailer, const struct mail *mails, int count,
	struct mail_outcome *outcomes)
{
	struct delivery *deliveries = xcalloc((size_t)count + 1, sizeof *deliveries);
	smtp_session_t session = open_session(mailer);
	struct dialogue dialogue = { .relay = &mailer->config->smtp };
	int offered = 0;

	for (int i = 0; i < count; i++) {
		deliveries[i].mail = &mails[i];
		offered += add_delivery(mailer, session, &deliveries[i]);
	}
	if (offered > 0) {
		run_session(mailer, session, &dialogue);
		log_session(&dialogue);
	}
	for (int i = 0; i < count; i++) {
		if (deliveries[i].message == NULL)
			outcomes[i] = unsaid(MAIL_REFUSED, false, "not an e-mail address that can be used");
		else if (dialogue.fault_words[0] != '\0')
			outcomes[i] = unsaid(dialogue.fault, false, dialogue.fault_words);
		else
			outcomes[i] = judge(&deliveries[i], &dialogue);
	}
	smtp_destroy_session(session);
	free(deliveries);
}
