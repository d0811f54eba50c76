/*
 * subject: one user as a decision sees him, read from a row.
 *
 * Queries that end in a decision select the fragment `subject` (sql/queries/users.sql):
 * the facts for common/lifecycle.h, the version that the decision rests on, and the
 * organization's policy as it is at that moment.
 */
#ifndef ROLLCALL_SUBJECT_H
#define ROLLCALL_SUBJECT_H

#include <libpq-fe.h>

#include "lifecycle.h"
#include "permission.h"
#include "policy.h"

struct arena;

struct subject {
	const char *id;
	const char *version;
	const char *session_epoch;
	const char *status_reason;	/* NULL: not there yet */
	const char *email, *username, *first_name, *last_name, *locale;	/* NULL: none */
	const char *invited_by;
	const char *admin_epoch;	/* of the organization, at this moment */
	const char *assignment_epoch;	/* moves with everything that is assigned to him */
	uint32_t invitation_generation;
	bool invitation_passed;		/* its time is over */
	bool previous_expired;
	struct permission_set permissions;		/* role's and own together */
	struct permission_set role_permissions;
	struct user_state state;
	struct policy policy;
};

/* Every text lives in the arena. */
void subject_from_row(struct subject *subject, struct arena *arena, const PGresult *rows, int row);

/* A text of a column; NULL for SQL NULL. Lives as long as `rows`. */
const char *row_text(const PGresult *rows, int row, const char *column);
/* The same, kept in the arena. */
const char *row_copy(struct arena *arena, const PGresult *rows, int row, const char *column);
bool row_is_true(const PGresult *rows, int row, const char *column);
long row_int(const PGresult *rows, int row, const char *column);	/* 0 for SQL NULL */

#endif
