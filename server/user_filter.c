/*
 * The filter's parameters, one after the other.
 *
 * An object of a body is read as if its members stood in a query string: the readers of
 * list.h find them by name, and what they have to say points into the body.
 */
#include "user_filter.h"

#include <string.h>

#include "body.h"
#include "list.h"

/* What may stand in an object: the list's parameters but for those of pages. */
static const char *const names[] = {
	"status", "kind", "role_id", "email", "username", "external_id", "updated_since", "q", "department_id", "group_id",
	"incomplete", "vacation", "assignable", "at", NULL
};
#define TEXT_BYTES_MAX 1000
#define NAME_COUNT (sizeof(names) / sizeof(names[0]) - 1)

static const char *
read_kind(struct request *rq)
{
	const char *kind = request_parameter(rq, "kind");

	if (kind != NULL && strcmp(kind, "employee") != 0 && strcmp(kind, "external") != 0)
		request_parameter_fault(rq, "kind", "invalid", "employee or external.");
	return kind;
}

/* vacation, assignable, at: who is away, and who may be assigned anything, now or at another
 * moment. */
static void
read_day_off_filter(struct request *rq, const char **params)
{
	const char *vacation = request_parameter(rq, "vacation"), *assignable = request_parameter(rq, "assignable");

	if (vacation != NULL && strcmp(vacation, "on") != 0 && strcmp(vacation, "off") != 0)
		request_parameter_fault(rq, "vacation", "invalid", "on or off.");
	list_read_flag(rq, "assignable");
	params[0] = vacation;
	params[1] = assignable;
	params[2] = list_read_time(rq, "at");
	if (request_parameter(rq, "at") != NULL && vacation == NULL && assignable == NULL)
		request_parameter_fault(rq, "at", "invalid", "The moment of vacation or assignable: give one of them.");
}

void
user_filter_read(struct request *rq, const char **params)
{
	static const char *const statuses[] = { "pending", "active", "inactive", "locked", NULL };
	int n = 0;

	params[n++] = rq->org_id;
	params[n++] = list_read_words(rq, "status", statuses);
	params[n++] = read_kind(rq);
	params[n++] = list_read_id(rq, "role_id");
	params[n++] = request_parameter(rq, "email");
	params[n++] = request_parameter(rq, "username");
	params[n++] = request_parameter(rq, "external_id");
	params[n++] = list_read_time(rq, "updated_since");
	params[n++] = list_read_search(rq, "q");
	params[n++] = list_read_id(rq, "department_id");
	params[n++] = list_read_id(rq, "group_id");
	params[n++] = list_read_flag(rq, "incomplete") ? "true" : request_parameter(rq, "incomplete");
	read_day_off_filter(rq, &params[n]);
}

static size_t
index_of(const char *name)
{
	size_t i = 0;

	while (i < NAME_COUNT && strcmp(names[i], name) != 0)
		i++;
	return i;
}

/* The member as it would stand in a query string; NULL, with a fault, where it could not. */
static const char *
text_of(struct request *rq, struct json_object *value, const char *pointer)
{
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "true" : "false";
	if (!json_object_is_type(value, json_type_string)) {
		request_fault(rq, pointer, "wrong_type", "This is a text, or true or false.");
		return NULL;
	}
	if (json_object_get_string_len(value) > TEXT_BYTES_MAX) {
		request_fault(rq, pointer, "too_long", "At most 1000 bytes.");
		return NULL;
	}
	return json_object_get_string(value);
}

/* The values in the order of `names`. */
static const char *const *
read_members(struct request *rq, struct json_object *object, const char *at)
{
	const char **values = arena_take(rq->scratch, sizeof(*values) * (NAME_COUNT + 1));

	json_object_object_foreach(object, name, value) {
		const char *pointer = body_pointer(rq, at, name);
		const size_t index = index_of(name);

		if (index == NAME_COUNT)
			request_fault(rq, pointer, "unknown_field", "There is no such parameter of the list here.");
		else if (value != NULL)
			values[index] = text_of(rq, value, pointer);
	}
	return values;
}

const char *
user_filter_read_object(struct request *rq, struct json_object *object, const char *at, const char **params)
{
	const struct parameters of_route = rq->parameters;
	struct buffer kept = BUFFER_INIT;

	rq->parameters = (struct parameters){ names, read_members(rq, object, at), at };
	user_filter_read(rq, params);
	buffer_putc(&kept, '{');
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (rq->parameters.values[i] != NULL)
			json_write_string_member(&kept, names[i], rq->parameters.values[i]);
	}
	buffer_putc(&kept, '}');
	rq->parameters = of_route;
	return request_take_text(rq, &kept);
}
