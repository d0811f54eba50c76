/*
 * dialogue: the callbacks that watch a session.
 *
 * Always true: the first fault stays; a fault cuts the connection, so no mail is
 * offered after it. What is written to the relay is only looked at for its verb:
 * it holds the password.
 */
#include "dialogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "connect.h"
#include "supervisor.h"

static void
fault(struct dialogue *dialogue, enum mail_result result, const char *reason, const char *detail)
{
	session_set_fault(&dialogue->facts, result, reason, detail);
	connect_cut();
}

void
dialogue_begin(struct dialogue *dialogue, const struct smtp_config *relay, int offer_ms)
{
	*dialogue = (struct dialogue){
		.relay = relay,
		.offer_until_ms = clock_monotonic_ms() + offer_ms,
		.heard_ms = clock_monotonic_ms(),
	};
	dialogue->facts.refusal = dialogue->refusal;
}

/* libesmtp may try several addresses of the relay: each is a new acquaintance. */
static void
meet(struct dialogue *dialogue)
{
	dialogue->was_reached = true;
	dialogue->is_secure = false;
	dialogue->is_authenticated = false;
	dialogue->was_refused = false;
	dialogue->waits_for = WAIT_NOTHING;
	dialogue->line_length = 0;
	dialogue->is_continued = dialogue->has_begun = false;
	dialogue->refusal[0] = '\0';
}

static void
heed_auth_answer(struct dialogue *dialogue, const char *line)
{
	if (line[0] == '3')	/* a challenge: libesmtp answers it */
		return;
	dialogue->waits_for = WAIT_NOTHING;
	dialogue->is_authenticated = line[0] == '2';
	dialogue->was_refused |= !dialogue->is_authenticated;
	if (!dialogue->is_authenticated
		&& words_hold_secret(dialogue->refusal, dialogue->relay->user, dialogue->relay->password))
		snprintf(dialogue->refusal, sizeof dialogue->refusal, "%.3s", line);
}

static void
heed_starttls_answer(struct dialogue *dialogue, const char *line, bool more_follows)
{
	dialogue->waits_for = WAIT_NOTHING;
	if (line[0] == '4')
		fault(dialogue, MAIL_LATER, "the relay cannot do TLS now", line);
	else if (line[0] != '2')
		fault(dialogue, MAIL_OUR_FAULT, "the relay refused STARTTLS", line);
	else if (more_follows)
		/* libesmtp would take it for an answer given inside TLS. */
		fault(dialogue, MAIL_OUR_FAULT, "clear text behind the answer to STARTTLS", "");
}

static void
heed_line(struct dialogue *dialogue, const char *line, bool more_follows)
{
	const bool is_refusal = dialogue->has_begun ? strncmp(line, "421", 3) == 0 : line[0] == '4' || line[0] == '5';

	if (is_refusal && !dialogue->is_continued)
		copy_words(dialogue->refusal, sizeof dialogue->refusal, line);
	dialogue->is_continued = strlen(line) > 3 && line[3] == '-';
	if (dialogue->is_continued)
		return;
	if (dialogue->waits_for == WAIT_AUTH)
		heed_auth_answer(dialogue, line);
	else if (dialogue->waits_for == WAIT_STARTTLS)
		heed_starttls_answer(dialogue, line, more_follows);
}

static void
heed_bytes(struct dialogue *dialogue, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n') {
			if (dialogue->line_length + 1 < sizeof dialogue->line)
				dialogue->line[dialogue->line_length++] = bytes[i];
			continue;
		}
		while (dialogue->line_length > 0 && dialogue->line[dialogue->line_length - 1] == '\r')
			dialogue->line_length--;
		dialogue->line[dialogue->line_length] = '\0';
		dialogue->line_length = 0;
		heed_line(dialogue, dialogue->line, i + 1 < length);
	}
}

/* Before the first MAIL it is decided whether we are who we must be. */
static void
admit_mail(struct dialogue *dialogue)
{
	if (dialogue->relay->user == NULL || dialogue->is_authenticated)
		return;
	if (!dialogue->was_refused)
		fault(dialogue, MAIL_OUR_FAULT, "the relay offers no authentication that we know", "");
	else
		fault(dialogue, dialogue->refusal[0] == '4' ? MAIL_LATER : MAIL_OUR_FAULT,
			"the relay refused our user name or password", dialogue->refusal);
}

static bool
begins(const char *bytes, size_t length, const char *verb)
{
	return length >= strlen(verb) && strncmp(bytes, verb, strlen(verb)) == 0;
}

static void
heed_command(struct dialogue *dialogue, const char *bytes, size_t length)
{
	if (begins(bytes, length, "STARTTLS"))
		dialogue->waits_for = WAIT_STARTTLS;
	else if (begins(bytes, length, "AUTH ") && !dialogue->is_secure)
		fault(dialogue, MAIL_OUR_FAULT, "authentication outside TLS", "");
	else if (begins(bytes, length, "AUTH "))
		dialogue->waits_for = WAIT_AUTH;
	else if (begins(bytes, length, "MAIL ")) {
		admit_mail(dialogue);
		/* From here on what is refused is one mail, and not the next one's affair; but for a
		 * relay that says goodbye. */
		if (!dialogue->has_begun)
			dialogue->refusal[0] = '\0';
		dialogue->has_begun = true;
	}
	/* The message before is done with. */
	if (begins(bytes, length, "MAIL ") || begins(bytes, length, "QUIT"))
		connect_set_in_hand(false);
}

