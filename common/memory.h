/*
 * memory: allocation that cannot fail, and memory that dies with its owner.
 *
 * Out of memory aborts the process; the supervisor starts a new one. No caller
 * checks for NULL. An arena hands out memory that is released all at once, when
 * the request (or the batch) that it belongs to ends.
 */
#ifndef ROLLCALL_MEMORY_H
#define ROLLCALL_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);

struct arena;

struct arena *arena_create(void);
/* Releases everything that was taken from it. Takes NULL; nulls the pointer. */
void arena_free(struct arena **arena);
/* Zeroed memory, aligned for any type, that lives as long as the arena. */
void *arena_take(struct arena *arena, size_t size);
char *arena_copy(struct arena *arena, const char *text);
char *arena_copy_n(struct arena *arena, const char *bytes, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
