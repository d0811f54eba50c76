/*
 * mailer: one SMTP session that carries a batch of messages.
 *
 * Behind this header libesmtp is known and its defects are worked round, nowhere
 * else. Blocking: the caller is a child that its supervisor may kill; but a session
 * ends by itself before that (see mailer_set_timeout). One outcome for each mail
 * comes back, never fewer. One session at a time in a process; SIGRTMIN is taken
 * while it runs, SIGPIPE is ignored from mailer_create on.
 */
#ifndef ROLLCALL_MAILER_H
#define ROLLCALL_MAILER_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct mailer;

struct mail {
	const char *recipient;	/* envelope; must satisfy email_is_valid */
	const char *message;	/* the whole message, CRLF lines, from message_build */
	size_t message_length;
};

enum mail_result {
	MAIL_SENT,		/* the receiver took responsibility */
	MAIL_REFUSED,		/* 5xx for this recipient or message: never again */
	MAIL_LATER,		/* 4xx, lost connection, timeout, not attempted: try again */
	MAIL_OUR_FAULT,		/* authentication or sender refused, TLS not to be had: hold the lane;
				 * nothing of the kind counts as an attempt */
};

struct mail_outcome {
	enum mail_result result;
	bool attempted;		/* false: never offered to the receiver; counts no attempt */
	char reply[256];	/* the receiver's words, or ours: printable, one line, no secrets */
};

/* Dies when the configuration cannot work (unreadable CA file, an IPv6 address
 * instead of a name). `config` must outlive the mailer. */
struct mailer *mailer_create(const struct config *config);
void mailer_free(struct mailer **mailer);
/* How long one answer of the relay may take (25 s; at least 1 s), after a message's
 * last byte twice as long. After twice this time no further mail of a batch is offered;
 * after four times the session is cut: 100 s, where a supervisor kills at 120 s. Once
 * supervisor_stopping, it is cut as soon as no message is in hand. */
void mailer_set_timeout(struct mailer *mailer, int timeout_ms);
/* Sends a batch in order through one session. `outcomes` has room for `count`. */
void mailer_send(struct mailer *mailer, const struct mail *mails, int count,
	struct mail_outcome *outcomes);

#endif
