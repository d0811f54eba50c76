/*
 * Page by page into a sheet, and the sheet part by part into the database.
 *
 * The maker is asked for with each page: who is out, or may no longer read users, gets no
 * more of them, and what was written is thrown away. A job that was interrupted begins anew.
 * Nothing here grows with the number of users but the temporary files of a workbook.
 */
#include "export.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "field.h"
#include "file_writer.h"
#include "job_lease.h"
#include "json.h"
#include "queries.h"
#include "sheet.h"
#include "supervisor.h"
#include "user_sheet.h"
#include "uuid.h"

#define PAGE_ROWS 500
#define PAGE_ROWS_TEXT "500"
/* How often it is said how far it is. */
#define PROGRESS_PAGES 20

/* The parameters of user_export_page, the first ones as export_load names them. */
static const char *const filters[] = {
	"status", "kind", "role_id", "email", "username", "external_id", "updated_since", "search", "department_id", "group_id",
	"incomplete", "vacation", "assignable", "at"
};
#define FILTER_COUNT (sizeof(filters) / sizeof(filters[0]))
enum { PARAM_SEARCH = 8, PARAM_AFTER_ID = FILTER_COUNT + 1, PARAM_LIMIT, PARAM_KEYS, PARAM_COUNT };

struct export {
	struct job_lease *lease;
	const char *params[PARAM_COUNT];
	struct field_set fields;
	const char *language;
	bool is_book;
	struct sheet sheet;
	struct buffer csv;
	struct file_writer file;
	char after_id[UUID_TEXT_SIZE];
	long rows;
	int pages;
	bool is_last;		/* the page at hand */
	/* Why it fails for good; NULL: it does not. */
	const char *code, *detail;
};

/* How a job goes on from what the database says; JOB_ENDED: it goes on. */
static enum job_end
go_on(struct export *export, enum database_status status)
{
	if (status == DATABASE_OK)
		return JOB_ENDED;
	return status == DATABASE_CONFLICT && !job_lease_hold(export->lease) ? JOB_STOPPED : JOB_LATER;
}

static const char *
kept(struct export *export, const PGresult *rows, const char *column)
{
	const char *text = row_text(rows, 0, column);

	return text != NULL ? arena_copy(export->lease->arena, text) : NULL;
}

static void
take_fields(struct export *export, const PGresult *rows)
{
	struct buffer keys = BUFFER_INIT;

	field_set_read(&export->fields, export->lease->arena, row_text(rows, 0, "fields"));
	user_sheet_keys(&keys, &export->fields);
	export->params[PARAM_KEYS] = arena_copy(export->lease->arena, buffer_text(&keys));
	buffer_free(&keys);
}

static void
take_wishes(struct export *export, const PGresult *rows)
{
	export->language = kept(export, rows, "language");
	export->is_book = strcmp(row_text(rows, 0, "format"), "xlsx") == 0;
	export->params[0] = export->lease->org_id;
	for (size_t i = 0; i < FILTER_COUNT; i++)
		export->params[i + 1] = kept(export, rows, filters[i]);
	export->params[PARAM_LIMIT] = PAGE_ROWS_TEXT;
}

/* What is wanted. False: *end says how it ends. */
static bool
load(struct export *export, enum job_end *end)
{
	struct job_lease *lease = export->lease;
	PGresult *wishes = worker_query(lease->worker, &query_export_load, (const char *const[]){ lease->org_id, lease->id });
	PGresult *fields = NULL;

	*end = JOB_LATER;
	if (wishes != NULL && PQntuples(wishes) == 0) {
		/* Its time is over already. */
		*end = go_on(export, job_lease_finish(lease, NULL, 0, NULL));
	} else if (wishes != NULL) {
		take_wishes(export, wishes);
		fields = worker_query(lease->worker, &query_user_export_begin,
			(const char *const[]){ lease->org_id, export->language });
	}
	if (fields != NULL)
		take_fields(export, fields);
	PQclear(wishes);
	PQclear(fields);
	return fields != NULL;
}

/* Forgets what one before us has written, and begins. */
static enum job_end
begin(struct export *export)
{
	struct job_lease *lease = export->lease;
	PGresult *results[2] = { NULL };
	const struct statement statements[] = {
		{ &query_file_remove, (const char *const[]){ lease->org_id, lease->id } },
		{ &query_export_progress, (const char *const[]){ lease->org_id, lease->id, "0" } },
	};
	const enum database_status status = job_lease_write(lease, statements, 2, results);

	PQclear(results[0]);
	PQclear(results[1]);
	export->file = (struct file_writer){ .lease = lease, .file_id = lease->id };
	if (export->is_book)
		sheet_begin_book(&export->sheet);
	else
		sheet_begin_csv(&export->sheet, &export->csv, ',');
	user_sheet_write_headers(&export->sheet, &export->fields, export->language);
	return go_on(export, status);
}

/* ---- Pages. */

static bool
may_read(const PGresult *maker)
{
	struct arena *arena = arena_create();
	bool may = false;

	if (PQntuples(maker) > 0) {
		const struct permission_set permissions = permission_set_parse(arena, row_text(maker, 0, "permissions"));
		may = permission_set_has(&permissions, "users:read") && permission_set_has(&permissions, "imports:write");
	}
	arena_free(&arena);
	return may;
}

