/*
 * Applying an import: its rows are made true, page by page, as the one who uploaded it.
 *
 * Each row is decided again: much may have happened since the dry run. What a row writes and
 * its outcome stand in one transaction (job_batch.h), so whoever goes on where another
 * was killed finds the next row that is not applied. A user who moved since he was looked at
 * is told, not overwritten.
 */
#include "imports.h"

#include <stdlib.h>
#include <string.h>

#include "import_row.h"
#include "import_work.h"
#include "json.h"
#include "queries.h"
#include "seen.h"
#include "subject.h"
#include "supervisor.h"

#define PAGE_ROWS 1000

/* One page, and what its rows are in the batch. */
struct page {
	struct import_work *work;
	struct job_batch batch;
	struct import_row *rows;	/* the number, the body and the errors alone */
	int count;			/* of those that go in this batch */
};

static struct json_object *
parse_body(const char *text)
{
	const char *reason;

	return json_parse(text, strlen(text), &reason);
}

/* ---- What is written beside the users. */

static void
write_item(struct buffer *out, const struct import_row *row, const char *user_id)
{
	buffer_printf(out, "%s\"%u\":\"%s\"", out->length > 1 ? "," : "", row->number, user_id);
}

static struct statement
about_rows(struct page *page, const struct query *query, struct buffer *items)
{
	const char **params = arena_take(page->batch.origin.scratch, sizeof(*params) * 3);

	buffer_putc(items, '}');
	params[0] = page->work->lease->org_id;
	params[1] = page->work->lease->id;
	params[2] = proposal_take_text(&page->batch.origin, items);
	return (struct statement){ query, params };
}

/* Of those who are edited what they were is remembered; of all of the round whether they were written. */
static void
frame(struct job_batch *batch, struct statement *before, struct statement *behind)
{
	struct page *page = batch->context;
	struct buffer edited = BUFFER_INIT, written = BUFFER_INIT;

	buffer_putc(&edited, '{');
	buffer_putc(&written, '{');
	for (int i = 0; i < page->count; i++) {
		const struct operation *operation = &batch->users->operations[i];
		if (!operation->is_in_batch)
			continue;
		write_item(&written, &page->rows[i], operation_subject(operation));
		if (operation->kind == OPERATION_UPDATE)
			write_item(&edited, &page->rows[i], operation->user_id);
	}
	*before = about_rows(page, &query_import_remember, &edited);
	if (strcmp(before->params[2], "{}") == 0)
		before->query = NULL;
	*behind = about_rows(page, &query_import_applied, &written);
}

/* ---- What came to nothing. */

static void
write_failure(const struct page *page, int place, struct buffer *out)
{
	const struct operation *operation = &page->batch.users->operations[place];
	struct import_row *row = &page->rows[place];

	if (operation->pr.problem == PROBLEM_NONE && !operation->changes_nothing)
		return;
	if (operation->pr.problem != PROBLEM_NONE && !import_row_has_error(row))
		import_row_take_refusal(row, &page->work->columns, &operation->pr);
	buffer_printf(out, "%s\"%u\":{", out->length > 1 ? "," : "", row->number);
	json_write_string_member(out, "outcome", operation->changes_nothing ? "unchanged" : "error");
	json_write_name(out, "errors");
	buffer_printf(out, "[%s]}", buffer_text(&row->errors));
}

static enum job_progress
write_failures(struct page *page)
{
	struct buffer items = BUFFER_INIT;
	PGresult *result = NULL;
	enum database_status status = DATABASE_OK;

	buffer_putc(&items, '{');
	for (int i = 0; i < page->count; i++)
		write_failure(page, i, &items);
	const bool has_any = items.length > 1;
	const struct statement statement = about_rows(page, &query_import_not_applied, &items);
	if (has_any)
		status = job_lease_write(page->work->lease, &statement, 1, &result);
	PQclear(result);
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
}

/* ---- One page. */

/* An edit of whom a row of the file was to make. */
static void
refuse_orphan(struct page *page, int place, long same_as)
{
	struct operation *operation = &page->batch.users->operations[place];

	import_row_error(&page->rows[place], &page->work->columns, NULL, "not_applied",
		arena_printf(page->batch.origin.scratch, "Row %ld, which makes this user, was not applied.", same_as));
	operation_refuse(operation, PROBLEM_NOT_APPLIED, NULL);
}

