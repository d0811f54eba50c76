/*
 * permission: sets of words.
 *
 * Always true: a set is what PostgreSQL printed, in its order, without nulls; the
 * words and their array live in the arena they were read into.
 *
 * A set that cannot be read aborts: taken for empty it would be contained in
 * every other, taken for all it would open every door. Which words are well
 * formed is left to text.c, which checks them before they are stored.
 */
#include "permission.h"

#include <assert.h>
#include <string.h>

#include "memory.h"

/* Reads the element at *rest (quoted with backslashes, or bare) in place, and the
 * comma or brace after it into *mark. NULL for an SQL null. */
static const char *
take_word(char **rest, char *mark)
{
	char *from = *rest, *to = *rest;
	const char *word = to;
	bool is_quoted = *from == '"';

	if (is_quoted) {
		for (from++; *from != '"'; *to++ = *from++) {
			if (*from == '\\')
				from++;
			assert(*from != '\0');
		}
		from++;
	} else {
		to += strcspn(from, ",}{\"\\");
		from = to;
	}
	*mark = *from;
	assert(*mark == ',' || *mark == '}');
	*to = '\0';
	*rest = from + 1;
	return is_quoted || strcmp(word, "NULL") != 0 ? word : NULL;
}

struct permission_set
permission_set_parse(struct arena *arena, const char *array)
{
	struct permission_set set = { NULL, 0 };
	const char **words;
	size_t limit = 1;
	char *rest, mark = ',';

	if (array == NULL || strcmp(array, "{}") == 0)
		return set;
	assert(array[0] == '{');
	for (const char *p = array; *p != '\0'; p++)
		limit += *p == ',';
	words = arena_take(arena, limit * sizeof(*words));
	rest = arena_copy(arena, array + 1);
	while (mark == ',') {
		const char *word = take_word(&rest, &mark);

		if (word != NULL)
			words[set.count++] = word;
	}
	assert(*rest == '\0');
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
