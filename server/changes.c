/*
 * JSON texts about a change: the row before, the patch, and the difference.
 */
#include "changes.h"

#include <string.h>

#include "reply.h"

const char *
changes_row(struct request *rq, const PGresult *rows, int row)
{
	struct buffer out = BUFFER_INIT;

	reply_write_row(&out, rows, row);
	return request_take_text(rq, &out);
}

const char *
changes_json(struct request *rq, struct json_object *value)
{
	struct buffer out = BUFFER_INIT;

	json_write_value(&out, value);
	return request_take_text(rq, &out);
}

const char *
changes_of(struct request *rq, const char *before, struct json_object *patch)
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
	return request_take_text(rq, &out);
}
