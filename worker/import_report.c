/*
 * The rows of an import into a workbook, and that into the database.
 *
 * The import names its report before there is any of it, so whatever was left half done
 * belongs to somebody, and goes with him.
 */
#include "import_report.h"

#include <stdio.h>
#include <string.h>

#include "file_writer.h"
#include "job_lease.h"
#include "queries.h"
#include "report_sheet.h"
#include "sheet.h"
#include "supervisor.h"
#include "uuid.h"

#define PAGE_ROWS 500
#define PAGE_ROWS_TEXT "500"

struct report {
	struct job_lease *lease;
	struct sheet sheet;
	const char *language;
	char id[UUID_TEXT_SIZE], after_row[16];
};

/* NULL: no report any more. */
static enum database_status
name_report(struct report *report, const char *before, const char *report_id)
{
	struct job_lease *lease = report->lease;
	PGresult *results[2] = { NULL };
	const struct statement statements[] = {
		{ &query_file_remove, (const char *const[]){ lease->org_id, before } },
		{ &query_import_report_set, (const char *const[]){ lease->org_id, lease->id, report_id } },
	};
	const enum database_status status = job_lease_write(lease, statements, 2, results);

	PQclear(results[0]);
	PQclear(results[1]);
	return status;
}

/* *count: of the rows that it took. */
static enum database_status
write_page(struct report *report, int *count)
{
	struct database_result page = database_run(report->lease->worker->database, &query_import_report_page,
		(const char *const[]){ report->lease->org_id, report->lease->id, report->after_row, PAGE_ROWS_TEXT });

	if (page.status != DATABASE_OK)
		return page.status;
	*count = PQntuples(page.rows);
	report_sheet_write_rows(&report->sheet, page.rows, report->language, false);
	if (*count > 0)
		snprintf(report->after_row, sizeof(report->after_row), "%s", row_text(page.rows, *count - 1, "row"));
	PQclear(page.rows);
	return DATABASE_OK;
}

static enum database_status
write_rows(struct report *report)
{
	enum database_status status = DATABASE_OK;
	int count = PAGE_ROWS;

	while (count == PAGE_ROWS && status == DATABASE_OK && report->sheet.fault == SHEET_OK)
		status = supervisor_stopping() || !job_lease_keep(report->lease) ? DATABASE_ERROR : write_page(report, &count);
	return status;
}

static void
hold_meanwhile(void *report)
{
	/* Where it is lost, the first part is not written. */
	(void)!job_lease_keep(((struct report *)report)->lease);
}

/* Packs it and writes it down. */
static enum database_status
write_file(struct report *report)
{
	struct file_writer file = { .lease = report->lease, .file_id = report->id };
	enum database_status status = DATABASE_OK;

	if (sheet_close_book(&report->sheet, hold_meanwhile, report))
		status = file_writer_take_book(&file, &report->sheet);
	return status == DATABASE_OK && report->sheet.fault != SHEET_OK ? name_report(report, report->id, NULL) : status;
}

static enum database_status
write_book(struct report *report, const PGresult *import)
{
	enum database_status status;

	uuid_make_text(report->id);
	strcpy(report->after_row, "0");
	report->language = row_text(import, 0, "language");
	status = name_report(report, row_text(import, 0, "report_id"), report->id);
	if (status != DATABASE_OK)
		return status;
	sheet_begin_book(&report->sheet);
	report_sheet_write_headers(&report->sheet, row_text(import, 0, "headers"), report->language);
	status = write_rows(report);
	if (status == DATABASE_OK)
		status = write_file(report);
	sheet_free_book(&report->sheet);
	return status;
}

enum database_status
import_report_write(struct job_lease *lease)
{
	struct report report = { .lease = lease };
	struct database_result import = database_run(lease->worker->database, &query_import_report_load,
		(const char *const[]){ lease->org_id, lease->id });
	enum database_status status = import.status;

	if (status != DATABASE_OK)
		return status;
	const char *format = PQntuples(import.rows) > 0 ? row_text(import.rows, 0, "format") : NULL;
	if (format != NULL && strcmp(format, "xlsx") == 0)
		status = write_book(&report, import.rows);
	PQclear(import.rows);
	return status;
}
