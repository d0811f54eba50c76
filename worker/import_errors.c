/*
 * What is wrong with a row, by the column that it stands in: the faults and the refusals of
 * decisions speak of members of a body, people of the columns of their file. Nor does a sheet have
 * tags, headers and ids: where a sentence tells a program what to do, there is one for people here.
 */
#include <string.h>

#include "import_row.h"
#include "json.h"
#include "proposal.h"

/* The member of a body to the key of a column. `gone`: what it named by an id is there no more. */
static const struct member { const char *member, *field, *gone; } members[] = {
	{ "role_id", "role", "This role was deleted meanwhile." },
	{ "department_id", "department", "This department was deleted meanwhile." },
	{ "group_ids", "groups", "A group of these was deleted meanwhile." },
	{ "password", "password_hash", NULL },
};

/* The column that a problem without faults is about, and what is said to people; NULL: none in
 * particular, and what the problem says itself. */
static const struct told { enum problem problem; const char *field, *detail; } problems[] = {
	{ PROBLEM_EMAIL_TAKEN, "email", NULL }, { PROBLEM_USERNAME_TAKEN, "username", NULL }, { PROBLEM_EXTERNAL_ID_TAKEN, "external_id", NULL },
	{ PROBLEM_VERSION_MISMATCH, "version", "Somebody has changed this user since: export or upload the file again, to go on from what he is now." },
	{ PROBLEM_NOT_FOUND, "id", "There is no such user any more." },
	{ PROBLEM_STATE_CONFLICT, NULL, "This cannot be done to the user as he is now: look at him first." },
	{ PROBLEM_RATE_LIMITED, NULL, "This user got too many mails within an hour: upload the row again later." },
	{ PROBLEM_INTERNAL, NULL, "Something went wrong here: upload the row again later." },
	{ PROBLEM_UNAVAILABLE, NULL, "This could not be done now: upload the row again later." },
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

/* The member of a body that "/group_ids/3" is in, if it is among those that are called otherwise here. */
static const struct member *
member_of(const char *pointer)
{
	pointer += *pointer == '/';
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const size_t length = strlen(members[i].member);
		if (strncmp(members[i].member, pointer, length) == 0 && (pointer[length] == '\0' || pointer[length] == '/'))
			return &members[i];
	}
	return NULL;
}

/* "/attributes/hub" to "attributes.hub", "/group_ids/3" to "groups". */
static const char *
field_of_pointer(struct arena *arena, const char *pointer)
{
	static const char attributes[] = "/attributes/";
	const struct member *member = member_of(pointer);

	if (member != NULL)
		return member->field;
	if (strncmp(pointer, attributes, strlen(attributes)) == 0)
		return arena_printf(arena, USER_COLUMN_ATTRIBUTE "%s", pointer + strlen(attributes));
	pointer += *pointer == '/';
	return arena_copy_n(arena, pointer, strcspn(pointer, "/"));
}

/* Cells have names; an id is known only of what had one. */
static const char *
detail_of_fault(const struct fault *fault)
{
	const struct member *member = member_of(fault->pointer);

	return member != NULL && member->gone != NULL && strcmp(fault->code, "unknown_id") == 0 ? member->gone : fault->detail;
}

static const struct told *
told_of(enum problem problem)
{
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (problems[i].problem == problem)
			return &problems[i];
	}
	return NULL;
}

static const char *
field_of_refusal(const struct proposal *pr)
{
	const struct told *told = told_of(pr->problem);

	for (size_t i = 0; pr->policy != NULL && i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (strcmp(policies[i].policy, pr->policy) == 0)
			return policies[i].field;
	}
	return told != NULL ? told->field : NULL;
}

static const char *
detail_of_refusal(const struct proposal *pr)
{
	const struct told *told = told_of(pr->problem);

	if (pr->detail != NULL)
		return pr->detail;
	return told != NULL && told->detail != NULL ? told->detail : problem_text(pr->problem)->detail;
}

void
import_row_take_refusal(struct import_row *row, const struct import_columns *columns, const struct proposal *pr)
{
	const bool speaks_of_faults = pr->problem == PROBLEM_INVALID_BODY;

	for (int i = 0; speaks_of_faults && i < pr->fault_count; i++) {
		const struct fault *fault = &pr->faults[i];
		const char *column = header_of(columns, field_of_pointer(pr->scratch, fault->pointer));
		if (!is_told(row, column))
			write_error(row, column, fault->code, detail_of_fault(fault), NULL);
	}
	const char *column = header_of(columns, field_of_refusal(pr));
	if (!speaks_of_faults && !is_told(row, column))
		write_error(row, column, problem_text(pr->problem)->code, detail_of_refusal(pr), pr->policy);
}
