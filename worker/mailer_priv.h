/*
 * mailer_priv: what the two transports of the mailer share: how they are called, and how
 * what a relay said becomes an outcome.
 */
#ifndef ROLLCALL_MAILER_PRIV_H
#define ROLLCALL_MAILER_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "mailer.h"

enum {
	CONNECT_MS = 5000,	/* one attempt to connect */
	OFFER_TIMEOUTS = 2,	/* how many timeouts long messages are offered, */
	SESSION_TIMEOUTS = 4,	/* and after how many the session is cut (mailer_set_timeout) */
};

/* A session over one library. */
struct transport {
	void *(*create)(const struct config *config);
	void (*free)(void *own);
	/* As mailer_send; all recipients are addresses. */
	void (*send)(const struct mailer *mailer, const struct mail *mails, int count,
		struct mail_outcome *outcomes);
	/* The last version of TLS that it speaks, as OpenSSL numbers them; 0: as new as there is. The
	 * first is 1.2. The doctor asks the relay within the same bounds. */
	int newest_tls;
};
extern const struct transport transport_esmtp, transport_curl;
/* The one that the configuration names. */
const struct transport *transport_of(const struct config *config);

struct mailer {
	const struct config *config;
	const struct transport *transport;
	void *own;		/* of the transport */
	char greeting[256];	/* what we call ourselves in EHLO */
	int timeout_ms;
};

/* What the relay said at one command, as it is shown: code 0 when it said nothing. */
struct relay_reply {
	int code;
	char words[256];
};

/* All that is known of one mail when its session is over. What was said after a refusal
 * is left out: a recipient's reply behind a refused sender's means nothing. */
struct mail_facts {
	struct relay_reply sender, recipient;	/* MAIL, RCPT */
	struct relay_reply message;		/* DATA where it was refused, or behind the text */
	bool is_complete;			/* the text was sent, and `message` is about it */
};

/* And of the session. */
struct session_facts {
	enum mail_result fault;			/* of the relay or ourselves: no mail was offered, */
	char fault_words[256];			/* where this is not empty */
	char fault_to_log[256];			/* without what the relay said: it quotes addresses */
	bool was_stopped;			/* the program is: mails were left unoffered */
	bool has_run_out;			/* of time: mails were left unoffered */
	bool went_quiet;			/* the relay had not answered when the session ended */
	const char *refusal;			/* what it said before it went; "": nothing */
};

/* The verdict on a mail, from the replies to it alone. */
struct mail_outcome mail_judge(const struct mail_facts *mail, const struct session_facts *session);
/* The session's fault as the outcome of each of its mails. */
struct mail_outcome mail_unoffered(const struct session_facts *session);

/* Notes the fault of a session; the first stays. `detail` is the relay's words when it
 * begins with a reply code, and "" when there is none. True when it was the first. */
bool session_set_fault(struct session_facts *session, enum mail_result result, const char *reason,
	const char *detail);
/* Faults of the session are said once, here; of single mails, by who settles them. */
void session_log(const struct session_facts *session);

/* Copies what may be shown to a person: one line of printable ASCII. */
void copy_words(char *out, size_t size, const char *words);
/* Whether words hold the secret (a password or a token), plain or as AUTH sends it: some
 * relays quote the command that they refuse. */
bool words_hold_secret(const char *words, const char *user, const char *secret);

#endif
