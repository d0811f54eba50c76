/*
 * mailer_curl: batches through libcurl: smtps://, XOAUTH2, TLS 1.3.
 *
 * libcurl connects, greets, starts TLS, verifies and authenticates, which curl_dialogue.c looks on
 * at; the mails then go over its connection by our own hand (CURLOPT_CONNECT_ONLY, smtp_batch.c).
 * What was learnt of 7.88, and why it is so:
 *
 * - Sending by curl_easy_perform is one message a call: MAIL, RCPT, DATA each a round trip
 *   of its own, nothing pipelined. A recipient that is refused ends the connection
 *   (CURLE_SEND_ERROR; MAIL_RCPT_ALLLOWFAILS helps only when another one is taken), so in a
 *   batch each would cost a handshake and a login; and MAIL, RCPT and text share one error.
 * - With CURLOPT_CONNECT_ONLY, perform returns behind the login; curl_easy_send and
 *   curl_easy_recv then carry plain bytes inside TLS, without blocking.
 * - Name and certificate are verified by default, but the folder of the system's certificates
 *   stays beside CURLOPT_CAINFO: it must be taken away. ALL_PROXY of the environment is heeded
 *   unless CURLOPT_PROXY is "".
 * - CURLOPT_CONNECTTIMEOUT covers everything up to the login; it would give a slow greeting no
 *   more time than a connection that nobody answers. So the progress callback, which is called
 *   once a second at least, watches the clock.
 * - A name is looked up in a thread; who gives up waits for it all the same, unless
 *   CURLOPT_QUICK_EXIT is set.
 * - Cleaning up says QUIT and waits for the answer; on a connection that was shut down it
 *   does not.
 * - 8BITMIME, SMTPUTF8: not needed. message_build writes seven bits, email_is_valid lets no
 *   other mailbox through. Dots are stuffed in smtp_batch.c; libcurl is not asked to.
 */
#include "mailer_priv.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "connect.h"
#include "curl_dialogue.h"
#include "log.h"
#include "memory.h"
#include "smtp_batch.h"
#include "smtp_token.h"

struct session {
	const struct mailer *mailer;
	const struct smtp_config *relay;
	CURL *easy;
	struct curl_dialogue dialogue;
	bool is_connected;
	bool went_quiet;
};

static void *
curl_create(const struct config *config)
{
	(void)config;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		die("could not prepare libcurl");
	return NULL;
}

static void
curl_free_all(void *own)
{
	(void)own;
	curl_global_cleanup();
}

/* Not 0: libcurl gives up. */
static int
on_progress(void *arg, curl_off_t to_read, curl_off_t was_read, curl_off_t to_write, curl_off_t was_written)
{
	struct session *session = arg;
	const int timeout_ms = session->mailer->timeout_ms;
	int64_t now_ms = clock_monotonic_ms();
	curl_off_t connected_us = 0;
	int limit_ms;

	(void)to_read, (void)was_read, (void)to_write, (void)was_written;
	if (!session->is_connected && curl_easy_getinfo(session->easy, CURLINFO_CONNECT_TIME_T, &connected_us) == CURLE_OK
		&& connected_us > 0) {
		session->is_connected = true;
		session->dialogue.heard_ms = now_ms;
	}
	limit_ms = session->is_connected || timeout_ms < 2 * CONNECT_MS ? timeout_ms : 2 * CONNECT_MS;
	session->went_quiet = now_ms - session->dialogue.heard_ms >= limit_ms;
	return session->went_quiet || connect_is_over();
}

static void
set_credentials(struct session *session)
{
	CURL *easy = session->easy;

	if (session->relay->user == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_USERNAME, session->relay->user);
	/* With the command: one round trip less, and relays that quote it are noticed. */
	curl_easy_setopt(easy, CURLOPT_SASL_IR, 1L);
	if (session->dialogue.token != NULL) {
		curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, session->dialogue.token);
		curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=XOAUTH2");
	} else {
		curl_easy_setopt(easy, CURLOPT_PASSWORD, session->relay->password);
		curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
	}
}

