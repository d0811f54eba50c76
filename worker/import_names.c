/*
 * Names are compared in lower case and without needless blanks; what is spelt exactly as it
 * stands goes first, for two may differ in nothing else.
 */
#include "import_names.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "memory.h"
#include "subject.h"
#include "text.h"
#include "user_columns.h"

/* Lower case, single blanks, none at the ends. */
static const char *
fold(struct arena *arena, const char *name)
{
	struct buffer lower = BUFFER_INIT, out = BUFFER_INIT;

	text_lower(&lower, name);
	for (const char *at = buffer_text(&lower); *at != '\0'; at++) {
		if (*at != ' ' && *at != '\t')
			buffer_putc(&out, *at);
		else if (out.length > 0 && out.data[out.length - 1] != ' ')
			buffer_putc(&out, ' ');
	}
	while (out.length > 0 && out.data[out.length - 1] == ' ')
		out.length--;
	const char *folded = arena_copy_n(arena, out.length > 0 ? out.data : "", out.length);
	buffer_free(&lower);
	buffer_free(&out);
	return folded;
}

static int
compare(const void *a, const void *b)
{
	const struct import_name *left = a, *right = b;

	return strcmp(left->folded, right->folded);
}

static enum import_name_kind
kind_of(const char *word)
{
	if (strcmp(word, "role") == 0)
		return NAME_ROLE;
	return strcmp(word, "group") == 0 ? NAME_GROUP : NAME_DEPARTMENT;
}

/* A department also goes by the last name of its path. */
static const char *
last_of(const char *path)
{
	const char *last = path;

	for (const char *at; (at = strstr(last, USER_COLUMN_PATH_SEPARATOR)) != NULL;)
		last = at + strlen(USER_COLUMN_PATH_SEPARATOR);
	return last != path ? last : NULL;
}

static void
add(struct import_names *names, struct arena *arena, enum import_name_kind kind, const char *text, const char *id)
{
	names->lists[kind][names->counts[kind]++] = (struct import_name){ fold(arena, text), text, id };
}

void
import_names_read(struct import_names *names, struct arena *arena, const PGresult *rows)
{
	const size_t most = (size_t)PQntuples(rows) * 2 + 1;

	*names = (struct import_names){ 0 };
	for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
		names->lists[kind] = arena_take(arena, sizeof(**names->lists) * most);
	for (int i = 0; i < PQntuples(rows); i++) {
		const enum import_name_kind kind = kind_of(row_text(rows, i, "kind"));
		const char *text = arena_copy(arena, row_text(rows, i, "name")), *id = arena_copy(arena, row_text(rows, i, "id"));
		add(names, arena, kind, text, id);
		if (kind == NAME_DEPARTMENT && last_of(text) != NULL)
			add(names, arena, kind, last_of(text), id);
	}
	for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
		qsort(names->lists[kind], names->counts[kind], sizeof(**names->lists), compare);
}

const char *
import_names_find(const struct import_names *names, enum import_name_kind kind, const char *name, bool *is_ambiguous)
{
	const struct import_name *list = names->lists[kind], *found;
	const size_t count = names->counts[kind];
	struct arena *arena = arena_create();
	struct import_name wanted = { .folded = fold(arena, name) };
	const char *id = NULL;
	size_t alike = 0, exact = 0;

	*is_ambiguous = false;
	found = count > 0 ? bsearch(&wanted, list, count, sizeof(*list), compare) : NULL;
	while (found != NULL && found > list && compare(found - 1, &wanted) == 0)
		found--;
	for (; found != NULL && found < list + count && compare(found, &wanted) == 0; found++) {
		const bool is_exact = strcmp(found->text, name) == 0;
		alike++;
		exact += is_exact;
		if (is_exact || exact == 0)
			id = found->id;
	}
	arena_free(&arena);
	*is_ambiguous = exact != 1 && alike > 1;
	return *is_ambiguous ? NULL : id;
}
