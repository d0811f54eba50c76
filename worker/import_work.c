/*
 * The beginning and the end of every stage of an import.
 */
#include "import_work.h"

#include <string.h>

#include "import_report.h"
#include "json.h"
#include "queries.h"
#include "subject.h"

static const char *const permissions[] = { "imports:write", "users:write", NULL };
static const char *const undo_permissions[] = { "imports:write", "users:write", "users:delete", NULL };

static void
take(struct import_work *work, const PGresult *rows, bool as_actor)
{
	work->maker = job_maker_from_row(work->lease->arena, rows, as_actor ? "actor" : "maker",
		as_actor ? undo_permissions : permissions);
	policy_from_row(&work->policy, work->lease->arena, rows, 0);
	work->charset_wanted = row_copy(work->lease->arena, rows, 0, "charset_wanted");
	work->size = row_int(rows, 0, "size");
	work->invites = row_is_true(rows, 0, "invite");
	import_columns_read(&work->columns, work->lease->arena, row_text(rows, 0, "fields"), row_text(rows, 0, "remembered"),
		row_text(rows, 0, "mapping_wanted"));
	if (row_text(rows, 0, "headers") != NULL && row_text(rows, 0, "mapping") != NULL)
		import_columns_restore(&work->columns, row_text(rows, 0, "headers"), row_text(rows, 0, "mapping"),
			row_text(rows, 0, "mapping_from"));
}

enum job_progress
import_work_open(struct import_work *work, struct job_lease *lease, const char *state, bool as_actor, bool *is_there)
{
	PGresult *rows = worker_query(lease->worker, &query_import_work_load, (const char *const[]){ lease->org_id, lease->id });
	const bool is_known = rows != NULL;

	*work = (struct import_work){ .lease = lease, .definitions = arena_take(lease->arena, sizeof(*work->definitions)) };
	work->definitions->arena = lease->arena;
	*is_there = is_known && PQntuples(rows) > 0 && strcmp(row_text(rows, 0, "state"), state) == 0;
	if (*is_there)
		take(work, rows, as_actor);
	PQclear(rows);
	return is_known ? JOB_GOES_ON : JOB_IS_LATER;
}

void
import_work_close(struct import_work *work)
{
	import_columns_free(&work->columns);
}

enum job_end
import_work_drop(struct job_lease *lease)
{
	return job_lease_finish(lease, NULL, 0, NULL) == DATABASE_OK ? JOB_ENDED : JOB_LATER;
}

void
import_work_batch(struct import_work *work, struct job_batch *batch, job_batch_frame *frame, void *context, int count)
{
	*batch = (struct job_batch){ .lease = work->lease, .maker = &work->maker, .frame = frame, .context = context };
	batch->origin.is_import = true;
	batch->origin.invites = work->invites;
	job_batch_open(batch, count);
	batch->users->definitions = work->definitions;
}

void
import_work_fail(struct import_work *work, const char *code, const char *detail)
{
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	json_write_string_member(&out, "code", code);
	json_write_string_member(&out, "detail", detail);
	buffer_putc(&out, '}');
	work->problem = arena_copy(work->lease->arena, buffer_text(&out));
	buffer_free(&out);
}

/* True: the import's state says that it has stopped. A dry run has done nothing to anybody. */
static bool
has_stopped(struct import_work *work, enum job_progress progress, bool is_dry_run)
{
	const char *why = NULL;

	if (progress == JOB_IS_GONE)
		why = "is no longer active";
	if (progress == JOB_IS_FORBIDDEN)
		why = "may no longer do it";
	if (why != NULL)
		import_work_fail(work, "permission_missing", arena_printf(work->lease->arena,
			"Who asked for this %s, so it stopped. %s", why, is_dry_run
				? "Nothing was written: somebody who may can upload the file again."
				: "What was done stands and can be undone; the other rows are as they were."));
	return work->problem != NULL;
}

enum job_end
import_work_end(struct import_work *work, enum job_progress progress, const char *state, bool tells)
{
	struct job_lease *lease = work->lease;
	const bool is_undone = strcmp(state, "undone") == 0;
	struct buffer forget = BUFFER_INIT, remember = BUFFER_INIT;
	struct statement statements[5];
	PGresult *results[5] = { NULL };
	char mail_id[UUID_TEXT_SIZE];
	int count = 0;

	if (progress == JOB_IS_LATER)
		return JOB_LATER;
	if (has_stopped(work, progress, strcmp(state, "ready") == 0))
		state = "failed";
	/* What has stopped is reported of as CSV. */
	if (work->problem == NULL && import_report_write(lease) != DATABASE_OK)
		return JOB_LATER;
	uuid_make_text(mail_id);
	const char *const about[] = { lease->org_id, lease->id, mail_id };
	import_columns_write_memory(&work->columns, &forget, &remember);
	const bool is_applied = strcmp(state, "applied") == 0;
	const char *const forgotten[] = { lease->org_id, buffer_text(&forget) };
	const char *const remembered[] = { lease->org_id, buffer_text(&remember), is_applied ? "true" : "false" };
	const char *const said[] = { lease->org_id, lease->id, state, work->problem };
	if (is_undone && work->problem == NULL)
		statements[count++] = (struct statement){ &query_import_undo_positions, about };
	if (is_applied)
		statements[count++] = (struct statement){ &query_import_mapping_forget, forgotten };
	if (is_applied || strcmp(state, "ready") == 0)
		statements[count++] = (struct statement){ &query_import_mapping_remember, remembered };
	statements[count++] = (struct statement){ &query_import_stage_end, said };
	if (tells)
		statements[count++] = (struct statement){ &query_import_tell, about };
	const enum database_status status = job_lease_finish(lease, statements, count, results);
	for (int i = 0; i < count; i++)
		PQclear(results[i]);
	buffer_free(&forget);
	buffer_free(&remember);
	return status == DATABASE_OK ? JOB_ENDED : JOB_LATER;
}
