/*
 * GET /v1/roles/{id}/schema: JSON Schema (2020-12) of the body that makes a user of the role.
 *
 * What is always true: it is written from the very tables that check the body, the list
 * user_create_fields, the policy and the organization's fields, so that a form made of it
 * and the server agree. Fields that the role requires are in `required` under either policy
 * of required_fields; whether their lack refuses or only marks is said beside them.
 */
#include "role_schema.h"

#include <string.h>

#include "body.h"
#include "field.h"
#include "password.h"
#include "policy.h"
#include "reply.h"
#include "subject.h"
#include "users.h"

#define TEXT_MAX 200	/* where a body's field names no maximum: body.c */

struct schema {
	struct policy policy;
	struct field_set fields;
	const char *role_id, *role;
	bool requires_attributes;
};

static enum step
role_schema_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_role_schema_load,
		(const char *const[]){ rq->org_id, rq->path_values[0], rq->caller.language });
}

/* Members that are not for this role, or not under this policy. */
static bool
is_left_out(const struct schema *schema, const struct body_field *field)
{
	if (field->type == BODY_READ_ONLY || strcmp(field->name, "role") == 0)
		return true;
	if (field->type == BODY_PASSWORD)
		return schema->policy.password_at_create == PASSWORD_FORBIDDEN;
	return strcmp(field->name, "own_permissions") == 0 && !schema->policy.permissions_per_user;
}

static bool
is_required(const struct schema *schema, const struct body_field *field)
{
	const struct policy *policy = &schema->policy;

	if (strcmp(field->name, "email") == 0)
		return policy->email_required;
	if (strcmp(field->name, "username") == 0)
		return policy->login_identifier == LOGIN_BY_USERNAME;
	if (strcmp(field->name, "role_id") == 0)
		return policy->role_required;
	if (strcmp(field->name, "attributes") == 0)
		return schema->requires_attributes;
	if (field->type == BODY_PASSWORD)
		return policy->password_at_create == PASSWORD_REQUIRED;
	return field->is_required;
}

static bool
may_choose(const struct schema *schema, const struct body_field *field, const char *choice)
{
	if (strcmp(field->name, "kind") == 0)
		return policy_words_have(schema->policy.user_kinds, choice);
	if (strcmp(field->name, "status") == 0)
		return schema->policy.initial_status == INITIAL_CHOSEN_BY_ADMIN || strcmp(choice, "pending") == 0;
	return true;
}

static void
write_enum(struct buffer *out, const struct schema *schema, const struct body_field *field, const char *const *choices,
	bool is_nullable)
{
	json_write_name(out, "enum");
	buffer_putc(out, '[');
	for (; *choices != NULL; choices++) {
		if (schema != NULL && !may_choose(schema, field, *choices))
			continue;
		json_write_separator(out);
		json_write_string(out, *choices);
	}
	if (is_nullable)
		buffer_puts(out, ",null");
	buffer_putc(out, ']');
}

static void
write_type(struct buffer *out, const char *type, bool is_nullable)
{
	json_write_name(out, "type");
	if (is_nullable)
		buffer_printf(out, "[\"%s\",\"null\"]", type);
	else
		json_write_string(out, type);
}

static void
write_length(struct buffer *out, int min, int max)
{
	json_write_int_member(out, "minLength", min);
	json_write_int_member(out, "maxLength", max);
}

static void
write_items(struct buffer *out, const char *format, int max)
{
	write_type(out, "array", false);
	json_write_name(out, "items");
	buffer_puts(out, "{\"type\":\"string\"");
	if (format != NULL)
		json_write_string_member(out, "format", format);
	buffer_putc(out, '}');
	if (max > 0)
		json_write_int_member(out, "maxItems", max);
}

/* One member of the body as a schema, behind its brace. */
static void
write_member(struct buffer *out, const struct schema *schema, const struct body_field *field)
{
	static const char *const languages[] = { "en", "uk", "ru", NULL };
	const bool is_nullable = field->is_nullable && !is_required(schema, field);
	const int max = field->max > 0 ? field->max : TEXT_MAX;

	switch (field->type) {
	case BODY_EMAIL:
		write_type(out, "string", is_nullable);
		json_write_string_member(out, "format", "email");
		write_length(out, 1, max);
		break;
	case BODY_ID:
		write_type(out, "string", is_nullable);
		json_write_string_member(out, "format", "uuid");
		break;
	case BODY_TIME:
		write_type(out, "string", is_nullable);
		json_write_string_member(out, "format", "date-time");
		break;
	case BODY_PASSWORD:
		write_type(out, "string", false);
		write_length(out, schema->policy.password_min_length, PASSWORD_MAX_BYTES);
		json_write_bool_member(out, "writeOnly", true);
		break;
	case BODY_LOCALE:
		write_enum(out, NULL, field, languages, is_nullable);
		break;
	case BODY_CHOICE:
		write_enum(out, schema, field, field->choices, is_nullable);
		break;
	case BODY_BOOL:
		write_type(out, "boolean", is_nullable);
		break;
	case BODY_PERMISSIONS:
		write_items(out, NULL, 100);
		break;
	case BODY_IDS:
		write_items(out, "uuid", max);
		json_write_bool_member(out, "uniqueItems", true);
		break;
	case BODY_OBJECT:
		write_type(out, "object", is_nullable);
		break;
	case BODY_LIST:
		write_type(out, "array", is_nullable);
		break;
	default:
		write_type(out, "string", is_nullable);
		write_length(out, 1, max);
		break;
	}
}

