/*
 * text: what counts as an e-mail address, a phone number, a name.
 *
 * Pure checks on text that is already valid UTF-8 without NUL. They are shared by
 * the API, the command line and (later) the import.
 */
#ifndef ROLLCALL_TEXT_H
#define ROLLCALL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utf8.h"

struct buffer;

/* NULL equals NULL alone. */
bool text_equals(const char *a, const char *b);
/* Appends the text in lower case, in any script, whatever the locale. */
void text_lower(struct buffer *out, const char *text);

/* What libesmtp may be handed: printable ASCII without space, quotes, <, >, one
 * @, a dot-separated local part of at most 64, a domain of letters, digits,
 * hyphens and at least one dot (or "localhost"), at most 254 in all. */
bool email_is_valid(const char *text);
/* 1 to 64 letters, digits, dot, hyphen, underscore in any script; no @, no space. */
bool username_is_valid(const char *text);
/* A segment of a path that clients and proxies resolve on the way: /a/../b is /b to them. */
bool segment_is_dots(const char *text);
/* A person's or organization's name: no control characters, not only blanks. */
bool name_is_valid(const char *text);
/* Strips space - ( ) . / and turns 00 into +; true when E.164 results
 * (^\+[1-9][0-9]{6,14}$), written to out. */
bool phone_normalize(const char *text, char out[17]) __attribute__((warn_unused_result));
/* A permission word: "*", or word:word of [a-z0-9_.-], at most 64. */
bool permission_is_valid(const char *text);
/* A colour: # and six hexadecimal digits. */
bool color_is_valid(const char *text);
/* 2-63 of [a-z0-9-], starting with a letter, not ending in a hyphen. */
bool slug_is_valid(const char *text);
/* "en", "uk", "ru". */
bool locale_is_known(const char *text);
/* ISO 8601 durations of one sign: PnYnMnWnDTnHnMnS, whole numbers, not empty. The
 * length in seconds (year = 360 days, month = 30, as PostgreSQL compares intervals; for comparing with bounds only) or -1. */
int64_t duration_seconds(const char *text);
/* RFC 3339 with offset or Z. */
bool timestamp_is_valid(const char *text);

#endif
