/*
 * json: JSON in and out, with json-c behind a guard.
 *
 * json_guard.c decides what is accepted; json-c only builds the tree. Always true of
 * a value that json_parse returned: its strings are strict UTF-8 without NUL, so
 * they pass to PostgreSQL whole; no object was given a name twice; no whole
 * number was cut to fit. What the members mean, and how long they may be, is left to
 * the handlers; how long the text may be, to the HTTP server.
 */
#include "json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json_guard.h"

struct json_object *
json_parse(const char *bytes, size_t length, const char **reason)
{
	struct json_tokener *tokener;
	struct json_object *value;

	*reason = length < INT_MAX ? json_fault(bytes, length) : "too long";
	if (*reason != NULL)
		return NULL;
	/* json-c counts a scalar as a level of its own. */
	tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	if (tokener == NULL)
		abort();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tokener, bytes, (int)length);
	/* Unreachable as long as the guard is the stricter one. */
	if (value == NULL)
		*reason = "not valid JSON";
	json_tokener_free(tokener);
	return value;
}

struct json_object *
json_member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static struct json_object *
member_of_type(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *value = json_member(object, name);

	return json_object_is_type(value, type) ? value : NULL;
}

const char *
json_member_string(struct json_object *object, const char *name)
{
	struct json_object *value = member_of_type(object, name, json_type_string);

	return value != NULL ? json_object_get_string(value) : NULL;
}

int64_t
json_member_int(struct json_object *object, const char *name, int64_t otherwise)
{
	struct json_object *value = member_of_type(object, name, json_type_int);

	return value != NULL ? json_object_get_int64(value) : otherwise;
}

bool
json_member_bool(struct json_object *object, const char *name, bool otherwise)
{
	struct json_object *value = member_of_type(object, name, json_type_boolean);

	return value != NULL ? json_object_get_boolean(value) : otherwise;
}

/* ---- Writing ---- */

static void
write_escape(struct buffer *out, char c)
{
	static const char characters[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *found = c != '\0' ? strchr(characters, c) : NULL;

	buffer_putc(out, '\\');
	if (found != NULL)
		buffer_putc(out, letters[found - characters]);
	else
		buffer_printf(out, "u%04x", (unsigned)(unsigned char)c);
}

struct json_object *
json_merge_patch(struct json_object *target, struct json_object *patch)
{
	struct json_object *merged;

	if (!json_object_is_type(patch, json_type_object))
		return json_object_get(patch);
	merged = json_object_new_object();
	if (json_object_is_type(target, json_type_object)) {
		json_object_object_foreach(target, name, value) {
			if (!json_object_object_get_ex(patch, name, NULL))
				json_object_object_add(merged, name, json_object_get(value));
		}
	}
	json_object_object_foreach(patch, name, value) {
		struct json_object *before = NULL;

		if (value == NULL)
			continue;
		if (json_object_is_type(target, json_type_object))
			json_object_object_get_ex(target, name, &before);
		json_object_object_add(merged, name, json_merge_patch(before, value));
	}
	return merged;
}

void
json_write_string(struct buffer *out, const char *text)
{
	if (text == NULL) {
		buffer_puts(out, "null");
		return;
	}
	buffer_putc(out, '"');
	while (*text != '\0') {
		const char *plain = text;

		while ((unsigned char)*text >= 0x20 && *text != '"' && *text != '\\')
			text++;
		buffer_append(out, plain, (size_t)(text - plain));
		if (*text != '\0')
			write_escape(out, *text++);
	}
	buffer_putc(out, '"');
}

void
json_write_separator(struct buffer *out)
{
	char last = out->length > 0 ? out->data[out->length - 1] : '{';

	if (last != '{' && last != '[')
		buffer_putc(out, ',');
}

void
json_write_name(struct buffer *out, const char *name)
{
	json_write_separator(out);
	json_write_string(out, name);
	buffer_putc(out, ':');
}

void
json_write_value(struct buffer *out, struct json_object *value)
{
	const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
	size_t length;
	const char *text;

	if (value == NULL) {
		buffer_puts(out, "null");
		return;
	}
	text = json_object_to_json_string_length(value, flags, &length);
	if (text == NULL)
		abort();
	buffer_append(out, text, length);
}

void
json_write_string_member(struct buffer *out, const char *name, const char *text)
{
	json_write_name(out, name);
	json_write_string(out, text);
}

void
json_write_int_member(struct buffer *out, const char *name, int64_t value)
{
	json_write_name(out, name);
	buffer_printf(out, "%lld", (long long)value);
}

void
json_write_bool_member(struct buffer *out, const char *name, bool value)
{
	json_write_name(out, name);
	buffer_puts(out, value ? "true" : "false");
}

void
json_write_change(struct buffer *out, const char *name, const char *before, const char *after)
{
	json_write_name(out, name);
	buffer_putc(out, '[');
	json_write_string(out, before);
	buffer_putc(out, ',');
	json_write_string(out, after);
	buffer_putc(out, ']');
}
