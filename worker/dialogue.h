/*
 * dialogue: watches one libesmtp session from inside, and stops it where libesmtp
 * would go on although it must not.
 *
 * libesmtp reports neither a refused password nor a refused certificate, and goes
 * on to offer mail unauthenticated. What happens between connecting and the first
 * MAIL is therefore read off its callbacks: events, every byte on the wire, and
 * OpenSSL's. A fault found there is one of the relay or of our configuration,
 * never of a recipient, and ends the session.
 */
#ifndef ROLLCALL_DIALOGUE_H
#define ROLLCALL_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>	/* before libesmtp.h, which looks for it */

#include <auth-client.h>
#include <libesmtp.h>

#include "mailer_priv.h"

struct smtp_config;

enum dialogue_wait { WAIT_NOTHING, WAIT_STARTTLS, WAIT_AUTH };

struct dialogue {
	const struct smtp_config *relay;
	struct session_facts facts;	/* a fault is what ended the session */
	int64_t offer_until_ms;		/* on the monotonic clock */
	int64_t heard_ms;		/* when the last bytes went to and fro, texts aside */

	/* of the present connection */
	bool was_reached;
	bool is_secure;			/* the handshake is done and checked */
	bool is_authenticated;
	bool was_refused;		/* our user name or password, by some mechanism */
	enum dialogue_wait waits_for;	/* whose answer comes next */
	char line[512];			/* the relay's, while it arrives; cut when longer */
	size_t line_length;
	bool is_continued;		/* the next line belongs to the same answer */
	bool has_begun;		/* a mail was offered */
	char refusal[256];		/* the relay's last 4xx or 5xx, its first line */
};

/* Starts afresh. After `offer_ms`, or when the program is to stop, no further message
 * is offered. */
void dialogue_begin(struct dialogue *dialogue, const struct smtp_config *relay, int offer_ms);
/* Hangs the dialogue on a session that has not started, and on the TLS context
 * that it will use (NULL: none). Both must not outlive it. */
void dialogue_watch(struct dialogue *dialogue, smtp_session_t session, SSL_CTX *tls);
/* For auth_set_interact_cb; `dialogue` is a struct dialogue. */
int dialogue_give_credentials(auth_client_request_t request, char **answers, int count,
	void *dialogue);
/* After the session: completes what only its end shows. `reached_none` is libesmtp's
 * word that no address of the relay could be greeted. */
void dialogue_end(struct dialogue *dialogue, bool reached_none);

#endif
