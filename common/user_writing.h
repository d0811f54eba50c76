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

#define WRITING_STATEMENTS_MAX 6

struct user_writing {
	struct buffer rows;		/* of new users, jsonb */
	struct buffer positions;	/* that they are the first to have */
	struct buffer roles;		/* that are made with them */
	struct buffer edits;		/* items of user_edit */
	const char *edits_epoch;	/* NULL: no edit is gated */
	struct transition_batch *batch;
	bool leaves_out_taken;		/* a new user whose name somebody has, or whose role's, is not made, and the others are */
};

void user_writing_open(struct user_writing *writing, struct proposal *pr);
/* The statements, in the order in which they rest on each other; how many there are. What
 * was edited is the rows of query_user_edit, what moved those of query_user_transition. */
int user_writing_take(struct user_writing *writing, struct proposal *pr, struct statement *statements);
/* For one that is not sent after all. */
void user_writing_discard(struct user_writing *writing);

#endif
