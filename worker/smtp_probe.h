/*
 * smtp_probe: talks to the relay as the mailers do, up to the point where a mail would begin.
 *
 * EHLO, STARTTLS with a verified certificate, AUTH, MAIL FROM, RCPT TO, RSET, QUIT: no mail is
 * sent. It is a way of its own, so that it can say at which step something is wrong, whatever
 * library sends the mails.
 *
 * The recipient is the sender itself. It is the one address that is known to be the operator's:
 * naming anybody else's would bother a stranger, and a relay that counts unknown recipients
 * would hold them against us. It should be there in any case, for bounces come back to it. What
 * it cannot show: a relay that is at home in the sender's domain takes mail to it from everybody,
 * and may refuse the next domain; only a mail to it tells (deploy/MAIL.md).
 */
#ifndef ROLLCALL_SMTP_PROBE_H
#define ROLLCALL_SMTP_PROBE_H

#include <stdint.h>

struct findings;

enum probe_tls { PROBE_TLS_NONE, PROBE_TLS_STARTTLS, PROBE_TLS_IMPLICIT };

struct probe_target {
	const char *host;
	uint16_t port;
	enum probe_tls tls;
	int newest_tls;			/* the last version that the mailer speaks (mailer_priv.h) */
	const char *ca_file;		/* NULL: the system's */
	const char *greeting;		/* what we call ourselves in EHLO */
	const char *user, *password;	/* NULL: no AUTH */
	const char *token;		/* for XOAUTH2, in place of a password; NULL: none */
	const char *sender;		/* the address of MAIL FROM, and of RCPT TO */
};

/* Adds smtp.connect, smtp.tls, smtp.auth, smtp.sender and smtp.recipient, as far as it comes. */
void smtp_probe(const struct probe_target *target, struct findings *findings);

#endif
