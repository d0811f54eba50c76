/*
 * Finds what each header means. Headers are compared as user_columns.h folds them, so that
 * "E-Mail *" and "e mail" are one.
 */
#include "import_columns.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "json.h"
#include "memory.h"
#include "parser.h"
#include "pgarray.h"
#include "text.h"
#include "utf8.h"

static struct json_object *
parse(const char *text)
{
	const char *reason;
	struct json_object *value = json_parse(text, strlen(text), &reason);

	assert(value != NULL && "PostgreSQL prints JSON");
	return value;
}

void
import_columns_read(struct import_columns *columns, struct arena *arena, const char *fields, const char *remembered,
	const char *wanted)
{
	*columns = (struct import_columns){ .arena = arena };
	field_set_read(&columns->fields, arena, fields);
	columns->labels = parse(fields);
	columns->remembered = parse(remembered);
	columns->wanted = wanted != NULL ? parse(wanted) : NULL;
}

void
import_columns_free(struct import_columns *columns)
{
	json_object_put(columns->labels);
	json_object_put(columns->remembered);
	json_object_put(columns->wanted);
}

/* ---- What a header means. */

static bool
folds_alike(const char *a, const char *b)
{
	struct buffer left = BUFFER_INIT, right = BUFFER_INIT;

	user_column_fold(a, &left);
	user_column_fold(b, &right);
	const bool are_alike = left.length > 0 && strcmp(buffer_text(&left), buffer_text(&right)) == 0;
	buffer_free(&left);
	buffer_free(&right);
	return are_alike;
}

/* False: there is no such column or field. */
static bool
take_key(const struct import_columns *columns, struct import_column *column, const char *key)
{
	const size_t prefix = strlen(USER_COLUMN_ATTRIBUTE);

	if (strncmp(key, USER_COLUMN_ATTRIBUTE, prefix) == 0)
		column->field = field_find(&columns->fields, key + prefix);
	else
		column->column = user_column_find(key);
	return column->column != NULL || column->field != NULL;
}

/* True when the object says anything of the header, be it that it means nothing. (Of a
 * field that is gone nothing is said: it was remembered when there was one.) */
static bool
take_said(const struct import_columns *columns, struct import_column *column, struct json_object *said, bool folds)
{
	if (said == NULL)
		return false;
	json_object_object_foreach(said, header, key) {
		if (folds ? folds_alike(header, column->header) : strcmp(header, column->header) == 0)
			return key == NULL || take_key(columns, column, json_object_get_string(key));
	}
	return false;
}

static bool
has_label(struct json_object *labels, const char *header)
{
	if (!json_object_is_type(labels, json_type_object))
		return false;
	json_object_object_foreach(labels, language, label) {
		(void)language;
		if (json_object_is_type(label, json_type_string) && folds_alike(json_object_get_string(label), header))
			return true;
	}
	return false;
}

static struct field *
find_field_by_key(const struct import_columns *columns, const char *header)
{
	for (size_t i = 0; i < columns->fields.count; i++) {
		if (folds_alike(columns->fields.fields[i].key, header))
			return &columns->fields.fields[i];
	}
	return NULL;
}

/* By its label in any language, or by its key, with or without "attributes.". */
static struct field *
find_field(const struct import_columns *columns, const char *header)
{
	const size_t prefix = strlen(USER_COLUMN_ATTRIBUTE);
	struct field *found = NULL;

	if (strncmp(header, USER_COLUMN_ATTRIBUTE, prefix) == 0)
		return field_find(&columns->fields, header + prefix);
	for (size_t i = 0; i < json_object_array_length(columns->labels); i++) {
		struct json_object *one = json_object_array_get_idx(columns->labels, i);
		if (!has_label(json_member(one, "labels"), header))
			continue;
		if (found != NULL)	/* two fields are called so: it could be either */
			return NULL;
		found = field_find(&columns->fields, json_member_string(one, "key"));
	}
	return found != NULL ? found : find_field_by_key(columns, header);
}

/* Who says what a header means. Whoever comes first in the list is believed, and has the meaning
 * even where the header of a column before looks like it. */
typedef bool take_meaning(const struct import_columns *columns, struct import_column *column);

static bool
take_wanted(const struct import_columns *columns, struct import_column *column)
{
	return take_said(columns, column, columns->wanted, false);
}

static bool
take_wanted_alike(const struct import_columns *columns, struct import_column *column)
{
	return take_said(columns, column, columns->wanted, true);
}

static bool
take_remembered(const struct import_columns *columns, struct import_column *column)
{
	return take_said(columns, column, columns->remembered, true);
}

static bool
take_usual(const struct import_columns *columns, struct import_column *column)
{
	column->column = user_column_of_header(column->header);
	if (column->column == NULL)
		column->field = find_field(columns, column->header);
	return column->column != NULL || column->field != NULL;
}