static void
take_page(struct export *export, const PGresult *maker, const PGresult *page)
{
	const int count = PQntuples(page);

	if (!may_read(maker)) {
		export->code = "permission_missing";
		export->detail = "Who asked for this export is no longer active, or may no longer read users.";
		return;
	}
	user_sheet_write_rows(&export->sheet, &export->fields, page);
	export->rows += count;
	export->pages++;
	export->is_last = count < PAGE_ROWS;
	job_lease_count_rows(export->lease, count);
	if (count > 0) {
		memcpy(export->after_id, row_text(page, count - 1, "id"), UUID_TEXT_SIZE);
		export->params[PARAM_AFTER_ID] = export->after_id;
	}
}

static enum job_end
read_page(struct export *export)
{
	struct job_lease *lease = export->lease;
	PGresult *results[2] = { NULL };
	const struct statement statements[] = {
		{ &query_export_maker, (const char *const[]){ lease->org_id, lease->id } },
		{ export->params[PARAM_SEARCH] != NULL ? &query_user_export_search : &query_user_export_page, export->params },
	};
	const enum database_status status = database_run_together(lease->worker->database, statements, 2, results);

	if (status == DATABASE_OK)
		take_page(export, results[0], results[1]);
	for (int i = 0; i < 2; i++)
		PQclear(results[i]);
	return go_on(export, status);
}

static void
take_fault(struct export *export)
{
	if (export->sheet.fault == SHEET_OK || export->code != NULL)
		return;
	export->code = "too_large";
	export->detail = export->sheet.fault == SHEET_TOO_MANY_ROWS
		? "A workbook has no room for so many users: ask for CSV, or narrow the export with a filter."
		: "What one of the users has does not fit into a cell of a workbook: ask for CSV.";
}

static enum job_end
tell_progress(struct export *export)
{
	struct job_lease *lease = export->lease;
	char rows[24];
	PGresult *result = NULL;

	snprintf(rows, sizeof(rows), "%ld", export->rows);
	const struct statement progress = { &query_export_progress, (const char *const[]){ lease->org_id, lease->id, rows } };
	const enum job_end end = go_on(export, job_lease_write(lease, &progress, 1, &result));
	PQclear(result);
	return end;
}

static enum job_end
write_pages(struct export *export)
{
	enum job_end end = JOB_ENDED;

	while (end == JOB_ENDED && !export->is_last && export->code == NULL) {
		if (supervisor_stopping() || !job_lease_keep(export->lease))
			return JOB_STOPPED;
		end = read_page(export);
		if (end == JOB_ENDED && export->pages % PROGRESS_PAGES == 0)
			end = tell_progress(export);
		if (end == JOB_ENDED && !export->is_book)
			end = go_on(export, file_writer_take(&export->file, &export->csv, false));
		if (export->sheet.fault == SHEET_NO_ROOM)
			return JOB_LATER;
		take_fault(export);
	}
	return end;
}

/* ---- The end. */

static void
hold_meanwhile(void *export)
{
	/* Where it is lost, the first part is not written. */
	(void)!job_lease_keep(((struct export *)export)->lease);
}

static enum job_end
write_rest(struct export *export)
{
	if (!export->is_book)
		return go_on(export, file_writer_take(&export->file, &export->csv, true));
	return sheet_close_book(&export->sheet, hold_meanwhile, export) ? go_on(export, file_writer_take_book(&export->file, &export->sheet)) : JOB_LATER;
}

static enum job_end
fail(struct export *export)
{
	struct job_lease *lease = export->lease;
	struct buffer problem = BUFFER_INIT;
	PGresult *results[2] = { NULL };

	buffer_putc(&problem, '{');
	json_write_string_member(&problem, "code", export->code);
	json_write_string_member(&problem, "detail", export->detail);
	buffer_putc(&problem, '}');
	const struct statement statements[] = {
		{ &query_file_remove, (const char *const[]){ lease->org_id, lease->id } },
		{ &query_export_fail, (const char *const[]){ lease->org_id, lease->id, buffer_text(&problem) } },
	};
	const enum job_end end = go_on(export, job_lease_finish(lease, statements, 2, results));
	PQclear(results[0]);
	PQclear(results[1]);
	buffer_free(&problem);
	return end;
}

static enum job_end
finish(struct export *export)
{
	struct job_lease *lease = export->lease;
	char rows[24];
	PGresult *result = NULL;

	snprintf(rows, sizeof(rows), "%ld", export->rows);
	const struct statement ready = { &query_export_ready, (const char *const[]){ lease->org_id, lease->id, rows } };
	const enum job_end end = go_on(export, job_lease_finish(lease, &ready, 1, &result));
	PQclear(result);
	return end;
}

static enum job_end
write_file(struct export *export)
{
	enum job_end end = begin(export);

	if (end == JOB_ENDED)
		end = write_pages(export);
	if (end == JOB_ENDED && export->code != NULL)
		return fail(export);
	if (end == JOB_ENDED)
		end = write_rest(export);
	return end == JOB_ENDED ? finish(export) : end;
}

enum job_end
export_run(struct job_lease *lease)
{
	struct export export = { .lease = lease };
	enum job_end end;

	if (load(&export, &end))
		end = write_file(&export);
	sheet_free_book(&export.sheet);
	buffer_free(&export.csv);
	return end;
}
