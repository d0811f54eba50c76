/*
 * Undoing an import, the last row first, as the one who asks for it.
 *
 * Whom it made and who never came goes; whom it changed gets his values back, by an edit that
 * restores: as any other it asks who may touch whom and whether names are free, but not what
 * policies say of changes. Whoever was touched since by anybody but the clock is left, and told
 * why. What is done to a row and its outcome stand in one transaction, as when it was applied.
 */
#include "imports.h"

#include <string.h>

#include "import_pages.h"
#include "import_row.h"
#include "json.h"
#include "queries.h"
#include "subject.h"

struct page {
	struct import_work *work;
	struct job_batch batch;
	const PGresult *found;		/* of query_import_undo_next, */
	const int *places;		/* and which of its rows are of this page */
	int found_count;
	struct import_row *rows;	/* of those in the batch: the number, the body, the errors */
	int count;
	struct buffer made, told;	/* items of import_undo_made and import_not_undone */
};

/* Of the i-th row of the page. */
static const char *
text_of(const struct page *page, int i, const char *column)
{
	return row_text(page->found, page->places[i], column);
}

static long
number_of(const struct page *page, int i)
{
	return row_int(page->found, page->places[i], "row");
}

static bool
is(const struct page *page, int i, const char *column)
{
	return row_is_true(page->found, page->places[i], column);
}

/* What becomes of a row without anything being written of its user. */
static void
tell(struct page *page, uint32_t number, const char *outcome, const char *errors)
{
	struct buffer *out = &page->told;

	buffer_printf(out, "%s\"%u\":{\"outcome\":\"%s\",\"errors\":[%s]}", out->length > 0 ? "," : "", number, outcome, errors);
}

static void
leave(struct page *page, uint32_t number, const char *code, const char *detail)
{
	struct import_row row = { .number = number };

	import_row_error(&row, &page->work->columns, NULL, code, detail);
	tell(page, number, "left", buffer_text(&row.errors));
	buffer_free(&row.errors);
}

/* ---- Those that it changed. */

static void
frame(struct job_batch *batch, struct statement *before, struct statement *behind)
{
	struct page *page = batch->context;
	struct buffer items = BUFFER_INIT;

	(void)before;
	for (int i = 0; i < page->count; i++) {
		const struct operation *operation = &batch->users->operations[i];
		if (operation->is_in_batch)
			buffer_printf(&items, "%s\"%u\":\"%s\"", items.length > 0 ? "," : "", page->rows[i].number, operation->user_id);
	}
	*behind = import_statement(page->work, batch, &query_import_undone, &items);
}

static void
take_outcome(struct page *page, int place)
{
	const struct operation *operation = &page->batch.users->operations[place];
	struct import_row *row = &page->rows[place];

	if (operation->pr.problem != PROBLEM_NONE) {
		import_row_take_refusal(row, &page->work->columns, &operation->pr);
		tell(page, row->number, "left", buffer_text(&row->errors));
	} else if (operation->changes_nothing) {
		tell(page, row->number, "undone", "");
	}
}

static void
propose(struct page *page, int place, int found)
{
	const char *body = text_of(page, found, "before"), *reason;
	struct import_row *row = &page->rows[place];
	struct arena *arena = page->batch.origin.scratch;

	row->number = (uint32_t)number_of(page, found);
	row->body = json_parse(body, strlen(body), &reason);
	user_batch_propose(page->batch.users, place, OPERATION_UPDATE, row->body, arena_copy(arena, text_of(page, found, "user_id")),
		arena_copy(arena, text_of(page, found, "version")));
	user_batch_check_form(page->batch.users, place);
}

/* ---- Those that it made. */

static void
add_made(struct page *page, int found)
{
	char audit_id[UUID_TEXT_SIZE];

	uuid_make_text(audit_id);
	buffer_printf(&page->made, "%s\"%s\":{\"row\":%ld,\"version\":%s,\"audit_id\":\"%s\"}", page->made.length > 0 ? "," : "",
		text_of(page, found, "user_id"), number_of(page, found), text_of(page, found, "version"), audit_id);
}

static const char *
permissions_of(struct page *page)
{
	const struct permission_set *set = &page->batch.origin.caller.permissions;
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	for (size_t i = 0; i < set->count; i++)
		buffer_printf(&out, "%s\"%s\"", i > 0 ? "," : "", set->words[i]);
	buffer_putc(&out, '}');
	return proposal_take_text(&page->batch.origin, &out);
}

/* Where the row of this number stands; -1: it does not. */
static int
place_of(const PGresult *rows, long number)
{
	for (int i = 0; i < PQntuples(rows); i++) {
		if (row_int(rows, i, "row") == number)
			return i;
	}
	return -1;
}

