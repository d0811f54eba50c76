/*
 * confirmation: what is done only when a number is repeated: deletions, selections.
 *
 * The number guards against a slip of the hand, not against guessing: whoever may confirm it,
 * who is its maker, was told it. It lives ten minutes, and the third wrong one ends it; both
 * are counted where it is compared (sql/queries/deletion.sql, selections.sql).
 */
#ifndef ROLLCALL_CONFIRMATION_H
#define ROLLCALL_CONFIRMATION_H

#include "body.h"
#include "request.h"

/* {code} */
extern const struct body_field confirmation_fields[];

const char *confirmation_new_code(struct request *rq);
/* What became of the number: `tried` has state and is_right, or no row, where there was
 * nothing left to confirm. STEP_NEXT: it was the right one. */
enum step confirmation_judge(struct request *rq, const PGresult *tried, enum problem dead);

#endif
