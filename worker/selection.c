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

#include "job_batch.h"
#include "json.h"
#include "queries.h"
#include "subject.h"
#include "supervisor.h"
#include "text.h"
#include "user_batch.h"
#include "uuid.h"

#define BATCH "500"

static const char *const permissions[] = { "imports:write", "users:write", NULL };
static const char *const invite_permissions[] = { "imports:write", "users:write", "users:invite", NULL };

struct selection {
	struct job_lease *lease;
	struct job_maker maker;
	enum operation_kind kind;
	bool is_running;
	char after[UUID_TEXT_SIZE];	/* whoever of them is not done before was refused by now */
};

/* One batch, and all that lives no longer. */
struct selection_batch {
	struct selection *selection;
	struct job_batch batch;
	const char *ids;		/* of those in it, as an array */
};

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
		selection->kind = kind_of(row_text(rows, 0, "op"));
		selection->maker = job_maker_from_row(selection->lease->arena, rows, "maker",
			selection->kind == OPERATION_INVITE ? invite_permissions : permissions);
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
	struct proposal origin = { .scratch = lease->arena, .id = selection->maker.request_id, .ip = selection->maker.ip,
		.caller = { .kind = text_equals(selection->maker.kind, "user") ? CALLER_USER : CALLER_API_KEY, .id = selection->maker.id } };
	const struct statement last_words = { &query_selection_end, (const char *const[]){ lease->org_id, lease->id, problem,
		proposal_new_id(&origin), proposal_actor(&origin) } };
	PGresult *result = NULL;

	if (job_lease_finish(lease, &last_words, 1, &result) != DATABASE_OK)
		return JOB_LATER;
	PQclear(result);
	return JOB_ENDED;
}

static enum job_end
end_early(struct selection *selection, enum job_progress progress)
{
	switch (progress) {
	case JOB_IS_GONE:
		return end(selection, "{\"code\":\"permission_missing\",\"detail\":\"Who asked for this is no longer active, so it"
			" stopped. Nothing was done to those who are open.\"}");
	case JOB_IS_FORBIDDEN:
		return end(selection, "{\"code\":\"permission_missing\",\"detail\":\"Who asked for this may no longer do it, so it"
			" stopped. Nothing was done to those who are open.\"}");
	default:
		return JOB_LATER;
	}
}

/* ---- One batch. */

static void
propose(struct selection_batch *page, const PGresult *rows, struct json_object *body)
{
	struct proposal *origin = &page->batch.origin;
	struct buffer ids = BUFFER_INIT;

	buffer_putc(&ids, '{');
	for (int i = 0; i < PQntuples(rows); i++) {
		const char *id = arena_copy(origin->scratch, row_text(rows, i, "user_id"));
		user_batch_propose(page->batch.users, i, page->selection->kind, body, id, NULL);
		user_batch_check_form(page->batch.users, i);
		buffer_printf(&ids, "%s%s", i > 0 ? "," : "", id);
	}
	buffer_putc(&ids, '}');
	page->ids = proposal_take_text(origin, &ids);
}

/* Who was written is done, in the same transaction. */
static void
frame(struct job_batch *batch, struct statement *before, struct statement *behind)
{
	const struct selection_batch *page = batch->context;
	const char **params = arena_take(batch->origin.scratch, sizeof(*params) * 4);

	(void)before;
	params[0] = batch->lease->org_id;
	params[1] = batch->lease->id;
	params[2] = page->ids;
	params[3] = arena_printf(batch->origin.scratch, "%d", operation_types[page->selection->kind].status);
	*behind = (struct statement){ &query_selection_done, params };
}

/* Who was refused, and why. */
static enum job_progress
write_refusals(struct selection_batch *page)
{
	struct job_lease *lease = page->batch.lease;
	struct buffer items = BUFFER_INIT;
	enum database_status status = DATABASE_OK;
	PGresult *result = NULL;

	buffer_putc(&items, '[');
	for (int i = 0; i < page->batch.users->count; i++) {
		const struct operation *operation = &page->batch.users->operations[i];
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
	if (user_batch_has_failed(page->batch.users))
		status = job_lease_write(lease, &(const struct statement){ &query_selection_failed,
			(const char *const[]){ lease->org_id, lease->id, buffer_text(&items) } }, 1, &result);
	PQclear(result);
	buffer_free(&items);
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
}

static enum job_progress
run_batch(struct selection *selection, const PGresult *rows)
{
	struct json_object *body = json_object_new_object();
	struct selection_batch page = { .selection = selection,
		.batch = { .lease = selection->lease, .maker = &selection->maker, .frame = frame, .context = &page } };
	enum job_progress progress;

	job_batch_open(&page.batch, PQntuples(rows));
	propose(&page, rows, body);
	progress = job_batch_run(&page.batch);
	if (progress == JOB_GOES_ON)
		progress = write_refusals(&page);
	if (progress == JOB_GOES_ON)
		job_lease_count_rows(selection->lease, PQntuples(rows));
	job_batch_close(&page.batch);
	json_object_put(body);
	return progress;
}

/* ---- All of them. */

/* *is_over: there was none left. */
static enum job_progress
run_next(struct selection *selection, bool *is_over)
{
	struct job_lease *lease = selection->lease;
	PGresult *rows = worker_query(lease->worker, &query_selection_next, (const char *const[]){ lease->org_id, lease->id,
		*selection->after != '\0' ? selection->after : NULL, BATCH });
	const int count = rows != NULL ? PQntuples(rows) : 0;
	enum job_progress progress = rows != NULL ? JOB_GOES_ON : JOB_IS_LATER;

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
	enum job_progress progress = JOB_GOES_ON;
	bool is_over = false;

	if (!load(&selection))
		return JOB_LATER;
	if (!selection.is_running)
		return job_lease_finish(lease, NULL, 0, NULL) == DATABASE_OK ? JOB_ENDED : JOB_LATER;
	while (progress == JOB_GOES_ON && !is_over && !supervisor_stopping())
		progress = run_next(&selection, &is_over);
	if (progress != JOB_GOES_ON)
		return end_early(&selection, progress);
	return is_over ? end(&selection, NULL) : JOB_STOPPED;
}
