/*
 * Fields: one check for each type, of JSON and of text.
 *
 * What is always true: a text cell becomes a JSON value first and is then checked as one,
 * so that no way in is wider than another.
 */
#include "field.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "json.h"
#include "memory.h"
#include "pattern.h"
#include "text.h"

const char *const field_types[] = {
	[FIELD_TEXT] = "text", [FIELD_NUMBER] = "number", [FIELD_BOOLEAN] = "boolean", [FIELD_DATE] = "date",
	[FIELD_CHOICE] = "choice", NULL
};

/* ---- Definitions. */

static enum field_type
type_from_word(const char *word)
{
	for (int type = 0; word != NULL && field_types[type] != NULL; type++) {
		if (strcmp(field_types[type], word) == 0)
			return (enum field_type)type;
	}
	assert(false && "the database keeps field_type_check");
	return FIELD_TEXT;
}

static const char *
kept(struct arena *arena, struct json_object *object, const char *name)
{
	const char *text = json_member_string(object, name);

	return text != NULL ? arena_copy(arena, text) : NULL;
}

static const char **
kept_list(struct arena *arena, struct json_object *object, const char *name, size_t *count)
{
	struct json_object *list = json_member(object, name);

	*count = list != NULL ? json_object_array_length(list) : 0;
	const char **texts = arena_take(arena, sizeof(*texts) * (*count + 1));
	for (size_t i = 0; i < *count; i++)
		texts[i] = arena_copy(arena, json_object_get_string(json_object_array_get_idx(list, i)));
	return texts;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ids are the same whatever the case of their letters. */
static int
compare_ids(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp((*(struct field *const *)a)->key, (*(struct field *const *)b)->key);
}

static void
read_field(struct field *field, struct arena *arena, struct json_object *one)
{
	const char **roles;

	*field = (struct field){
		.key = kept(arena, one, "key"),
		.label = kept(arena, one, "label"),
		.type = type_from_word(json_member_string(one, "type")),
		.pattern = kept(arena, one, "pattern"),
		.arena = arena,
	};
	assert(field->key != NULL);
	field->options = kept_list(arena, one, "options", &field->option_count);
	field->roles = roles = kept_list(arena, one, "required_for_roles", &field->role_count);
	qsort(roles, field->role_count, sizeof(*roles), compare_ids);
}

void
field_set_read(struct field_set *set, struct arena *arena, const char *json)
{
	const char *reason;
	struct json_object *list = json_parse(json, strlen(json), &reason);

	assert(json_object_is_type(list, json_type_array));
	set->count = json_object_array_length(list);
	set->fields = arena_take(arena, sizeof(*set->fields) * (set->count + 1));
	set->by_key = arena_take(arena, sizeof(*set->by_key) * (set->count + 1));
	for (size_t i = 0; i < set->count; i++) {
		read_field(&set->fields[i], arena, json_object_array_get_idx(list, i));
		set->by_key[i] = &set->fields[i];
	}
	qsort(set->by_key, set->count, sizeof(*set->by_key), compare_keys);
	json_object_put(list);
}

const struct field_set *
field_definitions_read(struct field_definitions *definitions, const char *json)
{
	if (definitions->json == NULL || strcmp(definitions->json, json) != 0) {
		definitions->json = arena_copy(definitions->arena, json);
		field_set_read(&definitions->set, definitions->arena, json);
	}
	return &definitions->set;
}

struct field *
field_find(const struct field_set *set, const char *key)
{
	const struct field wanted = { .key = key }, *const wanted_key = &wanted;
	struct field *const *found = bsearch(&wanted_key, set->by_key, set->count, sizeof(*set->by_key), compare_keys);

	return found != NULL ? *found : NULL;
}

bool
field_key_is_valid(const char *key)
{
	const size_t length = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return key[0] >= 'a' && key[0] <= 'z' && key[length] == '\0' && length <= FIELD_KEY_MAX;
}

bool
field_is_required(const struct field *field, const char *role_id)
{
	return role_id != NULL && bsearch(&role_id, field->roles, field->role_count, sizeof(*field->roles), compare_ids) != NULL;
}

const struct field *
field_next_missing(const struct field_set *set, size_t *at, const char *role_id, struct json_object *attributes)
{
	while (*at < set->count) {
		const struct field *field = &set->fields[(*at)++];
		if (field_is_required(field, role_id) && json_member(attributes, field->key) == NULL)
			return field;
	}
	return NULL;
}

/* ---- Values. */

static bool
refuse(struct field_fault *fault, const char *code, const char *detail)
{
	*fault = (struct field_fault){ code, detail };
	return false;
}

/* Control characters have no place in a text but to break and indent its lines. */
static bool
is_blank_or_unprintable(const char *text)
{
	bool is_blank = true;

	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;
		if ((c < ' ' && strchr("\t\n\r", *text) == NULL) || c == 0x7f)
			return true;
		is_blank = is_blank && strchr(" \t\n\r", *text) != NULL;
	}
	return is_blank;
}

