/*
 * pgarray: what PostgreSQL prints for a one-dimensional array: {a,"b c",NULL}.
 *
 * Only for text that PostgreSQL printed: anything else aborts, for an array that is
 * read wrong may be somebody's permissions.
 */
#ifndef ROLLCALL_PGARRAY_H
#define ROLLCALL_PGARRAY_H

#include <stdbool.h>

struct buffer;

/* Reads the next element into `element`, which it clears first; false when there is
 * none left. `*at` is the whole text at first, and moves on. */
bool pgarray_next(const char **at, struct buffer *element, bool *is_null)
	__attribute__((warn_unused_result));

#endif
