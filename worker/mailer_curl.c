/*
 * mailer_curl: batches through libcurl: smtps://, XOAUTH2, TLS 1.3.
 *
 * libcurl connects, greets, starts TLS, verifies and authenticates; the mails then go over
 * its connection by our own hand (CURLOPT_CONNECT_ONLY, smtp_batch.c). What was learnt of
 * 7.88, and why it is so:
 *
 * - Sending by curl_easy_perform is one message a call: MAIL, RCPT, DATA each a round trip
 *   of its own, nothing pipelined. A recipient that is refused ends the connection
 *   (CURLE_SEND_ERROR; MAIL_RCPT_ALLLOWFAILS helps only when another one is taken), so in a
 *   batch each would cost a handshake and a login; and MAIL, RCPT and text share one error.
 * - With CURLOPT_CONNECT_ONLY, perform returns behind the login; curl_easy_send and
 *   curl_easy_recv then carry plain bytes inside TLS, without blocking.
 * - CURLINFO_HEADER_IN of the debug callback has each line that the relay says (so has
 *   CURLOPT_HEADERFUNCTION), HEADER_OUT each command: with the password, so only its verb is
 *   looked at.
 * - Where the relay offers no AUTH at all, it goes on without (so we look for 235); where none
 *   of what we allow, CURLE_LOGIN_DENIED. One mechanism is tried, the best one that is offered.
 *   NTLM, DIGEST-MD5, CRAM-MD5 are left out: inside verified TLS they bring nothing.
 * - A token that is refused is answered by 334 and base64, which ends in CURLE_LOGIN_DENIED.
 * - STARTTLS with bytes behind its answer is CURLE_WEIRD_SERVER_REPLY. EHLO that is refused is
 *   followed by HELO where no TLS is asked for.
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
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "connect.h"
#include "encode.h"
#include "log.h"
#include "memory.h"
#include "smtp_batch.h"
#include "smtp_token.h"

/* Whose answer comes next. */
enum stage { STAGE_GREETING, STAGE_EHLO, STAGE_STARTTLS, STAGE_AUTH };

struct session {
	const struct mailer *mailer;
	const struct smtp_config *relay;
	CURL *easy;
	char error[CURL_ERROR_SIZE];	/* libcurl's words */
	char *token;			/* NULL unless XOAUTH2 */
	enum stage stage;
	char last[512];			/* the relay's last line */
	char refusal[256];		/* its last 4xx or 5xx, its first line */
	bool is_continued;
	bool is_authenticated, may_pipeline;
	bool is_connected;
	int64_t heard_ms;		/* when something last came to pass */
	bool went_quiet;
	struct session_facts facts;
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

static void
heed_command(struct session *session, const char *bytes, size_t length)
{
	if (length >= 5 && (strncasecmp(bytes, "EHLO ", 5) == 0 || strncasecmp(bytes, "HELO ", 5) == 0)) {
		session->stage = STAGE_EHLO;
		session->may_pipeline = false;
	} else if (length >= 8 && strncasecmp(bytes, "STARTTLS", 8) == 0) {
		session->stage = STAGE_STARTTLS;
	} else if (length >= 5 && strncasecmp(bytes, "AUTH ", 5) == 0) {
		session->stage = STAGE_AUTH;
	}
}

static void
heed_line(struct session *session, const char *bytes, size_t length)
{
	const bool was_continued = session->is_continued;

	while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	snprintf(session->last, sizeof session->last, "%.*s", (int)length, bytes);
	session->is_continued = length > 3 && session->last[3] == '-';
	if (!was_continued && (session->last[0] == '4' || session->last[0] == '5'))
		copy_words(session->refusal, sizeof session->refusal, session->last);
	if (session->stage == STAGE_EHLO && length > 4 && strcasecmp(session->last + 4, "PIPELINING") == 0)
		session->may_pipeline = true;
	if (session->stage == STAGE_AUTH && session->last[0] == '2')
		session->is_authenticated = true;
}

static int
on_bytes(CURL *easy, curl_infotype type, char *bytes, size_t length, void *arg)
{
	struct session *session = arg;

	(void)easy;
	if (type == CURLINFO_HEADER_OUT)
		heed_command(session, bytes, length);
	else if (type == CURLINFO_HEADER_IN)
		heed_line(session, bytes, length);
	else
		return 0;
	session->heard_ms = clock_monotonic_ms();
	return 0;
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
		session->heard_ms = now_ms;
	}
	limit_ms = session->is_connected || timeout_ms < 2 * CONNECT_MS ? timeout_ms : 2 * CONNECT_MS;
	session->went_quiet = now_ms - session->heard_ms >= limit_ms;
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
	if (session->token != NULL) {
		curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, session->token);
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
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, session->error);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, session);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, session);
}

