/*
 * mailer_esmtp: batches through libesmtp.
 *
 * libesmtp's own verdicts (its return value, its errno, "complete") say success
 * where nothing was delivered and failure where all was; so what is taken from it are the
 * replies. What goes wrong before the first mail is dialogue.c's; what a connection may
 * cost is connect.c's.
 */
#include "mailer_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "clock.h"
#include "config.h"
#include "connect.h"
#include "dialogue.h"
#include "log.h"
#include "memory.h"

struct esmtp {
	SSL_CTX *tls;		/* NULL: plain, to a relay on this machine */
	char relay[300];	/* host:port */
};

/* One mail while its session runs. */
struct delivery {
	const struct mail *mail;
	bool is_read;			/* libesmtp has had the text */
	smtp_message_t message;
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
	SSL_CTX_set_max_proto_version(tls, transport_esmtp.newest_tls);
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

static void *
esmtp_create(const struct config *config)
{
	struct esmtp *esmtp = xcalloc(1, sizeof *esmtp);

	/* libesmtp cuts its "host:port" at the first colon. */
	if (strchr(config->smtp.host, ':') != NULL)
		die("ROLLCALL_SMTP_URL: a relay cannot be given by its IPv6 address, only by a name");
	auth_client_init();
	esmtp->tls = config->smtp.tls == SMTP_TLS_STARTTLS ? create_tls(config) : NULL;
	snprintf(esmtp->relay, sizeof esmtp->relay, "%s:%d", config->smtp.host, config->smtp.port);
	return esmtp;
}

static void
esmtp_free(void *own)
{
	struct esmtp *esmtp = own;

	SSL_CTX_free(esmtp->tls);
	free(esmtp);
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

static void
add_delivery(const struct mailer *mailer, smtp_session_t session, struct delivery *delivery)
{
	delivery->message = must(smtp_add_message(session));
	smtp_set_reverse_path(delivery->message, mailer->config->mail_from_address);
	smtp_set_messagecb(delivery->message, give_text, delivery);
	delivery->recipient = must(smtp_add_recipient(delivery->message, delivery->mail->recipient));
}

static smtp_session_t
open_session(const struct mailer *mailer)
{
	smtp_session_t session = must(smtp_create_session());

	smtp_set_server(session, ((const struct esmtp *)mailer->own)->relay);
	smtp_set_hostname(session, mailer->greeting);
	set_timeouts(session, mailer->timeout_ms);
	return session;
}

static void
run_session(const struct mailer *mailer, smtp_session_t session, struct dialogue *dialogue)
{
	const struct smtp_config *relay = &mailer->config->smtp;
	SSL_CTX *tls = ((const struct esmtp *)mailer->own)->tls;
	bool authenticates = tls != NULL && relay->user != NULL;
	auth_context_t auth = authenticates ? must(auth_create_context()) : NULL;
	enum connect_end end;
	bool has_greeted;

	dialogue_begin(dialogue, relay, OFFER_TIMEOUTS * mailer->timeout_ms);
	dialogue_watch(dialogue, session, tls);
	if (auth != NULL) {
		auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
		auth_set_interact_cb(auth, dialogue_give_credentials, dialogue);
		smtp_auth_set_context(session, auth);
	}
	connect_guard(mailer->timeout_ms < CONNECT_MS ? mailer->timeout_ms : CONNECT_MS,
		SESSION_TIMEOUTS * mailer->timeout_ms);
	has_greeted = smtp_start_session(session) != 0;
	/* libesmtp calls both a lost connection. */
	dialogue->facts.went_quiet = clock_monotonic_ms() - dialogue->heard_ms >= mailer->timeout_ms;
	end = connect_release();
	dialogue->facts.has_run_out |= end == CONNECT_EXPIRED;
	dialogue->facts.was_stopped |= end == CONNECT_STOPPED;
	dialogue_end(dialogue, !has_greeted);
	if (auth != NULL)
		auth_destroy_context(auth);
}

static void
copy_reply(struct relay_reply *reply, const smtp_status_t *status)
{
	char words[512];
	int length = snprintf(words, sizeof words, "%d ", status->code);

	reply->code = status->code;
	if (status->enh_class != 0)
		length += snprintf(words + length, sizeof words - (size_t)length, "%d.%d.%d ",
			status->enh_class, status->enh_subject, status->enh_detail);
	snprintf(words + length, sizeof words - (size_t)length, "%.300s",
		status->text != NULL ? status->text : "");
	copy_words(reply->words, sizeof reply->words, words);
}

static struct mail_outcome
judge(const struct delivery *delivery, const struct dialogue *dialogue)
{
	struct mail_facts mail = { .is_complete = smtp_recipient_check_complete(delivery->recipient) != 0 };

	if (dialogue->facts.fault_words[0] != '\0')
		return mail_unoffered(&dialogue->facts);
	copy_reply(&mail.sender, smtp_reverse_path_status(delivery->message));
	copy_reply(&mail.recipient, smtp_recipient_status(delivery->recipient));
	copy_reply(&mail.message, smtp_message_transfer_status(delivery->message));
	return mail_judge(&mail, &dialogue->facts);
}

static void
esmtp_send(const struct mailer *mailer, const struct mail *mails, int count, struct mail_outcome *outcomes)
{
	struct delivery *deliveries = xcalloc((size_t)count, sizeof *deliveries);
	smtp_session_t session = open_session(mailer);
	struct dialogue dialogue;

	for (int i = 0; i < count; i++) {
		deliveries[i].mail = &mails[i];
		add_delivery(mailer, session, &deliveries[i]);
	}
	run_session(mailer, session, &dialogue);
	session_log(&dialogue.facts);
	for (int i = 0; i < count; i++)
		outcomes[i] = judge(&deliveries[i], &dialogue);
	smtp_destroy_session(session);
	free(deliveries);
}

const struct transport transport_esmtp = { esmtp_create, esmtp_free, esmtp_send, .newest_tls = TLS1_2_VERSION };
