/*
 * utf8: strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past
 * U+10FFFF.
 */
#ifndef ROLLCALL_UTF8_H
#define ROLLCALL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_is_valid(const char *text, size_t length);
/* The code points of valid text. */
size_t utf8_length(const char *text);
/* The first character of `text`: its bytes, or 0 when there is none or it is not
 * valid (then *code_point is left alone). Reads `length` bytes at most. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code_point);
/* The bytes (1 to 4) that a code point becomes, without NUL. */
size_t utf8_encode(uint32_t code_point, char out[4]);

#endif
