/*
 * JSON texts about a change: the patch, and the difference.
 */
#include "changes.h"

#include <string.h>

#include "buffer.h"
#include "json.h"
#include "memory.h"

static const char *
take_text(struct arena *arena, struct buffer *out)
{
	const char *text = arena_copy(arena, buffer_text(out));

	buffer_free(out);
	return text;
}

const char *
changes_json(struct arena *arena, struct json_object *value)
{
	struct buffer out = BUFFER_INIT;

	json_write_value(&out, value);
	return take_text(arena, &out);
}

const char *
changes_of(struct arena *arena, const char *before, struct json_object *patch)
{
	struct buffer out = BUFFER_INIT;
	const char *reason;
	struct json_object *old = before != NULL ? json_parse(before, strlen(before), &reason) : NULL;

	buffer_putc(&out, '{');
	json_object_object_foreach(patch, name, value) {
		struct json_object *was = old != NULL ? json_member(old, name) : NULL;
		if (json_object_equal(was, value))
			continue;
		json_write_name(&out, name);
		buffer_putc(&out, '[');
		json_write_value(&out, was);
		buffer_putc(&out, ',');
		json_write_value(&out, value);
		buffer_putc(&out, ']');
	}
	buffer_putc(&out, '}');
	json_object_put(old);
	return take_text(arena, &out);
}