static void
set_tls(const struct session *session)
{
	CURL *easy = session->easy;
	const char *ca = session->mailer->config->smtp_ca;

	curl_easy_setopt(easy, CURLOPT_USE_SSL, session->relay->tls == SMTP_TLS_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
}

static void
set_url(const struct session *session)
{
	char *name = curl_easy_escape(session->easy, session->mailer->greeting, 0);
	struct buffer url = BUFFER_INIT;

	/* What stands for a path is our name in EHLO. */
	buffer_printf(&url, "%s://%s:%d/%s", session->relay->tls == SMTP_TLS_IMPLICIT ? "smtps" : "smtp",
		session->relay->host, session->relay->port, name != NULL ? name : "localhost");
	curl_easy_setopt(session->easy, CURLOPT_URL, buffer_text(&url));
	curl_free(name);
	buffer_free(&url);
}

static void
set_up(struct session *session)
{
	CURL *easy = session->easy;

	set_url(session);
	set_tls(session);
	set_credentials(session);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)SESSION_TIMEOUTS * session->mailer->timeout_ms);
	curl_dialogue_watch(&session->dialogue, easy);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, session);
}

/* False: `facts` say why, or that it took too long, or that the program is to stop. */
static bool
connect_to_relay(struct session *session)
{
	CURLcode code;

	set_up(session);
	code = curl_easy_perform(session->easy);
	if (code == CURLE_OK || !(connect_is_over() || (session->went_quiet && session->is_connected)))
		curl_dialogue_end(&session->dialogue, session->easy, code, session->went_quiet);
	return code == CURLE_OK && session->dialogue.facts.fault_words[0] == '\0';
}

static void
run_batch(struct session *session, const struct mail *mails, int count, int64_t offer_until_ms,
	struct mail_facts *facts)
{
	struct smtp_link link = {
		.easy = session->easy, .timeout_ms = session->mailer->timeout_ms, .offer_until_ms = offer_until_ms,
		.may_pipeline = session->dialogue.may_pipeline,
	};
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(session->easy, CURLINFO_ACTIVESOCKET, &fd);
	link.fd = fd;
	connect_watch(fd);
	smtp_batch_run(&link, session->mailer->config->mail_from_address, mails, count, facts);
	smtp_batch_quit(&link);
	session->dialogue.facts.was_stopped = link.was_stopped;
	session->dialogue.facts.has_run_out = link.has_run_out;
	session->went_quiet = link.went_quiet;
	copy_words(session->dialogue.refusal, sizeof session->dialogue.refusal, link.goodbye);
}

/* From here on a stop and the deadline cut, as in connect.h. */
static void
run_session(struct session *session, const struct mail *mails, int count, struct mail_facts *facts)
{
	struct session_facts *found = &session->dialogue.facts;
	const int timeout_ms = session->mailer->timeout_ms;
	const int64_t offer_until_ms = clock_monotonic_ms() + OFFER_TIMEOUTS * timeout_ms;
	enum connect_end end;

	connect_guard(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS, SESSION_TIMEOUTS * timeout_ms);
	session->dialogue.heard_ms = clock_monotonic_ms();
	if (connect_to_relay(session))
		run_batch(session, mails, count, offer_until_ms, facts);
	connect_cut();
	end = connect_release();
	found->was_stopped |= end == CONNECT_STOPPED;
	found->has_run_out |= end == CONNECT_EXPIRED;
	found->went_quiet = session->went_quiet;
	found->refusal = session->dialogue.refusal;
}

static void
curl_send(const struct mailer *mailer, const struct mail *mails, int count, struct mail_outcome *outcomes)
{
	struct mail_facts *facts = xcalloc((size_t)count, sizeof *facts);
	struct session session = {
		.mailer = mailer, .relay = &mailer->config->smtp, .easy = curl_easy_init(),
		.dialogue = { .relay = &mailer->config->smtp },
	};
	struct session_facts *found = &session.dialogue.facts;
	const char *reason = NULL;
	char *token = NULL;

	if (session.easy == NULL)
		abort();	/* out of memory */
	if (session.relay->xoauth2)
		token = smtp_token_read(mailer->config->smtp_token_file, &reason);
	session.dialogue.token = token;
	if (reason != NULL)
		session_set_fault(found, MAIL_OUR_FAULT, "could not read ROLLCALL_SMTP_TOKEN_FILE", reason);
	else
		run_session(&session, mails, count, facts);
	session_log(found);
	for (int i = 0; i < count; i++)
		outcomes[i] = found->fault_words[0] != '\0' ? mail_unoffered(found) : mail_judge(&facts[i], found);
	curl_easy_cleanup(session.easy);
	smtp_token_free(&token);
	free(facts);
}

const struct transport transport_curl = { curl_create, curl_free_all, curl_send, .newest_tls = 0 };