static void
fault(struct session *session, enum mail_result result, const char *reason, const char *detail)
{
	session_set_fault(&session->facts, result, reason, detail);
}

static bool
is_put_off(const struct session *session)
{
	return session->last[0] == '4';
}

static const char *
secret_of(const struct session *session)
{
	return session->token != NULL ? session->token : session->relay->password;
}

/* What the relay gave for a reason, without our secret; the reason of a token lies in base64. */
static void
explain_login(const struct session *session, char *words, size_t size)
{
	uint8_t reason[512];
	long length = strncmp(session->last, "334 ", 4) == 0
		? base64_decode(session->last + 4, reason, sizeof reason - 1) : -1;

	copy_words(words, size, session->refusal);
	if (length >= 0) {
		reason[length] = '\0';
		snprintf(words, size, "334 ");
		copy_words(words + 4, size - 4, (const char *)reason);
	}
	if (words_hold_secret(words, session->relay->user, secret_of(session)))
		words[3] = '\0';
}

static void
blame_login(struct session *session)
{
	char words[256];

	if (session->stage != STAGE_AUTH) {
		fault(session, MAIL_OUR_FAULT, session->token != NULL ? "the relay offers no authentication by XOAUTH2"
			: "the relay offers no authentication that we know", "");
		return;
	}
	explain_login(session, words, sizeof words);
	fault(session, is_put_off(session) ? MAIL_LATER : MAIL_OUR_FAULT, session->token != NULL
		? "the relay refused our token" : "the relay refused our user name or password", words);
}

static void
blame_starttls(struct session *session)
{
	if (session->stage != STAGE_STARTTLS)
		fault(session, MAIL_OUR_FAULT, "the relay does not offer STARTTLS", "");
	else if (is_put_off(session))
		fault(session, MAIL_LATER, "the relay cannot do TLS now", session->refusal);
	else
		fault(session, MAIL_OUR_FAULT, "the relay refused STARTTLS", session->refusal);
}

/* A broken connection ends a handshake, too; what OpenSSL objects to has its error codes. */
static void
blame_handshake(struct session *session)
{
	const char *reason = strstr(session->error, "error:");

	if (reason != NULL && strstr(reason, "unexpected eof") == NULL && strrchr(reason, ':')[1] != '\0')
		fault(session, MAIL_OUR_FAULT, "TLS with the relay failed", strrchr(reason, ':') + 1);
	else
		fault(session, MAIL_LATER, "the connection was lost while TLS began", "");
}

static void
blame_network(struct session *session)
{
	char reason[128];
	long error = 0;

	curl_easy_getinfo(session->easy, CURLINFO_OS_ERRNO, &error);
	if (session->went_quiet)
		error = ETIMEDOUT;
	fault(session, MAIL_LATER, "could not reach the relay",
		error != 0 ? strerror_r((int)error, reason, sizeof reason) : session->error);
}

/* The relay went, or said what leaves nothing to do. */
static void
blame_relay(struct session *session, CURLcode code)
{
	if (session->stage == STAGE_STARTTLS && code == CURLE_WEIRD_SERVER_REPLY)
		fault(session, MAIL_OUR_FAULT, "clear text behind the answer to STARTTLS", "");
	else if (session->stage == STAGE_EHLO && session->relay->tls == SMTP_TLS_STARTTLS && session->last[0] == '5')
		fault(session, MAIL_OUR_FAULT, "the relay does not offer STARTTLS", session->refusal);
	else
		fault(session, MAIL_LATER, "the relay did not greet us",
			session->refusal[0] != '\0' ? session->refusal : "connection lost or timed out");
}

