/*
 * buffer: text that grows while it is written.
 *
 * Starts as BUFFER_INIT, always ends in NUL after the first append, and is
 * released by buffer_free. A buffer with a limit sets `overflowed` instead of
 * growing past it and takes nothing more; writers go on and check once, at the
 * end. The limit outlives buffer_take and buffer_free.
 */
#ifndef ROLLCALL_BUFFER_H
#define ROLLCALL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *data;		/* NULL until the first append */
	size_t length;		/* bytes, without the closing NUL */
	size_t capacity;
	size_t limit;		/* 0: none */
	bool overflowed;	/* sticky: something was left out */
};

#define BUFFER_INIT ((struct buffer){ 0 })

void buffer_append(struct buffer *buffer, const char *bytes, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Forgets the text, keeps the memory. */
void buffer_clear(struct buffer *buffer);
/* The text, "" when nothing was written. Valid until the next append. */
const char *buffer_text(const struct buffer *buffer);
/* Hands the text over; the caller frees it. The buffer is empty afterwards. */
char *buffer_take(struct buffer *buffer);
/* Releases the memory. A buffer that held a secret is cleansed first. */
void buffer_free(struct buffer *buffer);
void buffer_free_secret(struct buffer *buffer);

#endif
