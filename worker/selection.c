/*
 * A selection is carried out in batches, as its maker: with the permissions that he has when
 * a batch is decided. When he is no longer active, or may not do this any more, it stops.
 *
 * What is always true: what a round writes and the note to whom it was done stand in one
 * transaction, so whatever dies, nothing is done twice to anybody, and nobody who was
 * dealt with is told as failed. Who is refused is written down behind it: to decide
 * that again does no harm.
 */
#include "selection.h"

#include <string.h>

#include "job_caller.h"
#include "job_lease.h"
#include "json.h"
#include "queries.h"
#include "subject.h"
#include "supervisor.h"
#include "user_batch.h"
#include "uuid.h"

#define BATCH "500"
/* Each waits for a lock as long as DATABASE_LOCK_TIMEOUT_MS; then the job waits longer. */
#define CONFLICTS_MAX 5

struct selection {
	struct job_lease *lease;
	const char *maker_kind, *maker_id, *ip, *request_id;	/* live as long as the job */
	enum operation_kind kind;
	bool is_running;
	char after[UUID_TEXT_SIZE];	/* whoever of them is not done before was refused by now */
};

/* One batch, and all that lives no longer. */
struct selection_batch {
	struct selection *selection;
	struct proposal origin;
	struct user_batch *users;
	const char *ids;		/* of those in it, as an array */
	int conflicts;
};

/* How a part went: on, or how the run ends. */
enum progress { GOES_ON, IS_LATER, IS_GONE, IS_FORBIDDEN };

static const char *
keep(struct selection *selection, const PGresult *rows, const char *column)
{
	const char *text = row_text(rows, 0, column);

	return text != NULL ? arena_copy(selection->lease->arena, text) : NULL;
}

static enum operation_kind
kind_of(const char *word)
{
	int kind = OPERATION_ACTIVATE;

	while (kind < operation_type_count - 1 && strcmp(operation_types[kind].word, word) != 0)
		kind++;
	return (enum operation_kind)kind;
}

/* False: nobody knows. */
static bool
load(struct selection *selection)
{
	struct job_lease *lease = selection->lease;
	PGresult *rows = worker_query(lease->worker, &query_selection_load, (const char *const[]){ lease->org_id, lease->id });
	const bool is_known = rows != NULL;

	if (is_known && PQntuples(rows) > 0) {
		selection->maker_kind = keep(selection, rows, "maker_kind");
		selection->maker_id = keep(selection, rows, "maker_id");
		selection->ip = keep(selection, rows, "ip");
		selection->request_id = keep(selection, rows, "request_id");
		selection->kind = kind_of(row_text(rows, 0, "op"));
		selection->is_running = strcmp(row_text(rows, 0, "state"), "running") == 0;
	}
	PQclear(rows);
	return is_known;
}

/* ---- The last words. */

static enum job_end
end(struct selection *selection, const char *problem)
{
	struct job_lease *lease = selection->lease;
	struct proposal origin = { .scratch = lease->arena, .id = selection->request_id, .ip = selection->ip,
		.caller = { .kind = strcmp(selection->maker_kind, "user") == 0 ? CALLER_USER : CALLER_API_KEY, .id = selection->maker_id } };
	const struct statement last_words = { &query_selection_end, (const char *const[]){ lease->org_id, lease->id, problem,
		proposal_new_id(&origin), proposal_actor(&origin) } };
	PGresult *result = NULL;

	if (job_lease_finish(lease, &last_words, 1, &result) != DATABASE_OK)
		return JOB_LATER;
	PQclear(result);
	return JOB_ENDED;
}

static enum job_end
end_early(struct selection *selection, enum progress progress)
{
	switch (progress) {
	case IS_GONE:
		return end(selection, "{\"code\":\"permission_missing\",\"detail\":\"Who asked for this is no longer active, so it"
			" stopped. Nothing was done to those who are open.\"}");
	case IS_FORBIDDEN:
		return end(selection, "{\"code\":\"permission_missing\",\"detail\":\"Who asked for this may no longer do it, so it"
			" stopped. Nothing was done to those who are open.\"}");
	default:
		return JOB_LATER;
	}
}

/* ---- One batch. */

/* As if he asked at this moment. */
static enum progress
read_caller(struct selection_batch *batch)
{
	struct selection *selection = batch->selection;
	struct proposal *origin = &batch->origin;

	switch (job_caller_read(selection->lease, selection->maker_kind, selection->maker_id, origin->scratch, &origin->caller)) {
	case JOB_CALLER_UNKNOWN:
		return IS_LATER;
	case JOB_CALLER_GONE:
		return IS_GONE;
	case JOB_CALLER_THERE:
		break;
	}
	if (!proposal_permits(origin, "imports:write") || !proposal_permits(origin, "users:write")
		|| (selection->kind == OPERATION_INVITE && !proposal_permits(origin, "users:invite")))
		return IS_FORBIDDEN;
	return GOES_ON;
}

static void
propose(struct selection_batch *batch, const PGresult *rows, struct json_object *body)
{
	struct selection *selection = batch->selection;
	struct buffer ids = BUFFER_INIT;

	batch->users = user_batch_create(&batch->origin, PQntuples(rows), false);
	buffer_putc(&ids, '{');
	for (int i = 0; i < PQntuples(rows); i++) {
		const char *id = arena_copy(batch->origin.scratch, row_text(rows, i, "user_id"));
		user_batch_propose(batch->users, i, selection->kind, body, id, NULL);
		user_batch_check_form(batch->users, i);
		buffer_printf(&ids, "%s%s", i > 0 ? "," : "", id);
	}
	buffer_putc(&ids, '}');
	batch->ids = proposal_take_text(&batch->origin, &ids);
}

