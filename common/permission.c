/*
 * permission: sets of words.
 *
 * Always true: a set is what PostgreSQL printed, in its order, without nulls; the
 * words and their array live in the arena they were read into.
 *
 * A set that cannot be read aborts (pgarray.h): taken for empty it would be contained
 * in every other, taken for all it would open every door. Which words are well
 * formed is left to text.c, which checks them before they are stored.
 */
#include "permission.h"

#include <string.h>

#include "buffer.h"
#include "memory.h"
#include "pgarray.h"

struct permission_set
permission_set_parse(struct arena *arena, const char *array)
{
	struct permission_set set = { NULL, 0 };
	struct buffer word = BUFFER_INIT;
	const char **words;
	size_t limit = 1;
	bool is_null;

	if (array == NULL)
		return set;
	for (const char *p = array; *p != '\0'; p++)
		limit += *p == ',';
	words = arena_take(arena, limit * sizeof(*words));
	while (pgarray_next(&array, &word, &is_null))
		if (!is_null)
			words[set.count++] = arena_copy(arena, buffer_text(&word));
	buffer_free(&word);
	if (set.count > 0)
		set.words = words;
	return set;
}

/* The word itself, not what `*` stands for. */
static bool
has_exactly(const struct permission_set *set, const char *word)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->words[i], word) == 0)
			return true;
	return false;
}

bool
permission_set_has(const struct permission_set *set, const char *word)
{
	return has_exactly(set, "*") || has_exactly(set, word);
}

bool
permission_set_contains(const struct permission_set *outer, const struct permission_set *inner)
{
	if (has_exactly(outer, "*"))
		return true;
	for (size_t i = 0; i < inner->count; i++)
		if (!has_exactly(outer, inner->words[i]))
			return false;
	return true;
}

bool
permission_set_administers(const struct permission_set *set)
{
	return permission_set_has(set, "users:write") && permission_set_has(set, "roles:write");
}
