/*
 * Fields: the definitions of custom attributes (S2-04, S2-05).
 *
 * What is always true: a pattern that is stored compiles, a choice has options and nothing
 * else has any, and there is a label in some language. Key and type stay as they were made,
 * so that values never change their meaning; an option that somebody has is not taken away;
 * a new pattern, or a role that newly requires the field, is asked for when a user's
 * attributes or role are next changed. A field that is deleted takes its values with it: of
 * many users a page at a time, so that none is held for long, and the last with the field
 * itself, whoever was given one meanwhile among them. What is broken off goes on when it is
 * asked again.
 */
#include "fields.h"

#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "field.h"
#include "pattern.h"
#include "reply.h"
#include "route.h"
#include "text.h"

/* As many lose a value in one statement, at some 0.1 ms each, for which all of them are held. */
#define HOLDERS_PER_PAGE 500

const struct body_field field_create_fields[] = {
	{ "key", BODY_TEXT, .is_required = true, .max = FIELD_KEY_MAX },
	{ "label", BODY_NAME, .max = FIELD_LABEL_MAX },
	{ "labels", BODY_OBJECT },
	{ "type", BODY_CHOICE, .is_required = true, .choices = field_types },
	{ "options", BODY_LIST },
	{ "pattern", BODY_TEXT, .is_nullable = true, .max = PATTERN_LENGTH_MAX },
	{ "required_for_roles", BODY_IDS },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field field_edit_fields[] = {
	{ "key", BODY_READ_ONLY },
	{ "label", BODY_NAME, .max = FIELD_LABEL_MAX },
	{ "labels", BODY_OBJECT },
	{ "type", BODY_READ_ONLY },
	{ "options", BODY_LIST },
	{ "pattern", BODY_TEXT, .is_nullable = true, .max = PATTERN_LENGTH_MAX },
	{ "required_for_roles", BODY_IDS },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct resource fields = {
	.path = "/v1/fields",
	.list = &query_field_list, .count = &query_field_count, .get = &query_field_get,
	.create = &query_field_create, .edit = &query_field_edit, .remove = &query_field_remove,
};

/* A member of the body, whatever is wrong with the others: NULL when it is of another type. */
static struct json_object *
member(struct request *rq, const char *name, enum json_type type)
{
	struct json_object *value = json_member(rq->body, name);

	return json_object_is_type(value, type) ? value : NULL;
}

/* The ids of the body that are ids, as uuid[]. */
static const char *
wanted_roles(struct request *rq)
{
	struct json_object *list = member(rq, "required_for_roles", json_type_array);
	struct buffer out = BUFFER_INIT;
	struct uuid id;

	buffer_putc(&out, '{');
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		if (json_object_is_type(item, json_type_string) && uuid_parse(json_object_get_string(item), &id))
			buffer_printf(&out, "%s%s", out.length > 1 ? "," : "", json_object_get_string(item));
	}
	buffer_putc(&out, '}');
	return request_take_text(rq, &out);
}

static void
check_roles(struct request *rq)
{
	struct json_object *list = member(rq, "required_for_roles", json_type_array);
	const char *known = request_column(rq, "known_roles");
	char text[UUID_TEXT_SIZE];
	struct uuid id;

	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		if (!json_object_is_type(item, json_type_string) || !uuid_parse(json_object_get_string(item), &id))
			continue;	/* said already */
		uuid_format(&id, text);
		if (strstr(known, text) == NULL)
			request_fault(rq, arena_printf(rq->scratch, "/required_for_roles/%zu", i), "unknown_id",
				"There is no role with this id.");
	}
}

static void
check_labels(struct request *rq, struct json_object *labels)
{
	json_object_object_foreach(labels, language, label) {
		const char *pointer = body_pointer(rq, "/labels", language);
		const char *text = json_object_is_type(label, json_type_string) ? json_object_get_string(label) : NULL;
		if (!locale_is_known(language))
			request_fault(rq, pointer, "unknown_field", "Known languages are en, uk and ru.");
		else if (label != NULL && text == NULL)
			request_fault(rq, pointer, "wrong_type", "A label is a text; null takes it away.");
		else if (text != NULL && !name_is_valid(text))
			request_fault(rq, pointer, "invalid", "A label has letters and no control characters.");
		else if (text != NULL && utf8_length(text) > FIELD_LABEL_MAX)
			request_fault(rq, pointer, "too_long", "At most 200 characters.");
	}
}

/* `label` is the one in the organization's language. Afterwards the body says only
 * `labels`, and in it how all of them will be. */
