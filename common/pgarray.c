/*
 * pgarray: see pgarray.h. Between two calls `*at` stands on the brace or comma that
 * comes before the next element, or on the brace that ends the array.
 */
#include "pgarray.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"

/* From behind the opening quote; returns what follows the closing one. */
static const char *
read_quoted(const char *from, struct buffer *element)
{
	while (*from != '"') {
		size_t plain = strcspn(from, "\"\\");

		buffer_append(element, from, plain);
		from += plain;
		if (*from == '\\') {
			assert(from[1] != '\0');
			buffer_putc(element, from[1]);
			from += 2;
		}
		assert(*from != '\0');
	}
	return from + 1;
}

bool
pgarray_next(const char **at, struct buffer *element, bool *is_null)
{
	const char *from = *at;

	if (strcmp(from, "}") == 0 || strcmp(from, "{}") == 0)
		return false;
	assert(*from == '{' || *from == ',');
	from++;
	buffer_clear(element);
	*is_null = false;
	if (*from == '"') {
		from = read_quoted(from + 1, element);
	} else {
		size_t length = strcspn(from, ",}{\"\\");

		assert(length > 0);
		buffer_append(element, from, length);
		from += length;
		*is_null = strcmp(buffer_text(element), "NULL") == 0;
	}
	assert(*from == ',' || strcmp(from, "}") == 0);
	*at = from;
	return true;
}
