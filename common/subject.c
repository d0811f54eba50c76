/*
 * Reads the columns of the fragment `subject` into what decisions are made of.
 *
 * What is always true: a query that a decision rests on selects the whole fragment; a
 * column that is missing is our own mistake and stops the program.
 */
#include "subject.h"

#include <assert.h>
#include <stdlib.h>

#include "memory.h"

const char *
row_text(const PGresult *rows, int row, const char *column)
{
	int number = PQfnumber(rows, column);

	assert(number >= 0 && "the query must select this column");
	return PQgetisnull(rows, row, number) ? NULL : PQgetvalue(rows, row, number);
}

const char *
row_copy(struct arena *arena, const PGresult *rows, int row, const char *column)
{
	const char *text = row_text(rows, row, column);

	return text != NULL ? arena_copy(arena, text) : NULL;
}

bool
row_is_true(const PGresult *rows, int row, const char *column)
{
	const char *text = row_text(rows, row, column);

	return text != NULL && text[0] == 't';
}

long
row_int(const PGresult *rows, int row, const char *column)
{
	const char *text = row_text(rows, row, column);

	return text != NULL ? strtol(text, NULL, 10) : 0;
}

void
subject_from_row(struct subject *subject, struct arena *arena, const PGresult *rows, int row)
{
	*subject = (struct subject){
		.id = row_copy(arena, rows, row, "user_id"),
		.version = row_copy(arena, rows, row, "version"),
		.session_epoch = row_copy(arena, rows, row, "session_epoch"),
		.status_reason = row_copy(arena, rows, row, "status_reason"),
		.email = row_copy(arena, rows, row, "email"),
		.username = row_copy(arena, rows, row, "username"),
		.first_name = row_copy(arena, rows, row, "first_name"),
		.last_name = row_copy(arena, rows, row, "last_name"),
		.locale = row_copy(arena, rows, row, "locale"),
		.invited_by = row_copy(arena, rows, row, "invited_by"),
		.admin_epoch = row_copy(arena, rows, row, "admin_epoch"),
		.assignment_epoch = row_copy(arena, rows, row, "assignment_epoch"),
		.invitation_generation = (uint32_t)row_int(rows, row, "invitation_generation"),
		.invitation_passed = row_is_true(rows, row, "invitation_passed"),
		.previous_expired = row_is_true(rows, row, "previous_expired"),
		.permissions = permission_set_parse(arena, row_text(rows, row, "permissions")),
		.role_permissions = permission_set_parse(arena, row_text(rows, row, "role_permissions")),
		.state = {
			.status = user_status_from_word(row_text(rows, row, "status")),
			.status_before_lock = user_status_from_word(row_text(rows, row, "status_before_lock")),
			.invitation = invitation_state_from_word(row_text(rows, row, "invitation_state")),
			.invitation_is_letter = row_is_true(rows, row, "invitation_is_letter"),
			.has_email = row_text(rows, row, "email") != NULL,
			.email_added_later = row_is_true(rows, row, "email_added_later"),
			.has_password = row_is_true(rows, row, "has_password"),
			.is_anonymised = row_is_true(rows, row, "is_anonymised"),
			.is_administrator = row_is_true(rows, row, "is_administrator"),
			.is_last_administrator = row_is_true(rows, row, "is_last_administrator"),
			.renewals = (int)row_int(rows, row, "renewals"),
			.wants_invitation = -1,
		},
	};
	policy_from_row(&subject->policy, arena, rows, row);
}