/* libesmtp switches this off while a message's text is sent. */
static void
on_bytes(const char *bytes, int length, int direction, void *arg)
{
	struct dialogue *dialogue = arg;

	dialogue->heard_ms = clock_monotonic_ms();
	if (direction == SMTP_CB_WRITING)
		heed_command(dialogue, bytes, (size_t)length);
	else if (direction == SMTP_CB_READING)
		heed_bytes(dialogue, bytes, (size_t)length);
}

/* libesmtp compares a certificate with DNS' canonical name, and knows no IP
 * addresses. OpenSSL has compared it with the configured name, and ends the
 * handshake where that does not fit. (An invalid certificate has an event of its
 * own, which nobody accepts.) */
static void
accept_certificate(va_list *event)
{
	int *is_accepted = va_arg(*event, int *);
	const char *found_name = va_arg(*event, const char *);
	SSL *tls = va_arg(*event, SSL *);

	(void)found_name;
	*is_accepted = SSL_get_verify_result(tls) == X509_V_OK;
}

/* A MAIL was answered: here the session may still end without harm to its message. */
static void
heed_offer(struct dialogue *dialogue)
{
	connect_set_in_hand(true);
	dialogue->facts.was_stopped = supervisor_stopping();
	dialogue->facts.has_run_out = !dialogue->facts.was_stopped && clock_monotonic_ms() > dialogue->offer_until_ms;
	if (dialogue->facts.was_stopped || dialogue->facts.has_run_out)
		connect_cut();
}

static void
on_event(smtp_session_t session, int event, void *arg, ...)
{
	struct dialogue *dialogue = arg;
	va_list arguments;

	(void)session;
	va_start(arguments, arg);
	switch (event) {
	case SMTP_EV_CONNECT:
		meet(dialogue);
		break;
	case SMTP_EV_STARTTLS_OK:
		dialogue->is_secure = true;
		break;
	case SMTP_EV_EXTNA_STARTTLS:
		fault(dialogue, MAIL_OUR_FAULT, "the relay does not offer STARTTLS", "");
		break;
	case SMTP_EV_WRONG_PEER_CERTIFICATE:
		accept_certificate(&arguments);
		break;
	case SMTP_EV_UNUSABLE_CLIENT_CERTIFICATE:
		fault(dialogue, MAIL_OUR_FAULT, "unusable client certificate in the home folder", "");
		break;
	case SMTP_EV_MAILSTATUS:
		heed_offer(dialogue);
		break;
	default:
		break;
	}
	va_end(arguments);
}

static struct dialogue *
dialogue_of(const SSL *tls)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
}

static void
on_handshake_start(SSL *tls)
{
	const struct dialogue *dialogue = dialogue_of(tls);

	/* libesmtp sends no server name. */
	if (SSL_get0_param(tls) != NULL && X509_VERIFY_PARAM_get0_host(SSL_get0_param(tls), 0) != NULL)
		SSL_set_tlsext_host_name(tls, dialogue->relay->host);
	/* It would load a client certificate that it finds in the home folder, and
	 * release it once too often. */
	SSL_certs_clear(tls);
}

static void
on_tls(const SSL *tls, int where, int value)
{
	bool is_fatal_alert = (where & SSL_CB_ALERT) != 0 && !dialogue_of(tls)->is_secure
		&& strcmp(SSL_alert_type_string(value), "F") == 0;

	if (where & SSL_CB_HANDSHAKE_START)
		on_handshake_start((SSL *)tls);
	else if (is_fatal_alert)
		fault(dialogue_of(tls), MAIL_OUR_FAULT, "TLS with the relay failed",
			SSL_alert_desc_string_long(value));
}

static int
on_certificate(int is_good, X509_STORE_CTX *store)
{
	SSL *tls = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	if (!is_good)
		fault(dialogue_of(tls), MAIL_OUR_FAULT, "the relay's certificate was refused",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
	return is_good;
}

void
dialogue_watch(struct dialogue *dialogue, smtp_session_t session, SSL_CTX *tls)
{
	smtp_set_eventcb(session, on_event, dialogue);
	smtp_set_monitorcb(session, on_bytes, dialogue, 0);
	if (tls == NULL)
		return;
	SSL_CTX_set_app_data(tls, dialogue);
	SSL_CTX_set_info_callback(tls, on_tls);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, on_certificate);
	smtp_starttls_enable(session, Starttls_REQUIRED);
	smtp_starttls_set_ctx(session, tls);
}

int
dialogue_give_credentials(auth_client_request_t request, char **answers, int count, void *arg)
{
	const struct dialogue *dialogue = arg;

	if (!dialogue->is_secure)
		return 0;
	for (int i = 0; i < count; i++) {
		if (request[i].flags & AUTH_PASS)
			answers[i] = dialogue->relay->password;
		else if (request[i].flags & AUTH_USER)
			answers[i] = dialogue->relay->user;
		else
			answers[i] = NULL;
	}
	return 1;
}

void
dialogue_end(struct dialogue *dialogue, bool reached_none)
{
	char reason[128];

	if (dialogue->facts.fault_words[0] != '\0')
		return;
	/* 534 and 538 end a session before any MAIL. */
	if (dialogue->was_refused)
		admit_mail(dialogue);
	else if (dialogue->facts.was_stopped)
		return;
	else if (reached_none && dialogue->was_reached)
		fault(dialogue, MAIL_LATER, "the relay did not greet us",
			dialogue->refusal[0] != '\0' ? dialogue->refusal : "connection lost or timed out");
	else if (reached_none)
		fault(dialogue, MAIL_LATER, "could not reach the relay",
			smtp_strerror(smtp_errno(), reason, sizeof reason));
}
