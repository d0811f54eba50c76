/*
 * smtp_batch: MAIL, RCPT, DATA and a text, again and again, over a connection that libcurl has
 * made and on which the relay waits for mail.
 *
 * Blocking. Replies are noted for each mail; what they mean is mail_judge's. An answer may
 * take `timeout_ms`, the one behind a text twice as long; a relay that is slower, or answers
 * what is no SMTP, is left.
 */
#ifndef ROLLCALL_SMTP_BATCH_H
#define ROLLCALL_SMTP_BATCH_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "mailer_priv.h"

struct smtp_link {
	CURL *easy;			/* connected (CURLOPT_CONNECT_ONLY), non-blocking */
	int fd;
	int timeout_ms;
	int64_t offer_until_ms;		/* after it, on the monotonic clock, no further mail is offered */
	bool may_pipeline;		/* RFC 2920 */

	/* What it comes to. */
	bool is_lost;			/* the connection, or the thread of the talk */
	bool went_quiet;		/* because an answer took too long */
	bool was_stopped, has_run_out;	/* before all were offered: as in session_facts */
	char goodbye[256];		/* 421 and its words; "": none */

	/* Its own. */
	bool needs_reset;		/* the mail before was refused half-way */
	char input[4096];
	size_t input_length;
};

/* Offers the mails in order; `facts` has room for `count`, all zero. */
void smtp_batch_run(struct smtp_link *link, const char *sender, const struct mail *mails, int count,
	struct mail_facts *facts);
/* A QUIT, for whose answer a moment is waited. */
void smtp_batch_quit(struct smtp_link *link);

#endif
