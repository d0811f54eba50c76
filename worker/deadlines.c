/*
 * A sweep: read what is due with all facts, decide each user with lifecycle, write the
 * decisions of one organization in one statement.
 *
 * What is always true: a decision rests on a version; whoever was changed meanwhile is
 * left out, and the next round sees him as he is now.
 */
#include "deadlines.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "queries.h"
#include "shared_page.h"
#include "worker.h"

#define SWEEP_LIMIT "1000"
#define SWEEP_ROWS 1000

struct sweep {
	const struct query *query;
	enum user_event event;
	struct transition_details details;
	enum metric metric;
	/* What to do about a user whom lifecycle refuses, so that he is not due for ever. */
	void (*refused)(struct worker *worker, const char *org_id, const struct subject *subject);
};

/* Decides one user. An administrator whose batch already takes one away is left for
 * the next round: he may be the last by then. */
static void
sweep_user(struct worker *worker, const struct sweep *sweep, const char *org_id, const struct subject *subject,
	struct transition_batch *batch)
{
	struct transition_details details = sweep->details;
	struct transition transition;

	if (details.guard != NULL)
		details.guard_count = subject->policy.lockout_threshold;
	if (!lifecycle_decide(&subject->policy, &subject->state, sweep->event, &transition)) {
		if (sweep->refused != NULL)
			sweep->refused(worker, org_id, subject);
	} else if (!transition.reduces_administrators || !transition_batch_reduces_administrators(batch)) {
		transition_batch_add(batch, subject, &transition, &details);
	}
}

/* Decides the rows of one organization, from `first` on; marks them as done. */
static int
sweep_organization(struct worker *worker, const struct sweep *sweep, const PGresult *rows, int first, bool *done)
{
	struct arena *arena = arena_create();
	const char *org_id = row_text(rows, first, "org_id");
	struct transition_batch *batch = transition_batch_create(arena, org_id);
	int moved = 0;

	for (int row = first; row < PQntuples(rows); row++) {
		struct subject subject;

		if (done[row] || strcmp(row_text(rows, row, "org_id"), org_id) != 0)
			continue;
		done[row] = true;
		subject_from_row(&subject, arena, rows, row);
		sweep_user(worker, sweep, org_id, &subject, batch);
	}
	if (transition_batch_count(batch) > 0)
		moved = worker_transition(worker, batch);
	else
		transition_batch_discard(batch);
	arena_free(&arena);
	return moved;
}

static bool
sweep_run(struct worker *worker, const struct sweep *sweep)
{
	PGresult *rows = worker_query(worker, sweep->query, (const char *const[]){ SWEEP_LIMIT });
	int moved = 0;

	if (rows == NULL)
		return false;
	bool *done = xcalloc((size_t)PQntuples(rows) + 1, sizeof(*done));
	for (int row = 0; row < PQntuples(rows); row++) {
		if (!done[row]) {
			int count = sweep_organization(worker, sweep, rows, row, done);
			moved += count > 0 ? count : 0;
		}
	}
	metric_add(worker->page, sweep->metric, moved);
	const bool may_have_more = PQntuples(rows) == SWEEP_ROWS && moved > 0;
	free(done);
	PQclear(rows);
	return may_have_more;
}

bool
deadlines_expire_invitations(struct worker *worker)
{
	static const struct sweep sweep = { .query = &query_sweep_expired_invitations, .event = EVENT_LINK_EXPIRES,
		.details = { .action = "user.invitation_expired" }, .metric = METRIC_LINKS_EXPIRED };

	return sweep_run(worker, &sweep);
}

bool
deadlines_release_locks(struct worker *worker)
{
	static const struct sweep sweep = { .query = &query_sweep_released_locks, .event = EVENT_RELEASE,
		.details = { .action = "user.lock_released" }, .metric = METRIC_LOCKS_RELEASED };

	return sweep_run(worker, &sweep);
}

/* Who cannot be locked starts anew; the delay of logins slows the guessing. */
static void
forget_guesses(struct worker *worker, const char *org_id, const struct subject *subject)
{
	PQclear(worker_query(worker, &query_guesses_reset, (const char *const[]){ org_id, subject->id }));
}

bool
deadlines_finish_locks(struct worker *worker)
{
	static const struct sweep sweep = { .query = &query_sweep_unfinished_guesses, .event = EVENT_WRONG_PASSWORD,
		.details = { .action = "user.locked", .guard = "lock" },
		.metric = METRIC_USERS_LOCKED, .refused = forget_guesses };

	return sweep_run(worker, &sweep);
}
