/*
 * message: builds one MIME message: multipart/alternative, UTF-8, CRLF.
 *
 * Header injection is impossible by construction: every header value goes through
 * one encoder that lets no CR, LF or control byte out; bodies are quoted-printable
 * with dots and "From " at the start of a line encoded, lines of at most 76.
 */
#ifndef ROLLCALL_MESSAGE_H
#define ROLLCALL_MESSAGE_H

#include <time.h>

#include "buffer.h"

struct message {
	const char *id;			/* Message-ID without <>: "outbox id@domain" */
	const char *from_name;		/* NULL: none */
	const char *from_address;
	const char *to_name;		/* NULL: none */
	const char *to_address;
	const char *subject;
	const char *language;		/* Content-Language */
	const char *text;
	const char *html;
	time_t date;
};

/* Appends the message. Besides the obvious headers: Auto-Submitted:
 * auto-generated, MIME-Version. The boundary derives from the id, so that a
 * retry carries the same bytes. */
void message_build(const struct message *message, struct buffer *out);

#endif
