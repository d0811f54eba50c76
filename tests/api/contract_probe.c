/*
 * contract_probe: prints what the program says of its own contract, for pytest to hold the
 * OpenAPI document against: the table of routes with the fields and parameters that each
 * takes, the table of problems, and that of policies. One JSON object on stdout.
 */
#include <stdio.h>

#include "buffer.h"
#include "json.h"
#include "policy.h"
#include "problem.h"
#include "route.h"

static const char *const type_words[] = {
	[BODY_TEXT] = "text", [BODY_NAME] = "name", [BODY_EMAIL] = "email", [BODY_USERNAME] = "username", [BODY_PHONE] = "phone",
	[BODY_LOCALE] = "locale", [BODY_ID] = "id", [BODY_PASSWORD] = "password", [BODY_BOOL] = "bool", [BODY_COUNT] = "count",
	[BODY_PERMISSIONS] = "permissions", [BODY_IDS] = "ids", [BODY_TIME] = "time", [BODY_COLOR] = "color", [BODY_NETWORKS] = "networks",
	[BODY_OBJECT] = "object", [BODY_LIST] = "list", [BODY_CHOICE] = "choice", [BODY_TOKEN] = "token",
	[BODY_READ_ONLY] = "read_only",
};
static const char *const access_words[] = {
	[ACCESS_PUBLIC] = "public", [ACCESS_ANONYMOUS] = "anonymous", [ACCESS_SIGNED_IN] = "signed_in", [ACCESS_USER] = "user",
	[ACCESS_OPERATOR] = "operator",
};

static const char *const policy_words[] = {
	[POLICY_BOOL] = "bool", [POLICY_CHOICE] = "choice", [POLICY_INT] = "int", [POLICY_DURATION] = "duration",
	[POLICY_WORDS] = "words", [POLICY_LABELS] = "labels", [POLICY_INT_LIST] = "int_list",
};

/* NULL is null: none at all. */
static void
write_words(struct buffer *out, const char *name, const char *const *words)
{
	json_write_name(out, name);
	if (words == NULL) {
		buffer_puts(out, "null");
		return;
	}
	buffer_putc(out, '[');
	for (; *words != NULL; words++) {
		json_write_separator(out);
		json_write_string(out, *words);
	}
	buffer_putc(out, ']');
}

static void
write_fields(struct buffer *out, const struct body_field *fields)
{
	json_write_name(out, "fields");
	if (fields == NULL || fields == body_any) {
		buffer_puts(out, fields == NULL ? "null" : "\"any\"");
		return;
	}
	buffer_putc(out, '[');
	for (; fields->name != NULL; fields++) {
		json_write_separator(out);
		buffer_putc(out, '{');
		json_write_string_member(out, "name", fields->name);
		json_write_string_member(out, "type", type_words[fields->type]);
		json_write_bool_member(out, "required", fields->is_required);
		json_write_bool_member(out, "nullable", fields->is_nullable);
		json_write_bool_member(out, "may_be_empty", fields->may_be_empty);
		json_write_int_member(out, "max", fields->max);
		write_words(out, "choices", fields->choices);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

static void
write_route(struct buffer *out, const struct route *route, const char *name)
{
	const char *const permissions[] = { route->permission, route->permission_too, NULL };

	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "name", name);
	json_write_string_member(out, "access", access_words[route->access]);
	write_words(out, "permissions", permissions);
	write_words(out, "query", route->query);
	json_write_bool_member(out, "takes_bytes", route->takes_bytes);
	json_write_bool_member(out, "takes_key", !route->ignores_key && !route->ignores_input);
	json_write_bool_member(out, "shows_secret", route->shows_secret);
	json_write_bool_member(out, "is_unlimited", route->is_unlimited);
	write_fields(out, route->fields);
	buffer_putc(out, '}');
}

static void
write_problem(struct buffer *out, const struct problem_text *problem)
{
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_int_member(out, "status", problem->status);
	json_write_string_member(out, "code", problem->code);
	json_write_string_member(out, "title", problem->title);
	buffer_putc(out, '}');
}

static void
write_policy(struct buffer *out, const struct policy_column *column)
{
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "name", column->name);
	json_write_string_member(out, "type", policy_words[column->type]);
	write_words(out, "choices", column->choices);
	json_write_int_member(out, "min", column->min);
	json_write_int_member(out, "max", column->max);
	json_write_bool_member(out, "nullable", column->nullable);
	json_write_string_member(out, "meaning", column->meaning);
	buffer_putc(out, '}');
}

int
main(void)
{
	struct buffer out = BUFFER_INIT;

	buffer_puts(&out, "{\"routes\":[");
	for (int i = 0; i < route_count; i++)
		write_route(&out, &routes[i], router_names()[i]);
	buffer_puts(&out, "],\"problems\":[");
	for (int i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++)
		write_problem(&out, problem_text((enum problem)i));
	buffer_puts(&out, "],\"policies\":[");
	for (int i = 0; i < policy_column_count; i++)
		write_policy(&out, &policy_columns[i]);
	buffer_puts(&out, "],\"presets\":[");
	for (const struct policy_preset *preset = policy_presets; preset->name != NULL; preset++) {
		json_write_separator(&out);
		json_write_string(&out, preset->name);
	}
	buffer_puts(&out, "]}\n");
	fputs(buffer_text(&out), stdout);
	buffer_free(&out);
	return 0;
}
