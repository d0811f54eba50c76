/*
 * A hash table with open addressing. The texts are a stranger's, so where they go depends
 * on a number that he does not know: nobody can make all of them go to one place.
 */
#include "seen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

#define FIRST_CAPACITY 1024

struct entry {
	const char *text;	/* NULL: free */
	uint64_t hash;
	uint32_t number;
};

struct seen {
	struct arena *arena;
	struct entry *entries;
	size_t capacity, count;	/* a power of two; at most two thirds of it are used */
	uint64_t secret[2];
};

struct seen *
seen_create(struct arena *arena)
{
	struct seen *seen = xcalloc(1, sizeof(*seen));

	seen->arena = arena;
	seen->capacity = FIRST_CAPACITY;
	seen->entries = xcalloc(seen->capacity, sizeof(*seen->entries));
	if (getentropy(seen->secret, sizeof(seen->secret)) != 0)
		abort();
	return seen;
}

void
seen_free(struct seen **seen)
{
	if (*seen != NULL)
		free((*seen)->entries);
	free(*seen);
	*seen = NULL;
}

/* Keyed at both ends; multiplied and folded, so that every bit counts everywhere. */
static uint64_t
hash_of(const struct seen *seen, const char *text)
{
	uint64_t hash = seen->secret[0];

	for (; *text != '\0'; text++) {
		const unsigned __int128 product = (unsigned __int128)(hash ^ (uint8_t)*text) * (seen->secret[1] | 1);
		hash = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return hash;
}

static struct entry *
place_of(const struct seen *seen, const char *text, uint64_t hash)
{
	size_t at = hash & (seen->capacity - 1);

	while (seen->entries[at].text != NULL && (seen->entries[at].hash != hash || strcmp(seen->entries[at].text, text) != 0))
		at = (at + 1) & (seen->capacity - 1);
	return &seen->entries[at];
}

static void
grow(struct seen *seen)
{
	struct entry *before = seen->entries;
	const size_t capacity = seen->capacity;

	seen->capacity *= 2;
	seen->entries = xcalloc(seen->capacity, sizeof(*seen->entries));
	for (size_t i = 0; i < capacity; i++) {
		if (before[i].text != NULL)
			*place_of(seen, before[i].text, before[i].hash) = before[i];
	}
	free(before);
}

uint32_t
seen_find(const struct seen *seen, const char *text)
{
	const struct entry *entry = place_of(seen, text, hash_of(seen, text));

	return entry->text != NULL ? entry->number : 0;
}

uint32_t
seen_add(struct seen *seen, const char *text, uint32_t number)
{
	const uint64_t hash = hash_of(seen, text);
	struct entry *entry = place_of(seen, text, hash);

	if (entry->text != NULL)
		return entry->number;
	*entry = (struct entry){ arena_copy(seen->arena, text), hash, number };
	if (++seen->count * 3 > seen->capacity * 2)
		grow(seen);
	return 0;
}
