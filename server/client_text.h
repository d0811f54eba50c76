/*
 * client_text: what clients write into the head of a request, read: query strings, cookies, cursors.
 *
 * Pure: no request, no memory of its own. Anybody may send anything here; tests/fuzz/fuzz_client_text.c
 * does.
 */
#ifndef ROLLCALL_CLIENT_TEXT_H
#define ROLLCALL_CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "uuid.h"

#define CURSOR_BYTES_MAX 4096

enum query_fault {
	QUERY_ENCODING,		/* no percent-encoded UTF-8, or with a NUL in it */
	QUERY_UNKNOWN,		/* a name that is not listed */
	QUERY_TWICE,
};

typedef void query_fault_callback(void *context, enum query_fault fault, const char *name);

/* Reads "a=b&c=d", in place: values[i] becomes what stands for names[i] (NULL-ended; NULL: there are
 * none), and stays what it was without. Each fault is told; `name` is "" where none can be read. */
void query_string_read(char *text, const char *const *names, const char **values, query_fault_callback *tell,
	void *context);

/* The value of a cookie in a Cookie header, not ended by a NUL; NULL: it is not there. */
const char *cookie_find(const char *header, const char *name, size_t *length);

/* A cursor as cursor_write made it: a letter for the sort, the last row's id, and its key, which is
 * behind it in `plain` (strlen(text) * 3 / 4 + 1 bytes, at most CURSOR_BYTES_MAX + 1). NULL: it is none of
 * that sort. */
const char *cursor_read(const char *text, char prefix, char *plain, char id[UUID_TEXT_SIZE]);
/* True while a cursor of this text fits into what cursor_read takes. */
bool cursor_fits(const char *text);

#endif
