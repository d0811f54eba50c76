/*
 * Drives a batch for a job: the rounds that a request of the API makes without waiting.
 *
 * What is always true: what a round writes and what the job notes of it stand in one
 * transaction, so whatever dies, nothing is done twice to anybody. Who is refused is for the job to
 * write down: to decide that again does no harm.
 */
#include "job_batch.h"

#include "subject.h"

/* Each waits for a lock as long as DATABASE_LOCK_TIMEOUT_MS; then the job waits longer. */
#define CONFLICTS_MAX 5

struct job_maker
job_maker_from_row(struct arena *arena, const PGresult *rows, const char *who, const char *const *permissions)
{
	return (struct job_maker){
		.kind = row_copy(arena, rows, 0, arena_printf(arena, "%s_kind", who)),
		.id = row_copy(arena, rows, 0, arena_printf(arena, "%s_id", who)),
		.ip = row_copy(arena, rows, 0, "ip"), .request_id = row_copy(arena, rows, 0, "request_id"),
		.permissions = permissions,
	};
}

void
job_batch_open(struct job_batch *batch, int count)
{
	batch->origin.scratch = arena_create();
	batch->origin.org_id = batch->lease->org_id;
	batch->origin.id = batch->maker->request_id;
	batch->origin.ip = batch->maker->ip;
	batch->users = user_batch_create(&batch->origin, count, false);
	batch->conflicts = 0;
}

void
job_batch_close(struct job_batch *batch)
{
	arena_free(&batch->origin.scratch);
	batch->users = NULL;
}

enum job_progress
job_batch_read_caller(struct job_batch *batch)
{
	const struct job_maker *maker = batch->maker;

	switch (job_caller_read(batch->lease, maker->kind, maker->id, batch->origin.scratch, &batch->origin.caller)) {
	case JOB_CALLER_UNKNOWN:
		return JOB_IS_LATER;
	case JOB_CALLER_GONE:
		return JOB_IS_GONE;
	case JOB_CALLER_THERE:
		break;
	}
	for (const char *const *word = maker->permissions; *word != NULL; word++) {
		if (!proposal_permits(&batch->origin, *word))
			return JOB_IS_FORBIDDEN;
	}
	return JOB_GOES_ON;
}

enum job_progress
job_batch_decide(struct job_batch *batch, PGresult *facts[BATCH_FACTS])
{
	struct statement loads[BATCH_FACTS];

	user_batch_load(batch->users, loads);
	if (database_run_together(batch->lease->worker->database, loads, BATCH_FACTS, facts) != DATABASE_OK)
		return JOB_IS_LATER;
	user_batch_take_facts(batch->users, facts);
	user_batch_decide(batch->users);
	return JOB_GOES_ON;
}

void
job_batch_forget(PGresult *facts[BATCH_FACTS])
{
	for (int i = 0; i < BATCH_FACTS; i++)
		PQclear(facts[i]);
}

/* What became of the round. Where a row is locked it is decided again, and nobody is told
 * as failed for it; unless the job is somebody else's by now. */
static enum job_progress
settle(struct job_batch *batch, enum database_status status, PGresult *const *results, int count)
{
	switch (status) {
	case DATABASE_OK:
		(void)user_batch_settle(batch->users, BATCH_WRITTEN, NULL, results, count);
		return JOB_GOES_ON;
	case DATABASE_CONFLICT:
		return ++batch->conflicts < CONFLICTS_MAX && job_lease_hold(batch->lease) ? JOB_GOES_ON : JOB_IS_LATER;
	case DATABASE_CONSTRAINT:
		(void)user_batch_settle(batch->users, BATCH_CONSTRAINT, database_violated(batch->lease->worker->database), NULL, 0);
		return JOB_GOES_ON;
	default:
		return JOB_IS_LATER;
	}
}

static enum job_progress
write_round(struct job_batch *batch)
{
	struct statement statements[BATCH_STATEMENTS_MAX], all[BATCH_STATEMENTS_MAX + 2], before = { 0 }, behind = { 0 };
	PGresult *results[BATCH_STATEMENTS_MAX + 2] = { NULL };
	const int count = user_batch_write(batch->users, statements);
	enum job_progress progress;
	int first, last;

	if (count == 0)
		return settle(batch, DATABASE_OK, results, 0);
	batch->frame(batch, &before, &behind);
	first = last = before.query != NULL;
	if (first > 0)
		all[0] = before;
	for (int i = 0; i < count; i++)
		all[last++] = statements[i];
	if (behind.query != NULL)
		all[last++] = behind;
	progress = settle(batch, job_lease_write(batch->lease, all, last, results), results + first, count);
	for (int i = 0; i < last; i++)
		PQclear(results[i]);
	return progress;
}

static enum job_progress
run_round(struct job_batch *batch)
{
	PGresult *facts[BATCH_FACTS];
	enum job_progress progress = job_batch_read_caller(batch);

	if (progress == JOB_GOES_ON)
		progress = job_batch_decide(batch, facts);
	if (progress != JOB_GOES_ON)
		return progress;
	progress = write_round(batch);
	job_batch_forget(facts);
	return progress;
}

enum job_progress
job_batch_run(struct job_batch *batch)
{
	enum job_progress progress = JOB_GOES_ON;

	while (progress == JOB_GOES_ON && user_batch_is_open(batch->users))
		progress = run_round(batch);
	return progress;
}
