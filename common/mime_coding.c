/*
 * mime_coding: out of seven bits. Every loop goes forward over bytes that it has not seen yet.
 */
#include "mime_coding.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "utf8.h"

/* RFC 2045 §6.8: what is not of the alphabet is skipped; an equals sign ends it. */
void
mime_put_base64(struct mime_piece text, struct buffer *out)
{
	uint32_t bits = 0;
	int count = 0;

	for (size_t i = 0; i < text.length && text.text[i] != '='; i++) {
		const int value = base64_value(text.text[i]);

		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buffer_putc(out, (char)(bits >> count & 0xff));
		}
	}
}

/* The byte of "=XX" at `i`, or -1. */
static int
quoted_byte(struct mime_piece text, size_t i)
{
	int high, low;

	if (i + 2 >= text.length || text.text[i] != '=')
		return -1;
	high = hex_value(text.text[i + 1]);
	low = hex_value(text.text[i + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* RFC 2045 §6.7; and Q of RFC 2047, where an underscore is a blank. */
void
mime_put_quoted(struct mime_piece text, bool is_word, struct buffer *out)
{
	for (size_t i = 0; i < text.length; i++) {
		const int byte = quoted_byte(text, i);

		if (byte >= 0) {
			buffer_putc(out, (char)byte);
			i += 2;
		} else if (text.text[i] == '=' && i + 1 < text.length && text.text[i + 1] == '\n') {
			i += 1;
		} else if (text.text[i] == '=' && i + 2 < text.length && text.text[i + 1] == '\r' && text.text[i + 2] == '\n') {
			i += 2;
		} else {
			buffer_putc(out, is_word && text.text[i] == '_' ? ' ' : text.text[i]);
		}
	}
}

/* ---- Encoded words. */

static bool
put_charset(const char *charset, size_t length, const struct buffer *bytes, struct buffer *out)
{
	static const char latin[] = "iso-8859-1", ascii[] = "us-ascii", utf8[] = "utf-8";
	char character[4];

	if (length == strlen(latin) && strncasecmp(charset, latin, length) == 0) {
		for (size_t i = 0; i < bytes->length; i++)
			buffer_append(out, character, utf8_encode((uint8_t)bytes->data[i], character));
		return true;
	}
	if (!(length == strlen(ascii) && strncasecmp(charset, ascii, length) == 0)
		&& !(length == strlen(utf8) && strncasecmp(charset, utf8, length) == 0))
		return false;
	buffer_puts(out, buffer_text(bytes));
	return true;
}

/* =?charset?B|Q?text?= at `word`: how long it is, or 0. */
static size_t
put_encoded_word(const char *word, struct buffer *out)
{
	const size_t charset = strcspn(word + 2, "? ");
	const char *encoding = word + 2 + charset, *text, *end;
	struct buffer bytes = BUFFER_INIT;
	bool is_known = true;

	if (*encoding != '?' || encoding[1] == '\0' || encoding[2] != '?')
		return 0;
	text = encoding + 3;
	end = text + strcspn(text, "? ");
	if (end[0] != '?' || end[1] != '=')
		return 0;
	if (encoding[1] == 'B' || encoding[1] == 'b')
		mime_put_base64((struct mime_piece){ text, (size_t)(end - text) }, &bytes);
	else if (encoding[1] == 'Q' || encoding[1] == 'q')
		mime_put_quoted((struct mime_piece){ text, (size_t)(end - text) }, true, &bytes);
	else
		is_known = false;
	is_known = is_known && put_charset(word + 2, charset, &bytes, out);
	buffer_free(&bytes);
	return is_known ? (size_t)(end + 2 - word) : 0;
}

void
mime_decode_words(const char *text, struct buffer *out)
{
	bool follows_word = false;

	while (*text != '\0') {
		const size_t blanks = strspn(text, " ");
		const bool begins = strncmp(text + blanks, "=?", 2) == 0;
		const size_t before = out->length;
		size_t length;

		/* RFC 2047 §6.2: blanks between two of them are not shown. */
		if (!(begins && follows_word))
			buffer_append(out, text, blanks);
		length = begins ? put_encoded_word(text + blanks, out) : 0;
		if (begins && follows_word && length == 0 && out->length == before)
			buffer_append(out, text, blanks);
		text += blanks;
		follows_word = length > 0;
		if (length == 0) {
			length = strcspn(text, " ");
			buffer_append(out, text, length);
		}
		text += length;
	}
}
