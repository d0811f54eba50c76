/*
 * What is wrong with a row, by the column that it stands in: the faults and the refusals of
 * decisions speak of members of a body, people of the columns of their file.
 */
#include <string.h>

#include "import_row.h"
#include "json.h"
#include "proposal.h"

/* The member of a body to the key of a column. */
static const struct { const char *member, *field; } members[] = {
	{ "role_id", "role" }, { "department_id", "department" }, { "group_ids", "groups" }, { "password", "password_hash" },
};

/* The column that a problem without faults is about. */
static const struct { enum problem problem; const char *field; } problems[] = {
	{ PROBLEM_EMAIL_TAKEN, "email" }, { PROBLEM_USERNAME_TAKEN, "username" }, { PROBLEM_EXTERNAL_ID_TAKEN, "external_id" },
	{ PROBLEM_VERSION_MISMATCH, "version" }, { PROBLEM_NOT_FOUND, "id" },
};

/* And the one that a policy is about, where it refuses. */
static const struct { const char *policy, *field; } policies[] = {
	{ "email_change", "email" }, { "email_required", "email" }, { "username_change", "username" }, { "initial_status", "status" },
	{ "password_at_create", "password_hash" }, { "role_required", "role" },
};

static void
write_error(struct import_row *row, const char *column, const char *code, const char *detail, const char *policy)
{
	struct buffer *out = &row->errors;

	if (out->length > 0)
		buffer_putc(out, ',');
	buffer_putc(out, '{');
	json_write_string_member(out, "column", column);
	json_write_string_member(out, "code", code);
	json_write_string_member(out, "detail", detail);
	if (policy != NULL)
		json_write_string_member(out, "policy", policy);
	buffer_putc(out, '}');
}

/* The header of the file; where it has none the key says what is missing. */
static const char *
header_of(const struct import_columns *columns, const char *field)
{
	const struct import_column *column = field != NULL ? import_columns_find(columns, field) : NULL;

	return column != NULL ? column->header : field;
}

void
import_row_error(struct import_row *row, const struct import_columns *columns, const char *field, const char *code,
	const char *detail)
{
	write_error(row, header_of(columns, field), code, detail, NULL);
}

bool
import_row_has_error(const struct import_row *row)
{
	return row->errors.length > 0;
}

/* Of a cell that could not be read nothing more is to be said: that it is missing, for one. */
static bool
is_told(const struct import_row *row, const char *column)
{
	struct buffer begin = BUFFER_INIT;
	bool is_there;

	if (column == NULL)
		return false;
	buffer_puts(&begin, "{\"column\":");
	json_write_string(&begin, column);
	is_there = strstr(buffer_text(&row->errors), buffer_text(&begin)) != NULL;
	buffer_free(&begin);
	return is_there;
}

/* "/attributes/hub" to "attributes.hub", "/group_ids/3" to "groups". */
static const char *
field_of_pointer(struct arena *arena, const char *pointer)
{
	static const char attributes[] = "/attributes/";
	const char *member;

	if (strncmp(pointer, attributes, strlen(attributes)) == 0)
		return arena_printf(arena, USER_COLUMN_ATTRIBUTE "%s", pointer + strlen(attributes));
	pointer += *pointer == '/';
	member = arena_copy_n(arena, pointer, strcspn(pointer, "/"));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (strcmp(members[i].member, member) == 0)
			return members[i].field;
	}
	return member;
}

static const char *
field_of_refusal(const struct proposal *pr)
{
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (problems[i].problem == pr->problem)
			return problems[i].field;
	}
	for (size_t i = 0; pr->policy != NULL && i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (strcmp(policies[i].policy, pr->policy) == 0)
			return policies[i].field;
	}
	return NULL;
}

void
import_row_take_refusal(struct import_row *row, const struct import_columns *columns, const struct proposal *pr)
{
	const bool speaks_of_faults = pr->problem == PROBLEM_INVALID_BODY;
	const struct problem_text *text = problem_text(pr->problem);

	for (int i = 0; speaks_of_faults && i < pr->fault_count; i++) {
		const struct fault *fault = &pr->faults[i];
		const char *column = header_of(columns, field_of_pointer(pr->scratch, fault->pointer));
		if (!is_told(row, column))
			write_error(row, column, fault->code, fault->detail, NULL);
	}
	const char *column = header_of(columns, field_of_refusal(pr));
	if (!speaks_of_faults && !is_told(row, column))
		write_error(row, column, text->code, pr->detail != NULL ? pr->detail : text->detail, pr->policy);
}
