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

#include "import_pages.h"
#include "import_row.h"
#include "json.h"
#include "memory.h"
#include "queries.h"
#include "subject.h"

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
	buffer_printf(out, "%s\"%u\":\"%s\"", out->length > 0 ? "," : "", row->number, user_id);
}

/* Of those who are edited what they were is remembered; of all of the round whether they were written. */
static void
frame(struct job_batch *batch, struct statement *before, struct statement *behind)
{
	struct page *page = batch->context;
	struct buffer edited = BUFFER_INIT, written = BUFFER_INIT;

	for (int i = 0; i < page->count; i++) {
		const struct operation *operation = &batch->users->operations[i];
		if (!operation->is_in_batch)
			continue;
		write_item(&written, &page->rows[i], operation_subject(operation));
		if (operation->kind == OPERATION_UPDATE)
			write_item(&edited, &page->rows[i], operation->user_id);
	}
	if (edited.length > 0)
		*before = import_statement(page->work, batch, &query_import_remember, &edited);
	*behind = import_statement(page->work, batch, &query_import_applied, &written);
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
	buffer_printf(out, "%s\"%u\":{", out->length > 0 ? "," : "", row->number);
	json_write_string_member(out, "outcome", operation->changes_nothing ? "unchanged" : "error");
	json_write_name(out, "errors");
	buffer_printf(out, "[%s]}", buffer_text(&row->errors));
}

static enum job_progress
write_failures(struct page *page)
{
	struct buffer items = BUFFER_INIT;

	for (int i = 0; i < page->count; i++)
		write_failure(page, i, &items);
	return import_write_rows(page->work, &page->batch, &query_import_not_applied, &items);
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

static bool
is_in(const struct seen *seen, const char *text)
{
	return seen != NULL && text != NULL && seen_find(seen, text) != 0;
}

/* Whether a row rests on one before it: on whom that makes, or edits. */
static bool
rests_on_another(struct seen *here, const struct seen *under_way, const PGresult *rows, int i)
{
	const char *user_id = row_text(rows, i, "user_id"), *same_as = row_text(rows, i, "same_as");
	const bool has_its_user = is_in(under_way, user_id) || (user_id != NULL && seen_add(here, user_id, 1) != 0);

	(void)seen_add(here, row_text(rows, i, "row"), 1);
	return has_its_user || is_in(under_way, same_as) || is_in(here, same_as);
}

static void
close_page(struct page *page)
{
	for (int i = 0; i < page->count; i++)
		import_row_free(&page->rows[i]);
	job_batch_close(&page->batch);
	free(page);
}

static enum job_progress
send_page(struct import_page *chosen)
{
	struct page *page = xcalloc(1, sizeof(*page));
	enum job_progress progress;

	page->work = chosen->work;
	page->count = chosen->count;
	import_work_batch(page->work, &page->batch, frame, page, page->count);
	page->rows = arena_take(page->batch.origin.scratch, sizeof(*page->rows) * (size_t)page->count);
	for (int i = 0; i < page->count; i++)
		propose(page, i, chosen->found, chosen->places[i]);
	progress = job_batch_send(&page->batch);
	if (progress == JOB_GOES_ON)
		chosen->sent = page;
	else
		close_page(page);
	return progress;
}

static enum job_progress
land_page(struct import_page *chosen)
{
	struct page *page = chosen->sent;
	const enum job_progress progress = job_batch_land(&page->batch);

	chosen->is_open = user_batch_is_open(page->batch.users);
	return progress;
}

static enum job_progress
finish_page(struct import_page *chosen, enum job_progress landed)
{
	struct page *page = chosen->sent;
	enum job_progress progress = landed;

	if (progress == JOB_GOES_ON)
		progress = job_batch_run(&page->batch);
	if (progress == JOB_GOES_ON)
		progress = write_failures(page);
	close_page(page);
	chosen->sent = NULL;
	return progress;
}

enum job_end
import_apply_run(struct job_lease *lease)
{
	static const struct import_stage stage = {
		.state = "applying", .done = "applied", .tells = true,
		.next = &query_import_apply_next, .direction = 1, .rests = rests_on_another,
		.send = send_page, .land = land_page, .finish = finish_page,
	};

	return import_stage_run(lease, &stage);
}