/* Row i of the result, in this place of the batch. */
static void
propose(struct page *page, int place, const PGresult *rows, int i)
{
	const bool is_new = strcmp(row_text(rows, i, "outcome"), "create") == 0;
	struct import_row *row = &page->rows[place];
	const char *user_id = row_copy(page->batch.origin.scratch, rows, i, "user_id"), *hash;

	row->number = (uint32_t)row_int(rows, i, "row");
	row->body = parse_body(row_text(rows, i, "body"));
	hash = json_member_string(row->body, "password_hash");
	hash = hash != NULL ? arena_copy(page->batch.origin.scratch, hash) : NULL;
	json_object_object_del(row->body, "password_hash");
	user_batch_propose(page->batch.users, place, is_new ? OPERATION_CREATE : OPERATION_UPDATE, row->body, user_id,
		row_copy(page->batch.origin.scratch, rows, i, "version"));
	page->batch.users->operations[place].pr.password_hash = hash;
	if (!is_new && user_id == NULL)
		refuse_orphan(page, place, row_int(rows, i, "same_as"));
	else
		user_batch_check_form(page->batch.users, place);
}

/* Whether a row rests on one before it in the page: on whom that makes, or edits. */
static bool
rests_on_another(struct seen *seen, const PGresult *rows, int i)
{
	const char *user_id = row_text(rows, i, "user_id"), *same_as = row_text(rows, i, "same_as");
	const bool has_its_user = user_id != NULL && seen_add(seen, user_id, 1) != 0;

	(void)seen_add(seen, row_text(rows, i, "row"), 1);
	return has_its_user || (same_as != NULL && seen_find(seen, same_as) != 0);
}

/* Those of a page that go in one batch, by their places in it; the first always does. What rests on
 * them stays for the next. Returns how many; *stays: the first that stays, or the end. */
static int
choose(const PGresult *rows, int places[PAGE_ROWS], int *stays)
{
	struct arena *arena = arena_create();
	struct seen *seen = seen_create(arena);
	int count = 0;

	*stays = PQntuples(rows);
	for (int i = 0; i < PQntuples(rows); i++) {
		if (!rests_on_another(seen, rows, i))
			places[count++] = i;
		else if (*stays == PQntuples(rows))
			*stays = i;
	}
	seen_free(&seen);
	arena_free(&arena);
	return count;
}

static enum job_progress
apply_page(struct import_work *work, const PGresult *rows, const int *places, int count)
{
	struct page page = { .work = work, .count = count };
	enum job_progress progress;

	import_work_batch(work, &page.batch, frame, &page, count);
	page.rows = arena_take(page.batch.origin.scratch, sizeof(*page.rows) * (size_t)count);
	for (int i = 0; i < count; i++)
		propose(&page, i, rows, places[i]);
	progress = job_batch_run(&page.batch);
	if (progress == JOB_GOES_ON)
		progress = write_failures(&page);
	for (int i = 0; i < count; i++)
		import_row_free(&page.rows[i]);
	job_batch_close(&page.batch);
	job_lease_count_rows(work->lease, count);
	return progress;
}

/* ---- All of it. */

/* *after: the row behind which the next page begins; *is_over: there was none. Of those that
 * are behind it the ones that are done are not found again. */
static enum job_progress
apply_next(struct import_work *work, long *after, bool *is_over)
{
	struct job_lease *lease = work->lease;
	int places[PAGE_ROWS], stays;
	char number[24];
	enum job_progress progress = JOB_GOES_ON;

	snprintf(number, sizeof(number), "%ld", *after);
	PGresult *rows = worker_query(lease->worker, &query_import_apply_next, (const char *const[]){ lease->org_id, lease->id, number, AS_TEXT(PAGE_ROWS) });
	*is_over = rows != NULL && PQntuples(rows) == 0;
	if (rows == NULL) {
		progress = JOB_IS_LATER;
	} else if (!*is_over) {
		const int count = choose(rows, places, &stays);
		progress = apply_page(work, rows, places, count);
		*after = stays < PQntuples(rows) ? row_int(rows, stays, "row") - 1 : row_int(rows, stays - 1, "row");
	}
	PQclear(rows);
	return progress;
}

enum job_end
import_apply_run(struct job_lease *lease)
{
	struct import_work work;
	enum job_progress progress = JOB_GOES_ON;
	bool is_there, is_over = false;
	enum job_end end;
	long after = 0;

	if (import_work_open(&work, lease, "applying", false, &is_there) != JOB_GOES_ON)
		return JOB_LATER;
	if (!is_there)
		return job_lease_finish(lease, NULL, 0, NULL) == DATABASE_OK ? JOB_ENDED : JOB_LATER;
	while (progress == JOB_GOES_ON && !is_over && !supervisor_stopping())
		progress = apply_next(&work, &after, &is_over);
	end = progress == JOB_GOES_ON && !is_over ? JOB_STOPPED : import_work_end(&work, progress, "applied", true);
	import_work_close(&work);
	return end;
}
