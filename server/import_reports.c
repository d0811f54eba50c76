/*
 * The report of an import: the workbook that the worker has made of it, or its rows as CSV
 * with the delimiter of the file.
 */
#include "import_reports.h"

#include <string.h>

#include "files.h"
#include "report_sheet.h"
#include "sheet.h"
#include "subject.h"

/* A row may have 256 cells, all rows together 32 MiB. */
#define PAGE_ROWS 200
#define PAGE_ROWS_TEXT "200"

struct report {
	struct sheet sheet;
	bool is_csv;			/* so was the file */
	char after_row[16];
};

static enum step
import_report(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_import_report, (const char *const[]){ rq->org_id, rq->path_values[0] });
}

static enum step
report_page(struct request *rq)
{
	const struct report *report = rq->data;

	return request_query(rq, LANE_SLOW, &query_import_report_page,
		(const char *const[]){ rq->org_id, rq->path_values[0], report->after_row, PAGE_ROWS_TEXT });
}

static enum step
report_page_write(struct request *rq)
{
	struct report *report = rq->data;
	const int count = request_rows(rq, 0);

	report_sheet_write_rows(&report->sheet, rq->result, rq->caller.language, report->is_csv);
	if (count < PAGE_ROWS)
		return request_stream_last(rq, SHEET_TYPE_CSV);
	snprintf(report->after_row, sizeof(report->after_row), "%s", row_text(rq->result, count - 1, "row"));
	return request_stream(rq, SHEET_TYPE_CSV);
}

static request_step *const page_steps[] = { report_page, report_page_write, NULL };

static enum step
stream_rows(struct request *rq)
{
	struct report *report = arena_take(rq->scratch, sizeof(*report));
	const char *delimiter = request_column(rq, "delimiter"), *format = request_column(rq, "format");

	report->is_csv = format != NULL && strcmp(format, "csv") == 0;
	strcpy(report->after_row, "0");
	sheet_begin_csv(&report->sheet, &rq->reply, delimiter != NULL && *delimiter != '\0' ? *delimiter : ',');
	report_sheet_write_headers(&report->sheet, request_column(rq, "headers"), rq->caller.language);
	file_reply_name(rq, request_column(rq, "file_name"));
	rq->data = report;
	return request_continue(rq, page_steps);
}

static enum step
import_report_reply(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	const char *state = request_column(rq, "state");
	if (strcmp(state, "uploading") == 0 || strcmp(state, "parsing") == 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "Nothing is known of its rows yet: look at the import again in a while.");
	return request_column(rq, "file_id") != NULL ? file_stream(rq, SHEET_TYPE_XLSX) : stream_rows(rq);
}

request_step *const import_report_steps[] = { import_report, import_report_reply, NULL };
