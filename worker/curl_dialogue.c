/*
 * What libcurl shows of the talk (CURLOPT_DEBUGFUNCTION), and whose fault its end is. Learnt of
 * 7.88:
 *
 * - CURLINFO_HEADER_IN of the debug callback has each line that the relay says (so has
 *   CURLOPT_HEADERFUNCTION), HEADER_OUT each command: with the password, so only its verb is
 *   looked at.
 * - Where the relay offers no AUTH at all, it goes on without (so we look for 235); where none
 *   of what we allow, CURLE_LOGIN_DENIED. One mechanism is tried, the best one that is offered.
 *   NTLM, DIGEST-MD5, CRAM-MD5 are left out: inside verified TLS they bring nothing.
 * - A token that is refused is answered by 334 and base64, which ends in CURLE_LOGIN_DENIED.
 * - STARTTLS with bytes behind its answer is CURLE_WEIRD_SERVER_REPLY. EHLO that is refused is
 *   followed by HELO where no TLS is asked for.
 */
#include "curl_dialogue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "config.h"
#include "encode.h"

static void
heed_command(struct curl_dialogue *dialogue, const char *bytes, size_t length)
{
	if (length >= 5 && (strncasecmp(bytes, "EHLO ", 5) == 0 || strncasecmp(bytes, "HELO ", 5) == 0)) {
		dialogue->stage = STAGE_EHLO;
		dialogue->may_pipeline = false;
	} else if (length >= 8 && strncasecmp(bytes, "STARTTLS", 8) == 0) {
		dialogue->stage = STAGE_STARTTLS;
	} else if (length >= 5 && strncasecmp(bytes, "AUTH ", 5) == 0) {
		dialogue->stage = STAGE_AUTH;
	}
}

static void
heed_line(struct curl_dialogue *dialogue, const char *bytes, size_t length)
{
	const bool was_continued = dialogue->is_continued;

	while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	snprintf(dialogue->last, sizeof dialogue->last, "%.*s", (int)length, bytes);
	dialogue->is_continued = length > 3 && dialogue->last[3] == '-';
	if (!was_continued && (dialogue->last[0] == '4' || dialogue->last[0] == '5'))
		copy_words(dialogue->refusal, sizeof dialogue->refusal, dialogue->last);
	if (dialogue->stage == STAGE_EHLO && length > 4 && strcasecmp(dialogue->last + 4, "PIPELINING") == 0)
		dialogue->may_pipeline = true;
	if (dialogue->stage == STAGE_AUTH && dialogue->last[0] == '2')
		dialogue->is_authenticated = true;
}

static int
on_bytes(CURL *easy, curl_infotype type, char *bytes, size_t length, void *arg)
{
	struct curl_dialogue *dialogue = arg;

	(void)easy;
	if (type == CURLINFO_HEADER_OUT)
		heed_command(dialogue, bytes, length);
	else if (type == CURLINFO_HEADER_IN)
		heed_line(dialogue, bytes, length);
	else
		return 0;
	dialogue->heard_ms = clock_monotonic_ms();
	return 0;
}

void
curl_dialogue_watch(struct curl_dialogue *dialogue, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, dialogue->error);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, dialogue);
}

/* ---- Whose fault it is. */

static void
fault(struct curl_dialogue *dialogue, enum mail_result result, const char *reason, const char *detail)
{
	session_set_fault(&dialogue->facts, result, reason, detail);
}

static bool
is_put_off(const struct curl_dialogue *dialogue)
{
	return dialogue->last[0] == '4';
}

static const char *
secret_of(const struct curl_dialogue *dialogue)
{
	return dialogue->token != NULL ? dialogue->token : dialogue->relay->password;
}

/* What the relay gave for a reason, without our secret; the reason of a token lies in base64. */
static void
explain_login(const struct curl_dialogue *dialogue, char *words, size_t size)
{
	uint8_t reason[512];
	long length = strncmp(dialogue->last, "334 ", 4) == 0
		? base64_decode(dialogue->last + 4, reason, sizeof reason - 1) : -1;

	copy_words(words, size, dialogue->refusal);
	if (length >= 0) {
		reason[length] = '\0';
		snprintf(words, size, "334 ");
		copy_words(words + 4, size - 4, (const char *)reason);
	}
	if (words_hold_secret(words, dialogue->relay->user, secret_of(dialogue)))
		words[3] = '\0';
}

