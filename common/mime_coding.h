/*
 * mime_coding: text and bytes that a mail carries as seven bits: base64 and quoted-printable of
 * RFC 2045, the encoded words of RFC 2047.
 *
 * Nothing is refused: what is malformed is skipped, or stays as it is. All of it is appended to
 * `out`.
 */
#ifndef ROLLCALL_MIME_CODING_H
#define ROLLCALL_MIME_CODING_H

#include <stdbool.h>

#include "mime.h"

void mime_put_base64(struct mime_piece text, struct buffer *out);
/* `is_word`: Q of an encoded word, where an underscore is a blank. */
void mime_put_quoted(struct mime_piece text, bool is_word, struct buffer *out);
/* Encoded words as UTF-8; words in charsets other than UTF-8, ASCII and Latin-1 stay as they
 * are. */
void mime_decode_words(const char *text, struct buffer *out);

#endif
