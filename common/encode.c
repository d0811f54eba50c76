/*
 * encode: bytes as text and back: base64url, base64, hex, percent-encoding.
 *
 * Always true: an encoder closes its text with NUL; a decoder accepts one
 * spelling of a value only (hex: either case; base64: with or without its
 * padding). When a decoder refuses, what it left in `bytes` means nothing.
 */
#include "encode.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_digits[] = "0123456789abcdef";

/* Writes the digits without padding and NUL; returns where they end. */
static char *
encode_digits(const char *digits, const uint8_t *bytes, size_t length, char *text)
{
	uint32_t bits = 0;
	unsigned held = 0;	/* low bits of `bits` not yet written */

	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*text++ = digits[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*text++ = digits[bits << (6 - held) & 63];
	return text;
}

/* `last_two` are the alphabet's 62nd and 63rd digits; -1 for no digit. */
static int
digit_value(char c, const char *last_two)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == last_two[0])
		return 62;
	return c == last_two[1] ? 63 : -1;
}

int
base64_value(char c)
{
	return digit_value(c, "+/");
}

/* `count` digits into count * 3 / 4 bytes. False for a character that is no
 * digit, a lone digit at the end, or set bits that belong to no byte. */
static bool
decode_digits(const char *last_two, const char *text, size_t count, uint8_t *bytes)
{
	uint32_t bits = 0;
	unsigned held = 0;

	for (size_t i = 0; i < count; i++) {
		int value = digit_value(text[i], last_two);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			*bytes++ = (uint8_t)(bits >> held);
		}
	}
	return held < 6 && (bits & ((1u << held) - 1)) == 0;
}

void
base64url_encode(const uint8_t *bytes, size_t length, char *text)
{
	*encode_digits(base64url_digits, bytes, length, text) = '\0';
}

bool
base64url_decode(const char *text, uint8_t *bytes, size_t length)
{
	/* Asking for the exact count bounds what is written. */
	size_t count = BASE64URL_SIZE(length) - 1;

	return strlen(text) == count && decode_digits("-_", text, count, bytes);
}

void
base64_encode(const uint8_t *bytes, size_t length, char *text)
{
	char *end = encode_digits(base64_digits, bytes, length, text);

	while ((end - text) % 4 != 0)
		*end++ = '=';
	*end = '\0';
}

long
base64_decode(const char *text, uint8_t *bytes, size_t capacity)
{
	size_t length = strlen(text), count = length;

	/* Padding is there in full or not at all. */
	while (count > 0 && text[count - 1] == '=' && length - count < 2)
		count--;
	if (count < length && length % 4 != 0)
		return -1;
	if (count / 4 > LONG_MAX / 4 || count / 4 * 3 + count % 4 * 3 / 4 > capacity)
		return -1;
	if (!decode_digits("+/", text, count, bytes))
		return -1;
	return (long)(count / 4 * 3 + count % 4 * 3 / 4);
}

void
hex_encode(const uint8_t *bytes, size_t length, char *text)
{
	for (size_t i = 0; i < length; i++) {
		*text++ = hex_digits[bytes[i] >> 4];
		*text++ = hex_digits[bytes[i] & 15];
	}
	*text = '\0';
}

int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
hex_decode(const char *text, uint8_t *bytes, size_t length)
{
	if (strlen(text) != length * 2)
		return false;
	for (size_t i = 0; i < length; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool
percent_decode(char *text, size_t *length)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '%') {
			int high = hex_value(from[1]);
			int low = high < 0 ? -1 : hex_value(from[2]);

			if (low < 0)
				return false;
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	*length = (size_t)(to - text);
	return true;
}

void
percent_encode(const char *text, char *encoded)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

	for (; *text != '\0'; text++) {
		if (strchr(kept, *text) != NULL)
			*encoded++ = *text;
		else
			encoded += sprintf(encoded, "%%%02X", (unsigned)(unsigned char)*text);
	}
	*encoded = '\0';
}
