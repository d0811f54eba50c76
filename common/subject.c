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

static const char *
kept(struct arena *arena, const PGresult *rows, int row, const char *column)
{
	const char *text = row_text(rows, row, column);

	return text != NULL ? arena_copy(arena, text) : NULL;
}

void
subject_from_row(struct subject *subject, struct arena *arena, const PGresult *rows, int row)
{
	*subject = (struct subject){
		.id = kept(arena, rows, row, "user_id"),
		.version = kept(arena, rows, row, "version"),
		.session_epoch = kept(arena, rows, row, "session_epoch"),
		.status_reason = kept(arena, rows, row, "status_reason"),
		.email = kept(arena, rows, row, "email"),
		.username = kept(arena, rows, row, "username"),
		.first_name = kept(arena, rows, row, "first_name"),
		.last_name = kept(arena, rows, row, "last_name"),
		.locale = kept(arena, rows, row, "locale"),
		.invited_by = kept(arena, rows, row, "invited_by"),
		.admin_epoch = kept(arena, rows, row, "admin_epoch"),
		.assignment_epoch = kept(arena, rows, row, "assignment_epoch"),
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