static const struct {
	take_meaning *take;
	enum import_meaning said_by;
} meanings[] = {
	{ take_wanted, MEANING_GIVEN }, { take_wanted_alike, MEANING_GIVEN }, { take_usual, MEANING_HEADER }, { take_remembered, MEANING_REMEMBERED },
};

static bool
is_taken(const struct import_columns *columns, const struct import_column *column)
{
	for (const struct import_column *other = columns->list; other < columns->list + columns->count; other++) {
		if (other != column && ((column->column != NULL && other->column == column->column)
			|| (column->field != NULL && other->field == column->field)))
			return true;
	}
	return false;
}

/* The first of two that mean the same counts; the other is told to mean nothing. */
static void
find_meanings(struct import_columns *columns)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		for (struct import_column *column = columns->list; column < columns->list + columns->count; column++) {
			if (column->said_by == MEANING_NOBODYS && meanings[i].take(columns, column))
				column->said_by = meanings[i].said_by;
			if (is_taken(columns, column))
				column->column = NULL, column->field = NULL;
		}
	}
}

/* ---- Headers. */

/* Blanks about it are nobody's. */
static const char *
trimmed(struct arena *arena, const char *text)
{
	size_t length, bytes = 0, at = 0;

	text += strspn(text, " \t\r\n");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	while (at < IMPORT_HEADER_MAX && bytes < length) {
		uint32_t code_point;
		const size_t step = utf8_decode(text + bytes, length - bytes, &code_point);
		bytes += step > 0 ? step : 1;
		at++;
	}
	return arena_copy_n(arena, text, bytes);
}

static bool
is_called(const struct import_column *column, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (folds_alike(column->header, *words))
			return true;
	}
	return false;
}

/* What people call a column of passwords, of which nobody knows what else it means. */
static bool
has_passwords(const struct import_column *column)
{
	static const char *const words[] = { "password", "passwords", "passwd", "pwd", "pass", "user password", "initial password",
		"пароль", "паролі", "пароль користувача", "пароли", "пароль пользователя", NULL };

	return column->column == NULL && column->field == NULL && is_called(column, words);
}

/* Passwords, their hashes, and whatever else is called so. */
static bool
is_secret(const struct import_column *column)
{
	static const char *const words[] = { "secret", "hash", "pin", NULL };

	if (column->column != NULL)
		return column->column->id == COLUMN_PASSWORD_HASH;
	return has_passwords(column) || (column->field == NULL && is_called(column, words));
}

static bool
is_used(const struct import_columns *columns, int count, const char *header)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(columns->list[i].header, header) == 0)
			return true;
	}
	return false;
}

/* "C" for the third column, as spreadsheets have it. */
static const char *
letters_of(struct arena *arena, int column)
{
	if (column < 26)
		return arena_printf(arena, "%c", 'A' + column);
	return arena_printf(arena, "%c%c", 'A' + column / 26 - 1, 'A' + column % 26);
}

static const char *
header_of(struct import_columns *columns, int place, const char *text)
{
	const char *header = trimmed(columns->arena, text);

	if (*header == '\0')
		header = arena_printf(columns->arena, "(%s)", letters_of(columns->arena, place));
	while (is_used(columns, place, header))
		header = arena_printf(columns->arena, "%s (%s)", header, letters_of(columns->arena, place));
	return header;
}

void
import_columns_take_headers(struct import_columns *columns, const struct parser_row *row)
{
	columns->list = arena_take(columns->arena, sizeof(*columns->list) * (size_t)(row->count + 1));
	columns->count = row->count;
	for (int i = 0; i < row->count; i++)
		columns->list[i].header = header_of(columns, i, row->cells[i].text);
	find_meanings(columns);
	for (int i = 0; i < row->count; i++)
		columns->list[i].is_secret = is_secret(&columns->list[i]);
}

/* In the order of the enum. */
static const char *const meaning_words[] = { NULL, "given", "header", "remembered" };

static enum import_meaning
meaning_of(const char *word)
{
	for (int i = MEANING_GIVEN; word != NULL && i <= MEANING_REMEMBERED; i++) {
		if (strcmp(meaning_words[i], word) == 0)
			return (enum import_meaning)i;
	}
	return MEANING_NOBODYS;
}

void
import_columns_restore(struct import_columns *columns, const char *headers, const char *mapping, const char *mapping_from)
{
	struct json_object *said = parse(mapping), *from = mapping_from != NULL ? parse(mapping_from) : NULL;
	struct buffer header = BUFFER_INIT;
	const char *at = headers;
	bool is_null;

	columns->list = arena_take(columns->arena, sizeof(*columns->list) * (PARSER_COLUMNS_MAX + 1));
	columns->count = 0;
	while (columns->count < PARSER_COLUMNS_MAX && pgarray_next(&at, &header, &is_null)) {
		struct import_column *column = &columns->list[columns->count++];
		column->header = arena_copy(columns->arena, buffer_text(&header));
		(void)take_said(columns, column, said, false);
		column->said_by = meaning_of(json_member_string(from, column->header));
	}
	buffer_free(&header);
	json_object_put(said);
	json_object_put(from);
}