static bool
takes_text(struct field *field, const char *text, struct field_fault *fault)
{
	const char *reason;

	if (*text == '\0')
		return refuse(fault, "invalid", "The text is empty; null takes it away.");
	if (is_blank_or_unprintable(text))
		return refuse(fault, "invalid", "A text has letters and no control characters.");
	if (utf8_length(text) > FIELD_TEXT_MAX)
		return refuse(fault, "too_long", "At most 1000 characters.");
	if (field->pattern == NULL)
		return true;
	if (field->compiled == NULL)
		field->compiled = pattern_compile(field->arena, field->pattern, &reason);
	/* One that an older release took and this one does not understand lets nothing in. */
	if (field->compiled == NULL || !pattern_matches(field->compiled, text))
		return refuse(fault, "invalid", "The text does not have the form that the field's pattern asks for.");
	return true;
}

static int
digits(const char *text, int count)
{
	int number = 0;

	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

/* The Gregorian calendar, from the year 1 on. */
static bool
date_is_valid(const char *text)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
		return false;
	const int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
	if (year < 1 || month < 1 || month > 12)
		return false;
	const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

static bool
is_option(struct field *field, const char *text)
{
	if (field->sorted_options == NULL) {
		const char **sorted = arena_take(field->arena, sizeof(*sorted) * (field->option_count + 1));
		for (size_t i = 0; i < field->option_count; i++)
			sorted[i] = field->options[i];
		qsort(sorted, field->option_count, sizeof(*sorted), compare_texts);
		field->sorted_options = sorted;
	}
	return bsearch(&text, field->sorted_options, field->option_count, sizeof(*field->sorted_options), compare_texts) != NULL;
}

/* Digits of a JSON number, at least as many as PostgreSQL shows of it: 1e3 has four. */
static long
count_digits(const char *number)
{
	const char *point, *exponent;

	number += *number == '-';
	const long whole = (long)strspn(number, "0123456789");
	point = number + whole;
	const long fraction = *point == '.' ? (long)strspn(point + 1, "0123456789") : 0;
	exponent = point + strcspn(point, "eE");
	const long shift = *exponent != '\0' ? strtol(exponent + 1, NULL, 10) : 0;
	const long before = whole + shift, after = fraction - shift;
	return (before > 1 ? before : 1) + (after > 0 ? after : 0);
}

/* What our own reader of JSON would not take back (json.h) is not let in: 1e300 is stored
 * as one and three hundred zeros. */
static bool
takes_number(struct json_object *value, struct field_fault *fault)
{
	if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
		return refuse(fault, "wrong_type", "This is a number.");
	if (!isfinite(json_object_get_double(value)))
		return refuse(fault, "invalid", "A number is finite.");
	return count_digits(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)) <= FIELD_DIGITS_MAX ? true
		: refuse(fault, "too_long", "A number has at most 18 digits when it is written out.");
}