static void
take_labels(struct request *rq, struct json_object *before)
{
	const char *label = request_text(rq, "label");
	struct json_object *patch = member(rq, "labels", json_type_object), *merged;

	if (request_has(rq, "label") && request_has(rq, "labels")) {
		request_fault(rq, "/label", "invalid", "Either label, in the organization's language, or labels.");
		return;
	}
	if (patch != NULL) {
		check_labels(rq, patch);
		merged = json_merge_patch(before, patch);
	} else if (label != NULL) {
		patch = json_object_new_object();
		json_object_object_add(patch, request_column(rq, "locale"), json_object_new_string(label));
		merged = json_merge_patch(before, patch);
		json_object_put(patch);
	} else {
		if (before == NULL && !request_has(rq, "label") && !request_has(rq, "labels"))
			request_fault(rq, "/label", "required", "This is needed, or labels.");
		return;
	}
	if (json_object_object_length(merged) == 0)
		request_fault(rq, "/labels", "required", "A field has a label in one language at least.");
	json_object_object_del(rq->body, "label");
	json_object_object_add(rq->body, "labels", merged);
}

static bool
stands_before(struct json_object *list, size_t place, const char *text)
{
	for (size_t i = 0; i < place; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		if (json_object_is_type(item, json_type_string) && strcmp(json_object_get_string(item), text) == 0)
			return true;
	}
	return false;
}

static void
check_option(struct request *rq, struct json_object *list, size_t place)
{
	struct json_object *item = json_object_array_get_idx(list, place);
	const char *text = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : NULL;
	const char *pointer = arena_printf(rq->scratch, "/options/%zu", place);

	if (text == NULL)
		request_fault(rq, pointer, "wrong_type", "An option is a text.");
	else if (!name_is_valid(text))
		request_fault(rq, pointer, "invalid", "An option has letters and no control characters.");
	else if (utf8_length(text) > FIELD_LABEL_MAX)
		request_fault(rq, pointer, "too_long", "At most 200 characters.");
	else if (stands_before(list, place, text))
		request_fault(rq, pointer, "invalid", "This option stands here twice.");
}

/* `type`: of the field, NULL when the body has none that there is. */
static void
check_options(struct request *rq, const char *type)
{
	struct json_object *list = member(rq, "options", json_type_array);
	const bool is_choice = type != NULL && strcmp(type, "choice") == 0;
	const size_t count = list != NULL ? json_object_array_length(list) : 0;

	if (rq->route->method == HTTP_POST && is_choice && !request_has(rq, "options"))
		request_fault(rq, "/options", "required", "A choice needs its options.");
	if (list == NULL || type == NULL)
		return;
	if (!is_choice && count > 0)
		request_fault(rq, "/options", "invalid", "Only a choice has options.");
	else if (is_choice && count == 0)
		request_fault(rq, "/options", "required", "A choice has at least one option.");
	else if (count > FIELD_OPTIONS_MAX)
		request_fault(rq, "/options", "too_long", "At most 200 options.");
	else
		for (size_t i = 0; i < count; i++)
			check_option(rq, list, i);
}

static void
check_pattern(struct request *rq, const char *type)
{
	const char *pattern = request_text(rq, "pattern"), *reason;

	if (pattern == NULL || type == NULL || *pattern == '\0' || utf8_length(pattern) > PATTERN_LENGTH_MAX)
		return;		/* none, or said already */
	if (strcmp(type, "text") != 0)
		request_fault(rq, "/pattern", "invalid", "Only a text has a pattern.");
	else if (pattern_compile(rq->scratch, pattern, &reason) == NULL)
		request_fault(rq, "/pattern", "invalid", reason);
}

static enum step
field_create_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_field_create_load, (const char *const[]){ rq->org_id, wanted_roles(rq) });
}

static const char *
known_type(struct request *rq)
{
	const char *type = request_text(rq, "type");

	for (const char *const *known = field_types; type != NULL && *known != NULL; known++) {
		if (strcmp(*known, type) == 0)
			return *known;
	}
	return NULL;
}

static enum step
field_create_check(struct request *rq)
{
	const char *key = request_text(rq, "key");

	if (key != NULL && *key != '\0' && utf8_length(key) <= FIELD_KEY_MAX && !field_key_is_valid(key))
		request_fault(rq, "/key", "invalid", "A key has small letters, digits and _, and begins with a letter.");
	take_labels(rq, NULL);
	check_options(rq, known_type(rq));
	check_pattern(rq, known_type(rq));
	check_roles(rq);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	if (strtol(request_column(rq, "fields"), NULL, 10) >= FIELDS_PER_ORGANIZATION)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "An organization has at most 100 fields.");
	return STEP_NEXT;
}

