/*
 * Drives a batch for a job: the rounds that a request of the API makes without waiting.
 *
 * What is always true: what a round writes and what the job notes of it stand in one
 * transaction, so whatever dies, nothing is done twice to anybody. Who is refused is for the job to
 * write down: to decide that again does no harm.
 */
#include "job_batch.h"

#include "subject.h"

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
		return ++batch->conflicts < JOB_CONFLICTS_MAX && job_lease_hold(batch->lease) ? JOB_GOES_ON : JOB_IS_LATER;
	case DATABASE_CONSTRAINT:
		(void)user_batch_settle(batch->users, BATCH_CONSTRAINT, database_violated(batch->lease->worker->database), NULL, 0);
		return JOB_GOES_ON;
	default:
		return JOB_IS_LATER;
	}
}

static void
put_together(struct job_batch *batch)
{
	struct statement statements[BATCH_STATEMENTS_MAX], before = { 0 }, behind = { 0 };
	struct job_round *round = &batch->round;

	round->users = user_batch_write(batch->users, statements);
	round->count = 0;
	if (round->users == 0)
		return;
	batch->frame(batch, &before, &behind);
	if (before.query != NULL)
		round->all[round->count++] = before;
	round->first = round->count;
	for (int i = 0; i < round->users; i++)
		round->all[round->count++] = statements[i];
	if (behind.query != NULL)
		round->all[round->count++] = behind;
}

static enum job_progress
send_round(struct job_batch *batch)
{
	struct job_round *round = &batch->round;
	enum job_progress progress = job_batch_read_caller(batch);

	if (progress == JOB_GOES_ON)
		progress = job_batch_decide(batch, round->facts);
	if (progress != JOB_GOES_ON)
		return progress;
	put_together(batch);
	if (round->count > 0 && job_lease_send(batch->lease, round->all, round->count) != DATABASE_OK)
		progress = JOB_IS_LATER;
	if (progress != JOB_GOES_ON)
		job_batch_forget(round->facts);
	return progress;
}

enum job_progress
job_batch_send(struct job_batch *batch)
{
	const bool is_open = user_batch_is_open(batch->users);
	const enum job_progress progress = is_open ? send_round(batch) : JOB_GOES_ON;

	batch->round.is_under_way = is_open && progress == JOB_GOES_ON;
	return progress;
}

enum job_progress
job_batch_land(struct job_batch *batch)
{
	struct job_round *round = &batch->round;
	PGresult *results[BATCH_STATEMENTS_MAX + 2] = { NULL };
	enum database_status status = DATABASE_OK;
	enum job_progress progress;

	if (!round->is_under_way)
		return JOB_GOES_ON;
	round->is_under_way = false;
	if (round->count > 0)
		status = job_lease_collect(batch->lease, round->all, round->count, results);
	progress = settle(batch, status, results + round->first, round->users);
	for (int i = 0; i < round->count; i++)
		PQclear(results[i]);
	job_batch_forget(round->facts);
	return progress;
}

enum job_progress
job_batch_run(struct job_batch *batch)
{
	enum job_progress progress = JOB_GOES_ON;

	while (progress == JOB_GOES_ON && user_batch_is_open(batch->users)) {
		progress = job_batch_send(batch);
		if (progress == JOB_GOES_ON)
			progress = job_batch_land(batch);
	}
	return progress;
}
