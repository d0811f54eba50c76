/*
 * transition: what lifecycle decided, as parameters of the one statement that
 * changes state (sql/queries/transition.sql).
 *
 * A batch holds any number of users of one organization. Server and worker both
 * build their batches here, so a status never changes without its effects.
 */
#ifndef ROLLCALL_TRANSITION_H
#define ROLLCALL_TRANSITION_H

#include <stdbool.h>

#include "lifecycle.h"
#include "subject.h"

struct arena;
struct transition_batch;

/* What lifecycle does not know: the particulars of one user's transition. NULL and
 * false for what does not apply. */
struct transition_details {
	const char *action;		/* audit: "user.inactivated" */
	const char *guard;		/* "idle", "lock", "reset", "edited" */
	int guard_count;		/* "lock": the threshold; "reset": how many in an hour */
	const char *password_hash;	/* where the transition sets one */
	const char *keep_session;	/* id of the session that outlives ends_sessions */
	const char *invited_by;		/* user id; NULL keeps the one before */
	const char *accepted_through;	/* "user", "administrator" */
	bool logged_in;
	bool uses_reset;		/* a reset link was completed */
	bool ignores_version;		/* a fresh row, or the guard says it all */
	bool is_new;			/* query_user_insert writes him as he is to be, before it in the same transaction */
	const char *note;		/* audit: why, in free words */
	const char *new_email;		/* that is to be confirmed, or was */
	/* audit: members of JSON objects, what a new user begins with, and what of it is personal */
	const char *begins_with, *begins_with_personal;
};

struct transition_batch *transition_batch_create(struct arena *arena, const char *org_id);
/* Adds one user. A mail to administrators gets one row, whose recipient is chosen
 * when it is sent (DESIGN.md §4, links that go to administrators). */
void transition_batch_add(struct transition_batch *batch, const struct subject *subject,
	const struct transition *transition, const struct transition_details *details);
int transition_batch_count(const struct transition_batch *batch);
/* Whether somebody in it may be an administrator less. The facts about a second such
 * user were read while the first was still there: he must wait for another batch, unless the
 * caller knows, of the same epoch, that somebody stays. */
bool transition_batch_reduces_administrators(const struct transition_batch *batch);
/* For a batch that is not sent after all. (transition_batch_params takes it up, too.) */
void transition_batch_discard(struct transition_batch *batch);
/* The parameters of query_user_transition; `actor` as jsonb text. They live in the
 * arena. */
const char *const *transition_batch_params(struct transition_batch *batch, const char *actor);
/* The actor of what the worker does by itself. */
extern const char *const transition_actor_system;

#endif
