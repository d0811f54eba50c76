/*
 * memory: allocation that cannot fail, and arenas.
 *
 * Always true: no function here returns NULL; a size of zero yields a pointer
 * that may be freed; an overflowing size aborts like a lack of memory.
 *
 * An arena is a list of blocks. Small requests are cut from the newest block, a
 * large one gets a block of its own behind it, so that the room left in the
 * newest is not lost. Request bodies hold passwords and tokens, so what was
 * handed out is wiped before the memory goes back. An arena belongs to one
 * thread.
 */
#include "memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most requests fit into the first block; later ones double up to the maximum. */
#define FIRST_BLOCK_BYTES ((size_t)2048)
#define LARGEST_BLOCK_BYTES ((size_t)64 * 1024)

struct block {
	struct block *next;
	size_t used;
	size_t capacity;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *newest;
	size_t next_bytes;	/* capacity of the next ordinary block */
};

/* Says why with a call that needs no memory, then leaves a core to look at. */
static void *
or_abort(void *memory)
{
	if (memory == NULL) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *
xmalloc(size_t size)
{
	return or_abort(malloc(size > 0 ? size : 1));
}

void *
xcalloc(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return or_abort(calloc(count, size));
}

void *
xrealloc(void *memory, size_t size)
{
	return or_abort(realloc(memory, size > 0 ? size : 1));
}

char *
xstrdup(const char *text)
{
	return or_abort(strdup(text));
}

static struct block *
block_create(size_t capacity)
{
	struct block *block;

	assert(capacity <= SIZE_MAX - sizeof(*block));
	block = xcalloc(1, sizeof(*block) + capacity);
	block->capacity = capacity;
	return block;
}

struct arena *
arena_create(void)
{
	struct arena *arena = xcalloc(1, sizeof(*arena));

	arena->next_bytes = FIRST_BLOCK_BYTES;
	return arena;
}

void
arena_free(struct arena **arena)
{
	struct block *block, *next;

	if (*arena == NULL)
		return;
	for (block = (*arena)->newest; block != NULL; block = next) {
		next = block->next;
		explicit_bzero(block->bytes, block->used);
		free(block);
	}
	free(*arena);
	*arena = NULL;
}

/* A block with room for `size` bytes, which is the newest unless it is large. */
static struct block *
arena_block_for(struct arena *arena, size_t size)
{
	struct block *block = arena->newest;

	if (block != NULL && block->capacity - block->used >= size)
		return block;
	if (block != NULL && size > arena->next_bytes / 2) {
		block = block_create(size);
		block->next = arena->newest->next;
		arena->newest->next = block;
		return block;
	}
	block = block_create(size > arena->next_bytes ? size : arena->next_bytes);
	block->next = arena->newest;
	arena->newest = block;
	if (arena->next_bytes < LARGEST_BLOCK_BYTES)
		arena->next_bytes *= 2;
	return block;
}

void *
arena_take(struct arena *arena, size_t size)
{
	const size_t step = alignof(max_align_t);
	struct block *block;
	void *memory;

	assert(size <= SIZE_MAX - step);
	size = size > 0 ? (size + step - 1) / step * step : step;
	block = arena_block_for(arena, size);
	memory = block->bytes + block->used;
	block->used += size;
	return memory;
}

char *
arena_copy(struct arena *arena, const char *text)
{
	return arena_copy_n(arena, text, strlen(text));
}

char *
arena_copy_n(struct arena *arena, const char *bytes, size_t length)
{
	char *copy;

	assert(length < SIZE_MAX);
	copy = arena_take(arena, length + 1);
	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	size_t size;
	char *text;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	assert(length >= 0);
	size = (size_t)length + 1;
	text = arena_take(arena, size);
	vsnprintf(text, size, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}
