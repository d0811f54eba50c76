/*
 * buffer: text that grows while it is written.
 *
 * Always true: data is NULL or holds `length` bytes and a NUL; length never
 * passes the limit; once something was left out, everything after it is left
 * out too, so that a cut text has no hole in the middle.
 *
 * Any buffer may come to hold a secret, so memory that is outgrown is wiped; each
 * byte is wiped about once, because the memory doubles. Bytes that are
 * appended must not lie in the buffer itself.
 */
#include "buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define SMALLEST_CAPACITY ((size_t)64)

static void
grow(struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity > 0 ? buffer->capacity : SMALLEST_CAPACITY;
	char *data;

	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	data = xmalloc(capacity);
	if (buffer->data != NULL) {
		memcpy(data, buffer->data, buffer->length + 1);
		explicit_bzero(buffer->data, buffer->capacity);
		free(buffer->data);
	}
	buffer->data = data;
	buffer->capacity = capacity;
}

/* Room for `length` more bytes and the NUL; false when the limit forbids it. */
static bool
reserve(struct buffer *buffer, size_t length)
{
	assert(length < SIZE_MAX - buffer->length);
	if (buffer->overflowed)
		return false;
	if (buffer->limit > 0 && length > buffer->limit - buffer->length) {
		buffer->overflowed = true;
		return false;
	}
	if (buffer->length + length + 1 > buffer->capacity)
		grow(buffer, buffer->length + length + 1);
	return true;
}

void
buffer_append(struct buffer *buffer, const char *bytes, size_t length)
{
	if (!reserve(buffer, length))
		return;
	if (length > 0)
		memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
}

void
buffer_puts(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void
buffer_putc(struct buffer *buffer, char c)
{
	buffer_append(buffer, &c, 1);
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments, again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	assert(length >= 0);
	if (reserve(buffer, (size_t)length)) {
		vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
		buffer->length += (size_t)length;
	}
	va_end(again);
	va_end(arguments);
}

void
buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->overflowed = false;
	if (buffer->data != NULL)
		buffer->data[0] = '\0';
}

const char *
buffer_text(const struct buffer *buffer)
{
	return buffer->data != NULL ? buffer->data : "";
}

/* The limit stays: whoever writes on is bound by it as before. */
static void
forget(struct buffer *buffer)
{
	*buffer = (struct buffer){ .limit = buffer->limit };
}

char *
buffer_take(struct buffer *buffer)
{
	char *text = buffer->data != NULL ? buffer->data : xstrdup("");

	forget(buffer);
	return text;
}

void
buffer_free(struct buffer *buffer)
{
	if (buffer == NULL)
		return;
	free(buffer->data);
	forget(buffer);
}

void
buffer_free_secret(struct buffer *buffer)
{
	/* All of it: a clear may have left a longer text behind the NUL. */
	if (buffer != NULL && buffer->data != NULL)
		explicit_bzero(buffer->data, buffer->capacity);
	buffer_free(buffer);
}