static void
blame_login(struct curl_dialogue *dialogue)
{
	char words[256];

	if (dialogue->stage != STAGE_AUTH) {
		fault(dialogue, MAIL_OUR_FAULT, dialogue->token != NULL ? "the relay offers no authentication by XOAUTH2"
			: "the relay offers no authentication that we know", "");
		return;
	}
	explain_login(dialogue, words, sizeof words);
	fault(dialogue, is_put_off(dialogue) ? MAIL_LATER : MAIL_OUR_FAULT, dialogue->token != NULL
		? "the relay refused our token" : "the relay refused our user name or password", words);
}

static void
blame_starttls(struct curl_dialogue *dialogue)
{
	if (dialogue->stage != STAGE_STARTTLS)
		fault(dialogue, MAIL_OUR_FAULT, "the relay does not offer STARTTLS", "");
	else if (is_put_off(dialogue))
		fault(dialogue, MAIL_LATER, "the relay cannot do TLS now", dialogue->refusal);
	else
		fault(dialogue, MAIL_OUR_FAULT, "the relay refused STARTTLS", dialogue->refusal);
}

/* A broken connection ends a handshake, too; what OpenSSL objects to has its error codes. */
static void
blame_handshake(struct curl_dialogue *dialogue)
{
	const char *reason = strstr(dialogue->error, "error:");

	if (reason != NULL && strstr(reason, "unexpected eof") == NULL && strrchr(reason, ':')[1] != '\0')
		fault(dialogue, MAIL_OUR_FAULT, "TLS with the relay failed", strrchr(reason, ':') + 1);
	else
		fault(dialogue, MAIL_LATER, "the connection was lost while TLS began", "");
}

static void
blame_network(struct curl_dialogue *dialogue, CURL *easy, bool went_quiet)
{
	char reason[128];
	long error = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
	if (went_quiet)
		error = ETIMEDOUT;
	fault(dialogue, MAIL_LATER, "could not reach the relay",
		error != 0 ? strerror_r((int)error, reason, sizeof reason) : dialogue->error);
}

/* The relay went, or said what leaves nothing to do. */
static void
blame_relay(struct curl_dialogue *dialogue, CURLcode code)
{
	if (dialogue->stage == STAGE_STARTTLS && code == CURLE_WEIRD_SERVER_REPLY)
		fault(dialogue, MAIL_OUR_FAULT, "clear text behind the answer to STARTTLS", "");
	else if (dialogue->stage == STAGE_EHLO && dialogue->relay->tls == SMTP_TLS_STARTTLS && dialogue->last[0] == '5')
		fault(dialogue, MAIL_OUR_FAULT, "the relay does not offer STARTTLS", dialogue->refusal);
	else
		fault(dialogue, MAIL_LATER, "the relay did not greet us",
			dialogue->refusal[0] != '\0' ? dialogue->refusal : "connection lost or timed out");
}

static void
blame(struct curl_dialogue *dialogue, CURL *easy, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		blame_network(dialogue, easy, false);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		fault(dialogue, MAIL_OUR_FAULT, "the relay's certificate was refused", dialogue->error);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		blame_handshake(dialogue);
		break;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_INITFAILED:
		fault(dialogue, MAIL_OUR_FAULT, "could not prepare TLS", dialogue->error);
		break;
	case CURLE_USE_SSL_FAILED:
		blame_starttls(dialogue);
		break;
	case CURLE_LOGIN_DENIED:
		blame_login(dialogue);
		break;
	default:
		blame_relay(dialogue, code);
	}
}

void
curl_dialogue_end(struct curl_dialogue *dialogue, CURL *easy, CURLcode code, bool went_quiet)
{
	if (code != CURLE_OK && went_quiet)
		blame_network(dialogue, easy, true);
	else if (code != CURLE_OK)
		blame(dialogue, easy, code);
	else if (dialogue->relay->user != NULL && !dialogue->is_authenticated)
		blame_login(dialogue);
}