static void
leave_gone(struct page *page, uint32_t number)
{
	leave(page, number, "not_found", "This user was deleted since.");
}

static void
leave_moved(struct page *page, uint32_t number)
{
	leave(page, number, "version_mismatch", "This user was changed since.");
}

/* Whoever was not removed has come meanwhile, or may not be; or somebody else was quicker. */
static void
tell_who_stays(struct page *page, const PGresult *removed, const PGresult *stayed)
{
	for (int i = 0; i < page->found_count; i++) {
		const long number = number_of(page, i);
		const int place = place_of(stayed, number);

		if (!is(page, i, "is_made") || !is(page, i, "is_untouched") || place_of(removed, number) >= 0)
			continue;
		if (place < 0)
			leave_gone(page, (uint32_t)number);
		else if (!row_is_true(stayed, place, "is_untouched"))
			leave_moved(page, (uint32_t)number);
		else
			leave(page, (uint32_t)number, "state_conflict",
				"This user has come, was assigned something, administers, or holds permissions that you do not hold.");
	}
}

static enum job_progress
remove_made(struct page *page)
{
	struct job_lease *lease = page->work->lease;
	struct arena *arena = page->batch.origin.scratch;
	PGresult *results[2] = { NULL };
	enum database_status status;

	if (page->made.length == 0)
		return JOB_GOES_ON;
	const char *users = arena_printf(arena, "{%s}", buffer_text(&page->made));
	const struct statement statements[] = {
		{ &query_import_undo_made, (const char *const[]){ lease->org_id, lease->id, users, permissions_of(page), proposal_actor(&page->batch.origin) } },
		{ &query_import_undo_stayed, (const char *const[]){ lease->org_id, users } },
	};
	status = job_lease_write(lease, statements, 2, results);
	if (status == DATABASE_OK)
		tell_who_stays(page, results[0], results[1]);
	PQclear(results[0]);
	PQclear(results[1]);
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
}

/* ---- One page. */

/* How many are to be edited. A row about somebody who was touched since is left. */
static int
sort_out(struct page *page)
{
	int edits = 0;

	for (int i = 0; i < page->found_count; i++) {
		const uint32_t number = (uint32_t)number_of(page, i);
		if (is(page, i, "is_gone"))
			leave_gone(page, number);
		else if (!is(page, i, "is_untouched"))
			leave_moved(page, number);
		else if (is(page, i, "is_made"))
			add_made(page, i);
		else
			edits++;
	}
	return edits;
}

static bool
is_edit(const struct page *page, int found)
{
	return is(page, found, "is_untouched") && !is(page, found, "is_made");
}

static enum job_progress
undo_edits(struct page *page)
{
	enum job_progress progress;
	int place = 0;

	page->rows = arena_take(page->batch.origin.scratch, sizeof(*page->rows) * (size_t)(page->count + 1));
	for (int i = 0; i < page->found_count; i++) {
		if (is_edit(page, i))
			propose(page, place++, i);
	}
	progress = job_batch_run(&page->batch);
	for (int i = 0; i < page->count; i++) {
		if (progress == JOB_GOES_ON)
			take_outcome(page, i);
		import_row_free(&page->rows[i]);
	}
	return progress;
}

static enum job_progress
undo_page(struct import_page *chosen)
{
	struct page page = { .work = chosen->work, .found = chosen->found, .places = chosen->places, .found_count = chosen->count };
	enum job_progress progress;

	page.count = sort_out(&page);
	import_work_batch(page.work, &page.batch, frame, &page, page.count);
	page.batch.origin.is_import = false;
	page.batch.origin.restores = true;
	progress = job_batch_read_caller(&page.batch);
	if (progress == JOB_GOES_ON)
		progress = undo_edits(&page);
	if (progress == JOB_GOES_ON)
		progress = remove_made(&page);
	if (progress == JOB_GOES_ON)
		progress = import_write_rows(page.work, &page.batch, &query_import_not_undone, &page.told);
	buffer_free(&page.made);
	buffer_free(&page.told);
	job_batch_close(&page.batch);
	return progress;
}

/* Of several rows about one user each begins where the one behind it in the file ended. */
static bool
rests_on_another(struct seen *here, const struct seen *under_way, const PGresult *found, int i)
{
	(void)under_way;
	return seen_add(here, row_text(found, i, "user_id"), 1) != 0;
}

enum job_end
import_undo_run(struct job_lease *lease)
{
	static const struct import_stage stage = {
		.state = "undoing", .done = "undone", .as_actor = true,
		.next = &query_import_undo_next, .direction = -1, .rests = rests_on_another, .send = undo_page,
	};

	return import_stage_run(lease, &stage);
}