static enum step
field_create_record(struct request *rq)
{
	struct resource_case *the = arena_take(rq->scratch, sizeof(*the));

	rq->data = the;
	the->id = request_new_id(rq);
	/* Two who make the hundredth at once: the second counts what the first has made. */
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_field_hold, (const char *const[]){ rq->org_id, NULL } },
		{ &query_field_create, (const char *const[]){ rq->org_id, the->id, changes_json(rq->scratch, rq->body),
			arena_printf(rq->scratch, "%d", FIELDS_PER_ORGANIZATION), request_new_id(rq), request_actor(rq),
			changes_of(rq->scratch, NULL, rq->body) } },
		resource_statement_get(rq, the->id),
	}, 3);
}

request_step *const field_create_steps[] = {
	field_create_load, field_create_check, field_create_record, resource_reply_created, NULL
};

static enum step
field_edit_load(struct request *rq)
{
	struct json_object *options = member(rq, "options", json_type_array);
	const char *text = options != NULL ? changes_json(rq->scratch, options) : NULL;

	/* Who takes options away asks all users. */
	return request_query(rq, text != NULL ? LANE_SLOW : LANE_READ, &query_field_edit_load,
		(const char *const[]){ rq->org_id, rq->path_values[0], rq->caller.language, wanted_roles(rq), text });
}

static enum step
field_edit_check(struct request *rq)
{
	const char *reason;

	/* What is wrong with the body is said of a field that there is not as well. */
	if (request_rows(rq, 0) == 0 && rq->fault_count > 0)
		return request_answer_faults(rq);
	enum step step = resource_take(rq);
	if (step != STEP_NEXT)
		return step;
	const char *type = request_column(rq, "type"), *labels = request_column(rq, "labels");
	struct json_object *before = json_parse(labels, strlen(labels), &reason);
	take_labels(rq, before);
	json_object_put(before);
	check_options(rq, type);
	check_pattern(rq, type);
	check_roles(rq);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	const char *losing = request_column(rq, "users_losing");
	if (strcmp(type, "choice") == 0 && strcmp(losing, "0") != 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			arena_printf(rq->scratch, "Options that you take away are still chosen, by %s user%s: give them another first.",
				losing, strcmp(losing, "1") == 0 ? "" : "s"));
	return STEP_NEXT;
}

static enum step
field_edit_record(struct request *rq)
{
	const struct resource_case *the = rq->data;
	const char *changes = changes_of(rq->scratch, the->before, rq->body);
	const struct statement get = resource_statement_get(rq, the->id);

	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_READ, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_field_hold, (const char *const[]){ rq->org_id, the->id } },
		{ &query_field_edit, (const char *const[]){ rq->org_id, the->id, the->version, changes_json(rq->scratch, rq->body), request_new_id(rq),
			request_actor(rq), changes } },
		get,
	}, 3);
}

request_step *const field_edit_steps[] = { field_edit_load, field_edit_check, field_edit_record, reply_ok, NULL };

/* Deleting: first the values, and then the field with those that are left. */

struct field_removal {
	struct resource_case the;	/* first: resource_take fills it */
	const char *after;		/* the last whom a page took it from */
	bool has_more;			/* there is a page before the last */
};

static enum step
field_remove_load(struct request *rq)
{
	struct field_removal *removal = rq->data != NULL ? rq->data : arena_take(rq->scratch, sizeof(*removal));

	rq->data = removal;
	if (removal->after == NULL)
		removal->after = "00000000-0000-0000-0000-000000000000";
	return resource_get(rq);
}

static enum step
field_remove_find(struct request *rq)
{
	const struct field_removal *removal = rq->data;

	return request_query(rq, LANE_SLOW, &query_field_page_end, (const char *const[]){
		rq->org_id, request_column(rq, "key"), removal->after, arena_printf(rq->scratch, "%d", HOLDERS_PER_PAGE) });
}

static enum step
field_remove_record(struct request *rq)
{
	struct field_removal *removal = rq->data;
	const struct resource_case *the = &removal->the;
	const char *after = removal->after;

	removal->has_more = request_rows(rq, 0) > 0;
	if (removal->has_more) {
		removal->after = arena_copy(rq->scratch, request_column(rq, "id"));
		return request_query(rq, LANE_WRITE, &query_field_forget, (const char *const[]){
			rq->org_id, the->id, the->version, after, removal->after, request_new_id(rq), request_actor(rq) });
	}
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_field_hold, (const char *const[]){ rq->org_id, the->id } },
		{ &query_field_remove, (const char *const[]){ rq->org_id, the->id, the->version, request_new_id(rq), request_actor(rq) } },
	}, 2);
}

static enum step
field_remove_go_on(struct request *rq)
{
	const struct field_removal *removal = rq->data;

	return removal->has_more ? request_next_page(rq) : STEP_NEXT;
}

request_step *const field_remove_steps[] = {
	field_remove_load, resource_take, field_remove_find, field_remove_record, field_remove_go_on, reply_no_content, NULL
};
