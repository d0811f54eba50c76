/*
 * smtp_probe: talks to the relay as the mailers do, up to the point where a mail would begin.
 *
 * EHLO, STARTTLS with a verified certificate, AUTH, MAIL FROM, RSET, QUIT: no recipient is
 * named and no mail is sent. It is a way of its own, so that it can say at which step
 * something is wrong, whatever library sends the mails.
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
	const char *ca_file;		/* NULL: the system's */
	const char *greeting;		/* what we call ourselves in EHLO */
	const char *user, *password;	/* NULL: no AUTH */
	const char *token;		/* for XOAUTH2, in place of a password; NULL: none */
	const char *sender;		/* the address of MAIL FROM */
};

/* Adds smtp.connect, smtp.tls, smtp.auth and smtp.sender, as far as it comes. */
void smtp_probe(const struct probe_target *target, struct findings *findings);

#endif
