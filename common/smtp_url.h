/*
 * smtp_url: what ROLLCALL_SMTP_URL says: which relay, under which TLS, as whom, and through
 * which library.
 *
 *     smtp://[user:password@]host[:port][?tls=starttls|none]
 *     smtps://[user:password@]host[:port]             TLS from the first byte
 *     ...?auth=xoauth2    user@host: no password, a token that expires (ROLLCALL_SMTP_TOKEN_FILE)
 *     ...?transport=libesmtp|libcurl                  libesmtp where it can, if not given
 *
 * The port is 587 with STARTTLS, 465 with smtps and 25 without TLS, if not given. Nothing
 * that proves who we are goes without TLS.
 */
#ifndef ROLLCALL_SMTP_URL_H
#define ROLLCALL_SMTP_URL_H

#include "config.h"

/* As the parsers of config_values.h. User and password are the caller's, also on failure. */
const char *smtp_url_parse(const char *text, struct smtp_config *smtp);

#endif