/* What became of the round. Where a row is locked it is decided again, and nobody is told
 * as failed for it; unless the job is somebody else's by now. */
static enum progress
settle(struct selection_batch *batch, enum database_status status, PGresult *const *results, int count)
{
	if (status == DATABASE_CONFLICT)
		return ++batch->conflicts < CONFLICTS_MAX && job_lease_hold(batch->selection->lease) ? GOES_ON : IS_LATER;
	if (status != DATABASE_OK)
		return IS_LATER;
	(void)user_batch_settle(batch->users, BATCH_WRITTEN, NULL, results, count);
	return GOES_ON;
}

static enum progress
write_round(struct selection_batch *batch)
{
	struct job_lease *lease = batch->selection->lease;
	struct statement statements[BATCH_STATEMENTS_MAX + 1];
	PGresult *results[BATCH_STATEMENTS_MAX + 1] = { NULL };
	const int count = user_batch_write(batch->users, statements);
	enum database_status status = DATABASE_OK;
	enum progress progress;

	statements[count] = (struct statement){ &query_selection_done, (const char *const[]){ lease->org_id, lease->id, batch->ids,
		arena_printf(batch->origin.scratch, "%d", operation_types[batch->selection->kind].status) } };
	if (count > 0)
		status = job_lease_write(lease, statements, count + 1, results);
	progress = settle(batch, status, results, count);
	for (int i = 0; i <= count; i++)
		PQclear(results[i]);
	return progress;
}

static enum progress
run_round(struct selection_batch *batch)
{
	struct statement loads[BATCH_FACTS];
	PGresult *facts[BATCH_FACTS];
	enum progress progress = read_caller(batch);

	if (progress != GOES_ON)
		return progress;
	user_batch_load(batch->users, loads);
	if (database_run_together(batch->selection->lease->worker->database, loads, BATCH_FACTS, facts) != DATABASE_OK)
		return IS_LATER;
	user_batch_take_facts(batch->users, facts);
	user_batch_decide(batch->users);
	progress = write_round(batch);
	for (int i = 0; i < BATCH_FACTS; i++)
		PQclear(facts[i]);
	return progress;
}

/* Who was refused, and why. */
static enum progress
write_refusals(struct selection_batch *batch)
{
	struct job_lease *lease = batch->selection->lease;
	struct buffer items = BUFFER_INIT;
	enum database_status status = DATABASE_OK;
	PGresult *result = NULL;

	buffer_putc(&items, '[');
	for (int i = 0; i < batch->users->count; i++) {
		const struct operation *operation = &batch->users->operations[i];
		if (operation->pr.problem == PROBLEM_NONE)
			continue;
		json_write_separator(&items);
		buffer_putc(&items, '{');
		json_write_string_member(&items, "user_id", operation->user_id);
		json_write_int_member(&items, "status", operation->status);
		json_write_name(&items, "problem");
		proposal_write_problem(&operation->pr, &items);
		buffer_putc(&items, '}');
	}
	buffer_putc(&items, ']');
	if (user_batch_has_failed(batch->users))
		status = job_lease_write(lease, &(const struct statement){ &query_selection_failed,
			(const char *const[]){ lease->org_id, lease->id, buffer_text(&items) } }, 1, &result);
	PQclear(result);
	buffer_free(&items);
	return status == DATABASE_OK ? GOES_ON : IS_LATER;
}

static enum progress
run_batch(struct selection *selection, const PGresult *rows)
{
	struct arena *arena = arena_create();
	struct json_object *body = json_object_new_object();
	struct selection_batch batch = { .selection = selection, .origin = { .scratch = arena,
		.org_id = selection->lease->org_id, .id = selection->request_id, .ip = selection->ip } };
	enum progress progress = GOES_ON;

	propose(&batch, rows, body);
	while (progress == GOES_ON && user_batch_is_open(batch.users))
		progress = run_round(&batch);
	if (progress == GOES_ON)
		progress = write_refusals(&batch);
	if (progress == GOES_ON)
		job_lease_count_rows(selection->lease, PQntuples(rows));
	json_object_put(body);
	arena_free(&arena);
	return progress;
}

/* ---- All of them. */

/* *is_over: there was none left. */
static enum progress
run_next(struct selection *selection, bool *is_over)
{
	struct job_lease *lease = selection->lease;
	PGresult *rows = worker_query(lease->worker, &query_selection_next, (const char *const[]){ lease->org_id, lease->id,
		*selection->after != '\0' ? selection->after : NULL, BATCH });
	const int count = rows != NULL ? PQntuples(rows) : 0;
	enum progress progress = rows != NULL ? GOES_ON : IS_LATER;

	*is_over = rows != NULL && count == 0;
	if (count > 0) {
		progress = run_batch(selection, rows);
		memcpy(selection->after, row_text(rows, count - 1, "user_id"), sizeof(selection->after));
	}
	PQclear(rows);
	return progress;
}

enum job_end
selection_run(struct job_lease *lease)
{
	struct selection selection = { .lease = lease };
	enum progress progress = GOES_ON;
	bool is_over = false;

	if (!load(&selection))
		return JOB_LATER;
	if (!selection.is_running)
		return job_lease_finish(lease, NULL, 0, NULL) == DATABASE_OK ? JOB_ENDED : JOB_LATER;
	while (progress == GOES_ON && !is_over && !supervisor_stopping())
		progress = run_next(&selection, &is_over);
	if (progress != GOES_ON)
		return end_early(&selection, progress);
	return is_over ? end(&selection, NULL) : JOB_STOPPED;
}