/* One of the organization's own fields. */
static void
write_field(struct buffer *out, const struct field *field)
{
	json_write_string_member(out, "title", field->label);
	switch (field->type) {
	case FIELD_TEXT:
		write_type(out, "string", false);
		write_length(out, 1, FIELD_TEXT_MAX);
		if (field->pattern != NULL) {
			struct buffer whole = BUFFER_INIT;
			buffer_printf(&whole, "^(?:%s)$", field->pattern);
			json_write_string_member(out, "pattern", buffer_text(&whole));
			buffer_free(&whole);
		}
		break;
	case FIELD_NUMBER:
		write_type(out, "number", false);
		break;
	case FIELD_BOOLEAN:
		write_type(out, "boolean", false);
		break;
	case FIELD_DATE:
		write_type(out, "string", false);
		json_write_string_member(out, "format", "date");
		break;
	case FIELD_CHOICE:
		write_enum(out, NULL, NULL, field->options, false);
		break;
	}
}

static void
write_attributes(struct buffer *out, const struct schema *schema)
{
	write_type(out, "object", false);
	json_write_name(out, "properties");
	buffer_putc(out, '{');
	for (size_t i = 0; i < schema->fields.count; i++) {
		json_write_name(out, schema->fields.fields[i].key);
		buffer_putc(out, '{');
		write_field(out, &schema->fields.fields[i]);
		buffer_putc(out, '}');
	}
	buffer_putc(out, '}');
	json_write_name(out, "required");
	buffer_putc(out, '[');
	for (size_t i = 0; i < schema->fields.count; i++) {
		if (!field_is_required(&schema->fields.fields[i], schema->role_id))
			continue;
		json_write_separator(out);
		json_write_string(out, schema->fields.fields[i].key);
	}
	buffer_putc(out, ']');
	json_write_bool_member(out, "additionalProperties", false);
	json_write_string_member(out, "$comment", schema->policy.required_fields == REQUIRED_FIELDS_BLOCK
		? "A user who lacks a required field is refused." : "A user who lacks a required field is marked incomplete.");
}

static void
write_properties(struct buffer *out, const struct schema *schema)
{
	json_write_name(out, "properties");
	buffer_putc(out, '{');
	for (const struct body_field *field = user_create_fields; field->name != NULL; field++) {
		if (is_left_out(schema, field))
			continue;
		json_write_name(out, field->name);
		buffer_putc(out, '{');
		if (strcmp(field->name, "role_id") == 0)
			json_write_string_member(out, "const", schema->role_id);
		else if (strcmp(field->name, "attributes") == 0)
			write_attributes(out, schema);
		else
			write_member(out, schema, field);
		buffer_putc(out, '}');
	}
	buffer_putc(out, '}');
	json_write_name(out, "required");
	buffer_putc(out, '[');
	for (const struct body_field *field = user_create_fields; field->name != NULL; field++) {
		if (is_left_out(schema, field) || !is_required(schema, field))
			continue;
		json_write_separator(out);
		json_write_string(out, field->name);
	}
	buffer_putc(out, ']');
}

static void
read_schema(struct request *rq, struct schema *schema)
{
	policy_from_row(&schema->policy, rq->scratch, rq->result, 0);
	field_set_read(&schema->fields, rq->scratch, request_column(rq, "fields"));
	schema->role_id = request_column(rq, "id");
	schema->role = request_column(rq, "name");
	for (size_t i = 0; i < schema->fields.count; i++)
		schema->requires_attributes = schema->requires_attributes
			|| field_is_required(&schema->fields.fields[i], schema->role_id);
}

static enum step
role_schema_reply(struct request *rq)
{
	struct schema *schema = arena_take(rq->scratch, sizeof(*schema));
	struct buffer *out = &rq->reply;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	read_schema(rq, schema);
	buffer_clear(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_write_string_member(out, "title", schema->role);
	write_type(out, "object", false);
	write_properties(out, schema);
	json_write_bool_member(out, "additionalProperties", false);
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/schema+json");
}

request_step *const role_schema_steps[] = { role_schema_load, role_schema_reply, NULL };