/* ---- What is asked of them. */

/* "hub" of "attributes.hub"; NULL: it is no key of a custom field. */
static const char *
attribute_of(const char *key)
{
	const char *point = strchr(key, '.');

	return point != NULL && strncmp(key, USER_COLUMN_ATTRIBUTE, (size_t)(point - key) + 1) == 0 ? point + 1 : NULL;
}

const struct import_column *
import_columns_find(const struct import_columns *columns, const char *key)
{
	const char *attribute = attribute_of(key);

	for (int i = 0; i < columns->count; i++) {
		const struct import_column *column = &columns->list[i];
		const char *own = column->field != NULL ? column->field->key : column->column != NULL ? column->column->key : NULL;
		if (own != NULL && (column->field != NULL) == (attribute != NULL) && strcmp(own, attribute != NULL ? attribute : key) == 0)
			return column;
	}
	return NULL;
}

bool
import_columns_name_people(const struct import_columns *columns)
{
	static const char *const keys[] = { "id", "external_id", "email", "username" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (import_columns_find(columns, keys[i]) != NULL)
			return true;
	}
	return import_columns_find(columns, "first_name") != NULL && import_columns_find(columns, "last_name") != NULL;
}

const char *
import_columns_find_passwords(const struct import_columns *columns)
{
	for (int i = 0; i < columns->count; i++) {
		if (columns->list[i].said_by != MEANING_GIVEN && has_passwords(&columns->list[i]))
			return columns->list[i].header;
	}
	return NULL;
}

void
import_columns_find_unknown(const struct import_columns *columns, struct buffer *out)
{
	if (columns->wanted == NULL)
		return;
	json_object_object_foreach(columns->wanted, header, key) {
		struct import_column meant = { 0 };
		(void)header;
		if (key != NULL && !take_key(columns, &meant, json_object_get_string(key)))
			buffer_printf(out, "%s%s", out->length > 0 ? ", " : "", json_object_get_string(key));
	}
}

void
import_columns_write_headers(const struct import_columns *columns, struct buffer *out)
{
	buffer_putc(out, '[');
	for (int i = 0; i < columns->count; i++) {
		json_write_separator(out);
		json_write_string(out, columns->list[i].header);
	}
	buffer_putc(out, ']');
}

/* NULL: it means nothing. */
static const char *
key_of(const struct import_columns *columns, const struct import_column *column)
{
	if (column->column != NULL)
		return column->column->key;
	return column->field != NULL ? arena_printf(columns->arena, USER_COLUMN_ATTRIBUTE "%s", column->field->key) : NULL;
}

void
import_columns_write_mapping(const struct import_columns *columns, struct buffer *out)
{
	buffer_putc(out, '{');
	for (int i = 0; i < columns->count; i++)
		json_write_string_member(out, columns->list[i].header, key_of(columns, &columns->list[i]));
	buffer_putc(out, '}');
}

/* Of a column that was to mean what another means nobody says anything, but who has named it. */
void
import_columns_write_mapping_from(const struct import_columns *columns, struct buffer *out)
{
	buffer_putc(out, '{');
	for (int i = 0; i < columns->count; i++) {
		const struct import_column *column = &columns->list[i];
		const bool is_said = column->said_by == MEANING_GIVEN || key_of(columns, column) != NULL;
		json_write_string_member(out, column->header, is_said ? meaning_words[column->said_by] : NULL);
	}
	buffer_putc(out, '}');
}

/* ---- What is remembered of them. */

static void
write_forgotten(const struct import_columns *columns, const char *header, struct buffer *out)
{
	json_object_object_foreach(columns->remembered, known, key) {
		(void)key;
		if (folds_alike(known, header)) {
			json_write_separator(out);
			json_write_string(out, known);
		}
	}
}

/* Of two headers that are one the first that means something counts. */
static void
remember(const struct import_columns *columns, const struct import_column *column, struct json_object *kept)
{
	struct import_column by_itself = { .header = column->header };
	const char *key = key_of(columns, column);
	struct buffer header = BUFFER_INIT;

	user_column_fold(column->header, &header);
	if (key != NULL && header.length > 0 && !take_usual(columns, &by_itself) && json_member(kept, buffer_text(&header)) == NULL)
		json_object_object_add(kept, buffer_text(&header), json_object_new_string(key));
	buffer_free(&header);
}

void
import_columns_write_memory(const struct import_columns *columns, struct buffer *forget, struct buffer *remembered)
{
	struct json_object *kept = json_object_new_object();

	buffer_putc(forget, '[');
	for (int i = 0; i < columns->count; i++) {
		if (columns->list[i].said_by != MEANING_GIVEN)
			continue;
		write_forgotten(columns, columns->list[i].header, forget);
		remember(columns, &columns->list[i], kept);
	}
	buffer_putc(forget, ']');
	json_write_value(remembered, kept);
	json_object_put(kept);
}
