/*
 * policy_values: what a JSON value must be to become a policy's, and back.
 *
 * One check a type of column. Each writes PostgreSQL's text of the value; a value that
 * means the same is always written alike, so that texts can be compared.
 */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "policy.h"
#include "text.h"
#include "utf8.h"

enum { INT_LIST_MAX = 10, WORDS_MAX = 100, DURATION_MAX = 63, LABEL_MAX = 60 };

enum check { CHECK_OK, CHECK_WRONG_TYPE, CHECK_INVALID };

typedef enum check value_check(const struct policy_column *column, struct json_object *value,
	struct buffer *text);

/* A text without NUL in it, or NULL. */
static const char *
json_text(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static enum check
check_bool(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	(void)column;
	if (!json_object_is_type(value, json_type_boolean))
		return CHECK_WRONG_TYPE;
	buffer_puts(text, json_object_get_boolean(value) ? "true" : "false");
	return CHECK_OK;
}

static enum check
check_choice(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	if (!json_object_is_type(value, json_type_string))
		return CHECK_WRONG_TYPE;

	const char *word = json_text(value);

	if (word == NULL || policy_choice_index(column, word) < 0)
		return CHECK_INVALID;
	buffer_puts(text, word);
	return CHECK_OK;
}

static enum check
read_int(const struct policy_column *column, struct json_object *value, int *number)
{
	if (!json_object_is_type(value, json_type_int))
		return CHECK_WRONG_TYPE;

	int64_t wide = json_object_get_int64(value);

	if (wide < column->min || wide > column->max)
		return CHECK_INVALID;
	*number = (int)wide;
	return CHECK_OK;
}

static enum check
check_int(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	int number = 0;
	enum check check = read_int(column, value, &number);

	if (check == CHECK_OK)
		buffer_printf(text, "%d", number);
	return check;
}

static enum check
check_duration(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	if (!json_object_is_type(value, json_type_string))
		return CHECK_WRONG_TYPE;

	const char *duration = json_text(value);
	int64_t seconds = duration != NULL && strlen(duration) <= DURATION_MAX ? duration_seconds(duration) : -1;

	if (seconds < duration_seconds(column->min_duration)
		|| seconds > duration_seconds(column->max_duration))
		return CHECK_INVALID;
	buffer_puts(text, duration);
	return CHECK_OK;
}

/* Puts the number among `count` sorted ones, the greatest first. False: it is there. */
static bool
insert_descending(int numbers[], size_t count, int number)
{
	size_t place = count;

	while (place > 0 && numbers[place - 1] <= number)
		place--;
	if (place < count && numbers[place] == number)
		return false;
	memmove(&numbers[place + 1], &numbers[place], (count - place) * sizeof numbers[0]);
	numbers[place] = number;
	return true;
}

static enum check
check_int_list(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	int numbers[INT_LIST_MAX + 1];
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return CHECK_WRONG_TYPE;
	count = json_object_array_length(value);
	if (count > INT_LIST_MAX)
		return CHECK_INVALID;
	for (size_t at = 0; at < count; at++) {
		int number = 0;
		enum check check = read_int(column, json_object_array_get_idx(value, at), &number);

		if (check != CHECK_OK)
			return check;
		if (!insert_descending(numbers, at, number))
			return CHECK_INVALID;
	}
	buffer_putc(text, '{');
	for (size_t at = 0; at < count; at++)
		buffer_printf(text, at > 0 ? ",%d" : "%d", numbers[at]);
	buffer_putc(text, '}');
	return CHECK_OK;
}

static bool
is_among(struct json_object *array, size_t count, const char *word)
{
	for (size_t at = 0; at < count; at++) {
		if (strcmp(json_object_get_string(json_object_array_get_idx(array, at)), word) == 0)
			return true;
	}
	return false;
}

/* Different words; without choices they are permissions, and there may be none. */
static enum check
check_words(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return CHECK_WRONG_TYPE;
	count = json_object_array_length(value);
	if (count > WORDS_MAX || (column->choices != NULL && count == 0))
		return CHECK_INVALID;
	buffer_putc(text, '{');
	for (size_t at = 0; at < count; at++) {
		struct json_object *item = json_object_array_get_idx(value, at);

		if (!json_object_is_type(item, json_type_string))
			return CHECK_WRONG_TYPE;
		const char *word = json_text(item);
		const bool is_known = word != NULL && (column->choices != NULL
			? policy_choice_index(column, word) >= 0 : permission_is_valid(word));

		if (!is_known || is_among(value, at, word))
			return CHECK_INVALID;
		buffer_printf(text, at > 0 ? ",%s" : "%s", word);
	}
	buffer_putc(text, '}');
	return CHECK_OK;
}

static bool
is_label_key(const char *name)
{
	static const char *const names[] = { "pending", "active", "inactive_by_admin", "inactive_idle", "locked" };

	for (size_t at = 0; at < sizeof names / sizeof names[0]; at++) {
		if (strcmp(names[at], name) == 0)
			return true;
	}
	return false;
}

static enum check
check_labels_of_language(struct json_object *labels)
{
	if (!json_object_is_type(labels, json_type_object))
		return CHECK_WRONG_TYPE;
	json_object_object_foreach(labels, name, label) {
		if (!json_object_is_type(label, json_type_string))
			return CHECK_WRONG_TYPE;
		const char *word = json_text(label);

		if (!is_label_key(name) || word == NULL || !name_is_valid(word) || utf8_length(word) > LABEL_MAX)
			return CHECK_INVALID;
	}
	return CHECK_OK;
}

static enum check
check_labels(const struct policy_column *column, struct json_object *value, struct buffer *text)
{
	(void)column;
	if (!json_object_is_type(value, json_type_object))
		return CHECK_WRONG_TYPE;
	json_object_object_foreach(value, language, labels) {
		enum check check = locale_is_known(language) ? check_labels_of_language(labels) : CHECK_INVALID;

		if (check != CHECK_OK)
			return check;
	}
	json_write_value(text, value);
	return CHECK_OK;
}

bool
policy_value_from_json(const struct policy_column *column, struct json_object *value,
	struct buffer *text, const char **code, const char **detail)
{
	static value_check *const checks[] = {
		[POLICY_BOOL] = check_bool, [POLICY_CHOICE] = check_choice, [POLICY_INT] = check_int,
		[POLICY_DURATION] = check_duration, [POLICY_INT_LIST] = check_int_list,
		[POLICY_WORDS] = check_words, [POLICY_LABELS] = check_labels,
	};
	enum check check;

	buffer_clear(text);
	if (value == NULL)
		check = column->nullable ? CHECK_OK : CHECK_WRONG_TYPE;
	else
		check = checks[column->type](column, value, text);
	*code = check == CHECK_WRONG_TYPE ? "wrong_type" : "invalid";
	*detail = column->expects;
	return check == CHECK_OK;
}

bool
policy_words_have(const char *words, const char *word)
{
	const size_t length = strlen(word);

	for (const char *at = words; *at != '\0' && *at != '}';) {
		at++;	/* the brace, or the comma */
		if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '}'))
			return true;
		at += strcspn(at, ",}");
	}
	return false;
}

void
policy_write_value(struct buffer *out, const struct policy_column *column, const char *text)
{
	if (text == NULL) {
		buffer_puts(out, "null");
		return;
	}
	switch (column->type) {
	case POLICY_CHOICE:
	case POLICY_DURATION:
		json_write_string(out, text);
		break;
	case POLICY_INT_LIST:
		buffer_printf(out, "[%.*s]", (int)strlen(text) - 2, text + 1);
		break;
	case POLICY_WORDS:
		buffer_putc(out, '[');
		for (const char *at = text + 1; *at != '}' && *at != '\0';) {
			size_t length = strcspn(at, ",}");
			json_write_separator(out);
			buffer_printf(out, "\"%.*s\"", (int)length, at);
			at += length + (at[length] == ',');
		}
		buffer_putc(out, ']');
		break;
	default:
		buffer_puts(out, text);
	}
}