bool
field_takes(struct field *field, struct json_object *value, struct field_fault *fault)
{
	if (field->type == FIELD_NUMBER)
		return takes_number(value, fault);
	if (field->type == FIELD_BOOLEAN)
		return json_object_is_type(value, json_type_boolean) ? true
			: refuse(fault, "wrong_type", "This is true or false.");
	if (!json_object_is_type(value, json_type_string))
		return refuse(fault, "wrong_type", "This is a text.");
	const char *text = json_object_get_string(value);
	if (field->type == FIELD_TEXT)
		return takes_text(field, text, fault);
	if (field->type == FIELD_DATE)
		return date_is_valid(text) ? true : refuse(fault, "invalid", "A date is a day of the calendar like 2026-11-27.");
	return is_option(field, text) ? true : refuse(fault, "invalid", "This is none of the field's options.");
}

/* ---- Cells. */

/* What stands between blanks. The caller's to free: a file has many more cells than the arena of
 * the fields should ever hold. */
static char *
trimmed(const char *text)
{
	static const char blanks[] = " \t\r\n";
	char *copy = xstrdup(text + strspn(text, blanks));
	size_t length = strlen(copy);

	while (length > 0 && strchr(blanks, copy[length - 1]) != NULL)
		copy[--length] = '\0';
	return copy;
}

/* A number as JSON writes it: read by the same reader, so that 1e400 or 0x10 is none. */
static struct json_object *
number_from_text(const char *text)
{
	struct buffer out = BUFFER_INIT;
	struct json_object *list, *number = NULL;
	const char *reason;

	if (text[strspn(text, "0123456789+-.eE")] == '\0') {
		buffer_printf(&out, "[%s]", text);
		list = json_parse(buffer_text(&out), out.length, &reason);
		if (list != NULL && json_object_array_length(list) == 1)
			number = json_object_get(json_object_array_get_idx(list, 0));
		json_object_put(list);
		buffer_free(&out);
	}
	return number;
}

static struct json_object *
boolean_from_text(const char *text)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "true", true }, { "yes", true }, { "1", true }, { "так", true }, { "да", true },
		{ "false", false }, { "no", false }, { "0", false }, { "ні", false }, { "нет", false },
	};
	struct buffer lower = BUFFER_INIT;
	struct json_object *value = NULL;

	text_lower(&lower, text);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && value == NULL; i++) {
		if (strcmp(words[i].word, buffer_text(&lower)) == 0)
			value = json_object_new_boolean(words[i].value);
	}
	buffer_free(&lower);
	return value;
}

/* 27.11.2026 is 2026-11-27; whatever else stays as it is, to be checked. */
static struct json_object *
date_from_text(const char *text)
{
	char turned[11];

	if (strlen(text) != 10 || text[2] != '.' || text[5] != '.')
		return json_object_new_string(text);
	snprintf(turned, sizeof(turned), "%.4s-%.2s-%.2s", text + 6, text + 3, text);
	return json_object_new_string(turned);
}

static struct json_object *
value_of_cell(const struct field *field, const char *cell, struct field_fault *fault)
{
	struct json_object *value = NULL;

	switch (field->type) {
	case FIELD_NUMBER:
		value = number_from_text(cell);
		if (value == NULL)
			refuse(fault, "invalid", "A number is like 12 or 12.5, with a point.");
		return value;
	case FIELD_BOOLEAN:
		value = boolean_from_text(cell);
		if (value == NULL)
			refuse(fault, "invalid", "This is yes or no.");
		return value;
	case FIELD_DATE:
		return date_from_text(cell);
	case FIELD_TEXT:
	case FIELD_CHOICE:
		return json_object_new_string(cell);
	}
	return NULL;
}

struct json_object *
field_value_from_text(struct field *field, const char *text, struct field_fault *fault)
{
	char *cell = trimmed(text);
	struct json_object *value;

	*fault = (struct field_fault){ 0 };
	value = *cell != '\0' ? value_of_cell(field, cell, fault) : NULL;
	free(cell);
	if (value != NULL && !field_takes(field, value, fault)) {
		json_object_put(value);
		value = NULL;
	}
	return value;
}
