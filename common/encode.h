/*
 * encode: bytes as text and back: base64url without padding (RFC 4648 §5), base64, hex,
 * percent-encoding.
 *
 * Decoders are strict: no padding, no white space, no set bits past the end, so
 * that one value has exactly one spelling.
 */
#ifndef ROLLCALL_ENCODE_H
#define ROLLCALL_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that `bytes` bytes become, with the closing NUL. */
#define BASE64URL_SIZE(bytes) (((bytes) * 4 + 2) / 3 + 1)
#define HEX_SIZE(bytes) ((bytes) * 2 + 1)

void base64url_encode(const uint8_t *bytes, size_t length, char *text);
/* False unless `text` is the encoding of exactly `length` bytes. */
bool base64url_decode(const char *text, uint8_t *bytes, size_t length)
	__attribute__((warn_unused_result));
/* Of a hexadecimal digit in either case; -1: it is none. */
int hex_value(char c);
/* Of a digit of standard base64; -1: it is none. */
int base64_value(char c);
void hex_encode(const uint8_t *bytes, size_t length, char *text);
bool hex_decode(const char *text, uint8_t *bytes, size_t length)
	__attribute__((warn_unused_result));
/* Decodes %XX (RFC 3986 §2.1) in place; `length` counts what it becomes, for %00 is a
 * byte like the others. False for a % without two hex digits. */
bool percent_decode(char *text, size_t *length) __attribute__((warn_unused_result));
/* All but unreserved characters and slashes as %XX; `encoded` holds PERCENT_SIZE. */
#define PERCENT_SIZE(bytes) ((bytes) * 3 + 1)
void percent_encode(const char *text, char *encoded);
/* Standard base64 with padding, as MIME wants it (RFC 4648 §4); text holds
 * ((length + 2) / 3) * 4 + 1 characters. Decoding accepts missing padding and
 * returns the number of bytes, or -1; `bytes` holds length(text) * 3 / 4. */
void base64_encode(const uint8_t *bytes, size_t length, char *text);
long base64_decode(const char *text, uint8_t *bytes, size_t capacity);

#endif
