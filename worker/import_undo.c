/*
 * Undoing an import, the last row first, as the one who asks for it.
 *
 * Whom it made and who never came goes; whom it changed gets his values back, by an edit like
 * any other. Whoever was touched since by anybody but the clock is left, and told why. What
 * is done to a row and its outcome stand in one transaction, as when it was applied.
 */
#include "imports.h"

#include <stdio.h>
#include <string.h>

#include "import_row.h"
#include "import_work.h"
#include "json.h"
#include "queries.h"
#include "seen.h"
#include "subject.h"
#include "supervisor.h"

#define PAGE_ROWS 1000

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

static struct statement
about_rows(struct page *page, const struct query *query, struct buffer *items)
{
	const char **params = arena_take(page->batch.origin.scratch, sizeof(*params) * 3);

	params[0] = page->work->lease->org_id;
	params[1] = page->work->lease->id;
	params[2] = arena_printf(page->batch.origin.scratch, "{%s}", buffer_text(items));
	return (struct statement){ query, params };
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
	*behind = about_rows(page, &query_import_undone, &items);
	buffer_free(&items);
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

static bool
was_removed(const PGresult *removed, long number)
{
	for (int i = 0; i < PQntuples(removed); i++) {
		if (row_int(removed, i, "row") == number)
			return true;
	}
	return false;
}

/* Whoever was not removed has come meanwhile, or may not be. */
static void
tell_who_stays(struct page *page, const PGresult *removed)
{
	for (int i = 0; i < page->found_count; i++) {
		if (!is(page, i, "is_made") || !is(page, i, "is_untouched"))
			continue;
		if (!was_removed(removed, number_of(page, i)))
			leave(page, (uint32_t)number_of(page, i), "state_conflict",
				"This user has come, was assigned something, administers, or holds permissions that you do not hold.");
	}
}

static enum job_progress
remove_made(struct page *page)
{
	struct job_lease *lease = page->work->lease;
	struct arena *arena = page->batch.origin.scratch;
	PGresult *removed = NULL;
	enum database_status status;

	if (page->made.length == 0)
		return JOB_GOES_ON;
	const char *users = arena_printf(arena, "{%s}", buffer_text(&page->made));
	status = job_lease_write(lease, &(const struct statement){ &query_import_undo_made, (const char *const[]){ lease->org_id, lease->id,
		users, permissions_of(page), proposal_actor(&page->batch.origin) } }, 1, &removed);
	if (status == DATABASE_OK)
		tell_who_stays(page, removed);
	PQclear(removed);
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
			leave(page, number, "not_found", "This user was deleted since.");
		else if (!is(page, i, "is_untouched"))
			leave(page, number, "version_mismatch", "This user was changed since.");
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
write_told(struct page *page)
{
	PGresult *result = NULL;
	enum database_status status;

	if (page->told.length == 0)
		return JOB_GOES_ON;
	const struct statement statement = about_rows(page, &query_import_not_undone, &page->told);
	status = job_lease_write(page->work->lease, &statement, 1, &result);
	PQclear(result);
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
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
undo_page(struct import_work *work, const PGresult *found, const int *places, int found_count)
{
	struct page page = { .work = work, .found = found, .places = places, .found_count = found_count };
	enum job_progress progress;

	page.count = sort_out(&page);
	import_work_batch(work, &page.batch, frame, &page, page.count);
	page.batch.origin.is_import = false;
	progress = job_batch_read_caller(&page.batch);
	if (progress == JOB_GOES_ON)
		progress = undo_edits(&page);
	if (progress == JOB_GOES_ON)
		progress = remove_made(&page);
	if (progress == JOB_GOES_ON)
		progress = write_told(&page);
	buffer_free(&page.made);
	buffer_free(&page.told);
	job_batch_close(&page.batch);
	job_lease_count_rows(work->lease, found_count);
	return progress;
}

/* ---- All of it. */

/* Of what was found those that go in one page, by their places; the first always does. A row about
 * somebody who is in it already stays for the next: what came of the one is where the other begins.
 * Returns how many; *stays: the first that stays, or the end. */
static int
choose(const PGresult *found, int places[PAGE_ROWS], int *stays)
{
	struct arena *arena = arena_create();
	struct seen *seen = seen_create(arena);
	int count = 0;

	*stays = PQntuples(found);
	for (int i = 0; i < PQntuples(found); i++) {
		if (seen_add(seen, row_text(found, i, "user_id"), 1) == 0)
			places[count++] = i;
		else if (*stays == PQntuples(found))
			*stays = i;
	}
	seen_free(&seen);
	arena_free(&arena);
	return count;
}

static enum job_progress
undo_next(struct import_work *work, char before[24], bool *is_over)
{
	struct job_lease *lease = work->lease;
	PGresult *found = worker_query(lease->worker, &query_import_undo_next,
		(const char *const[]){ lease->org_id, lease->id, *before != '\0' ? before : NULL, AS_TEXT(PAGE_ROWS) });
	enum job_progress progress = found != NULL ? JOB_GOES_ON : JOB_IS_LATER;
	int places[PAGE_ROWS], stays;

	*is_over = found != NULL && PQntuples(found) == 0;
	if (found != NULL && !*is_over) {
		const int count = choose(found, places, &stays);
		progress = undo_page(work, found, places, count);
		snprintf(before, 24, "%ld", stays < PQntuples(found) ? row_int(found, stays, "row") + 1 : row_int(found, stays - 1, "row"));
	}
	PQclear(found);
	return progress;
}

enum job_end
import_undo_run(struct job_lease *lease)
{
	struct import_work work;
	enum job_progress progress = JOB_GOES_ON;
	bool is_there, is_over = false;
	char before[24] = "";
	enum job_end end;

	if (import_work_open(&work, lease, "undoing", true, &is_there) != JOB_GOES_ON)
		return JOB_LATER;
	if (!is_there)
		return job_lease_finish(lease, NULL, 0, NULL) == DATABASE_OK ? JOB_ENDED : JOB_LATER;
	while (progress == JOB_GOES_ON && !is_over && !supervisor_stopping())
		progress = undo_next(&work, before, &is_over);
	end = progress == JOB_GOES_ON && !is_over ? JOB_STOPPED : import_work_end(&work, progress, "undone", false);
	import_work_close(&work);
	return end;
}