static void
blame(struct session *session, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		blame_network(session);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		fault(session, MAIL_OUR_FAULT, "the relay's certificate was refused", session->error);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		blame_handshake(session);
		break;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_INITFAILED:
		fault(session, MAIL_OUR_FAULT, "could not prepare TLS", session->error);
		break;
	case CURLE_USE_SSL_FAILED:
		blame_starttls(session);
		break;
	case CURLE_LOGIN_DENIED:
		blame_login(session);
		break;
	default:
		blame_relay(session, code);
	}
}

/* False: `facts` say why, or that it took too long, or that the program is to stop. */
static bool
connect_to_relay(struct session *session)
{
	CURLcode code;

	set_up(session);
	code = curl_easy_perform(session->easy);
	if (code == CURLE_OK && session->relay->user != NULL && !session->is_authenticated)
		blame_login(session);
	else if (code != CURLE_OK && !connect_is_over() && !(session->went_quiet && session->is_connected))
		session->went_quiet ? blame_network(session) : blame(session, code);
	return code == CURLE_OK && session->facts.fault_words[0] == '\0';
}

static void
run_batch(struct session *session, const struct mail *mails, int count, int64_t offer_until_ms,
	struct mail_facts *facts)
{
	struct smtp_link link = {
		.easy = session->easy, .timeout_ms = session->mailer->timeout_ms, .offer_until_ms = offer_until_ms,
		.may_pipeline = session->may_pipeline,
	};
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(session->easy, CURLINFO_ACTIVESOCKET, &fd);
	link.fd = fd;
	connect_watch(fd);
	smtp_batch_run(&link, session->mailer->config->mail_from_address, mails, count, facts);
	smtp_batch_quit(&link);
	session->facts.was_stopped = link.was_stopped;
	session->facts.has_run_out = link.has_run_out;
	session->went_quiet = link.went_quiet;
	copy_words(session->refusal, sizeof session->refusal, link.goodbye);
}

/* From here on a stop and the deadline cut, as in connect.h. */
static void
run_session(struct session *session, const struct mail *mails, int count, struct mail_facts *facts)
{
	const int timeout_ms = session->mailer->timeout_ms;
	const int64_t offer_until_ms = clock_monotonic_ms() + OFFER_TIMEOUTS * timeout_ms;
	enum connect_end end;

	connect_guard(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS, SESSION_TIMEOUTS * timeout_ms);
	session->heard_ms = clock_monotonic_ms();
	if (connect_to_relay(session))
		run_batch(session, mails, count, offer_until_ms, facts);
	connect_cut();
	end = connect_release();
	session->facts.was_stopped |= end == CONNECT_STOPPED;
	session->facts.has_run_out |= end == CONNECT_EXPIRED;
	session->facts.went_quiet = session->went_quiet;
	session->facts.refusal = session->refusal;
}

static void
curl_send(const struct mailer *mailer, const struct mail *mails, int count, struct mail_outcome *outcomes)
{
	struct mail_facts *facts = xcalloc((size_t)count, sizeof *facts);
	struct session session = { .mailer = mailer, .relay = &mailer->config->smtp, .easy = curl_easy_init() };
	const char *reason = NULL;

	if (session.easy == NULL)
		abort();	/* out of memory */
	if (session.relay->xoauth2)
		session.token = smtp_token_read(mailer->config->smtp_token_file, &reason);
	if (reason != NULL)
		fault(&session, MAIL_OUR_FAULT, "could not read ROLLCALL_SMTP_TOKEN_FILE", reason);
	else
		run_session(&session, mails, count, facts);
	session_log(&session.facts);
	for (int i = 0; i < count; i++)
		outcomes[i] = session.facts.fault_words[0] != '\0' ? mail_unoffered(&session.facts)
			: mail_judge(&facts[i], &session.facts);
	curl_easy_cleanup(session.easy);
	smtp_token_free(&session.token);
	free(facts);
}

const struct transport transport_curl = { curl_create, curl_free_all, curl_send, .newest_tls = 0 };
