/*
 * charset: in which charset a text is, and its way to UTF-8.
 *
 * With tables of its own: iconv loads a charset from a file when it is first used, and
 * the child that needs it may open none.
 */
#ifndef ROLLCALL_CHARSET_H
#define ROLLCALL_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum charset {
	CHARSET_UNKNOWN,
	CHARSET_UTF_8,
	CHARSET_UTF_16LE,
	CHARSET_UTF_16BE,
	CHARSET_WINDOWS_1251,
	CHARSET_WINDOWS_1252,
	CHARSET_COUNT
};

struct charset_finding {
	enum charset charset;
	bool is_guess;
	int sure_percent;	/* 50 to 99 for a guess, else 100 */
	size_t mark_bytes;	/* of the byte order mark in front, which is no text */
};

/* "utf-8"; CHARSET_UNKNOWN is "". */
const char *charset_name(enum charset charset);
/* By its name, in any case; CHARSET_UNKNOWN when there is none. */
enum charset charset_by_name(const char *name);
/* By its byte order mark; else UTF-8 when all of it is; else a guess. `wanted` decides
 * where it is given, but a byte order mark of that charset is still none of the text. */
struct charset_finding charset_find(const uint8_t *bytes, size_t length, enum charset wanted);

/* A text on its way: [at, end) is still to be turned. */
struct charset_reader {
	enum charset charset;
	const uint8_t *at, *end;
};

enum charset_stop { CHARSET_FULL, CHARSET_END, CHARSET_NUL, CHARSET_BAD };

/* Fills `out`, which has room for `size` (4 at least), and says why it stopped; at NUL
 * and at what is no text it stops in front. */
enum charset_stop charset_read(struct charset_reader *reader, char *out, size_t size, size_t *written);

#endif
