/*
 * user_writing: what was decided about users, as the statements that write it.
 *
 * A request about one user has one in it, a bulk has many: the statements are the same.
 * They go before one sync, so all of it comes to pass, or nothing.
 */
#ifndef ROLLCALL_USER_WRITING_H
#define ROLLCALL_USER_WRITING_H

#include "proposal.h"
#include "query.h"
#include "transition.h"

#define WRITING_ROLES_MAX 2
#define WRITING_STATEMENTS_MAX (WRITING_ROLES_MAX + 4)

struct user_writing {
	struct buffer rows;		/* of new users, jsonb */
	struct buffer positions;	/* that they are the first to have */
	struct buffer edits;		/* items of user_edit */
	const char *edits_epoch;	/* NULL: no edit is gated */
	struct statement roles[WRITING_ROLES_MAX];	/* made with new users */
	int role_count;
	struct transition_batch *batch;
	bool leaves_out_taken;		/* a new user whose name somebody has is not made, and the others are */
};

void user_writing_open(struct user_writing *writing, struct proposal *pr);
/* The statements, in the order in which they rest on each other; how many there are. What
 * was edited is the rows of query_user_edit, what moved those of query_user_transition. */
int user_writing_take(struct user_writing *writing, struct proposal *pr, struct statement *statements);
/* For one that is not sent after all. */
void user_writing_discard(struct user_writing *writing);

#endif
