/*
 * template: the texts of mails, logic-less.
 *
 *     {{name}}            the value, escaped for its target (text or HTML)
 *     {{#name}}…{{/name}} only when the value is there and not empty
 *     {{^name}}…{{/name}} only when it is not
 *
 * Files: worker/templates/<language>/<kind>.txt and .html, embedded in the binary;
 * ROLLCALL_TEMPLATES names a folder whose files replace them one by one. The first
 * line of the .txt is "Subject: …", then an empty line. A shared frame
 * (frame.html) surrounds every HTML body, and {{>button link}}Label{{/button}} is
 * drawn by button.html. Nothing but the button has a colour of its own: each
 * client chooses readable ones, also in the dark. An unknown name is an error,
 * found at start for every template, never at three in the morning.
 */
#ifndef ROLLCALL_TEMPLATE_H
#define ROLLCALL_TEMPLATE_H

#include <stdbool.h>

#include "buffer.h"

struct template_set;

/* Every value that a template may use; NULL is "not there". */
struct template_values {
	const char *organization;	/* its name */
	const char *first_name;		/* of the user whom it is about */
	const char *full_name;
	const char *login;		/* what he signs in with */
	const char *recipient_name;	/* who reads this (an administrator, or the user) */
	const char *link;		/* the whole URL with token */
	const char *expires_at;		/* when the link dies: readable, in the organization's timezone */
	const char *sign_in_url;
	const char *forgot_password_url;
	const char *days;		/* idle warning: days left */
	const char *idle_on;		/* idle warning: the date */
	const char *list;		/* digest: lines of names, \n between */
	const char *count;
	const char *contact_email;
	const char *file_name;		/* import: what was read, and what became of its rows */
	const char *rows, *created, *updated;
	const char *errors;		/* import: rows that were left out; NULL: none */
	const char *applied;		/* import: it was carried out; NULL: it was not, or not to its end */
};

/* Loads built-in texts and overrides; dies naming every fault of an override. */
struct template_set *template_set_load(const char *override_folder);
void template_set_free(struct template_set **set);

/* Renders kind ("invitation", …: mail_kind_word) in a language ("en" where that
 * one is not there). False, logged, when the kind is unknown. */
bool template_render(const struct template_set *set, const char *kind, const char *language,
	const struct template_values *values, struct buffer *subject, struct buffer *text,
	struct buffer *html) __attribute__((warn_unused_result));

#endif
