/*
 * GET /v1/users/export: the whole list as CSV, while it is read.
 *
 * A page of people is asked for when the client has taken the one before, so it takes no
 * more memory here than one page, however many they are and however slowly he reads. Pages
 * follow the ids: who is made meanwhile stands at the end, nobody stands there twice. What
 * was written down of it is written before the first byte.
 */
#include "exports.h"

#include <string.h>

#include "field.h"
#include "files.h"
#include "sheet.h"
#include "user_filter.h"
#include "user_sheet.h"

/* Of the page; two or three milliseconds in the database. */
#define PAGE_ROWS 500
#define PAGE_ROWS_TEXT "500"

const char *const export_stream_parameters[] = {
	"format", "delimiter", "status", "q", "kind", "role_id", "email", "username", "external_id", "updated_since",
	"department_id", "group_id", "incomplete", "vacation", "assignable", "at", NULL
};

struct stream {
	struct sheet sheet;
	struct field_set fields;
	const char *params[USER_FILTER_PARAMS + 3];
	char after_id[UUID_TEXT_SIZE];
};

enum { PARAM_AFTER_ID = USER_FILTER_PARAMS, PARAM_LIMIT, PARAM_KEYS };

static void
check_format(struct request *rq)
{
	const char *format = request_parameter(rq, "format");

	if (format != NULL && strcmp(format, "xlsx") == 0)
		request_parameter_fault(rq, "format", "invalid", "A workbook takes its time: ask for it with POST /v1/exports.");
	else if (format != NULL && strcmp(format, "csv") != 0)
		request_parameter_fault(rq, "format", "invalid", "csv; for xlsx see POST /v1/exports.");
}

static enum step
export_stream(struct request *rq)
{
	struct stream *stream = arena_take(rq->scratch, sizeof(*stream));

	rq->data = stream;
	rq->faults_in_query = true;
	check_format(rq);
	sheet_begin_csv(&stream->sheet, &rq->reply, file_read_delimiter(rq));
	user_filter_read(rq, stream->params);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_query(rq, LANE_READ, &query_user_export_begin, (const char *const[]){ rq->org_id, rq->caller.language });
}

/* The names of what it is narrowed to, as the audit keeps them. */
static const char *
filter_names(struct request *rq)
{
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	for (int i = 2; export_stream_parameters[i] != NULL; i++) {
		if (request_parameter(rq, export_stream_parameters[i]) != NULL)
			json_write_string_member(&out, export_stream_parameters[i], "");
	}
	buffer_putc(&out, '}');
	return request_take_text(rq, &out);
}

static enum step
export_stream_record(struct request *rq)
{
	struct stream *stream = rq->data;
	struct buffer keys = BUFFER_INIT;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	field_set_read(&stream->fields, rq->scratch, request_column(rq, "fields"));
	user_sheet_keys(&keys, &stream->fields);
	stream->params[PARAM_KEYS] = request_take_text(rq, &keys);
	stream->params[PARAM_LIMIT] = PAGE_ROWS_TEXT;
	user_sheet_write_headers(&stream->sheet, &stream->fields, rq->caller.language);
	file_reply_name(rq, arena_printf(rq->scratch, "%s-users-%s.csv", request_column(rq, "slug"), request_column(rq, "day")));
	return request_query(rq, LANE_WRITE, &query_export_streamed, (const char *const[]){
		rq->org_id, rq->org_id, filter_names(rq), request_new_id(rq), request_actor(rq) });
}

static enum step
export_page(struct request *rq)
{
	const struct stream *stream = rq->data;

	return request_query(rq, LANE_SLOW,
		stream->params[USER_FILTER_SEARCH] != NULL ? &query_user_export_search : &query_user_export_page, stream->params);
}

static enum step
export_page_write(struct request *rq)
{
	struct stream *stream = rq->data;
	const int count = request_rows(rq, 0);

	user_sheet_write_rows(&stream->sheet, &stream->fields, rq->result);
	if (count < PAGE_ROWS)
		return request_stream_last(rq, SHEET_TYPE_CSV);
	memcpy(stream->after_id, PQgetvalue(rq->result, count - 1, PQfnumber(rq->result, "id")), UUID_TEXT_SIZE);
	stream->params[PARAM_AFTER_ID] = stream->after_id;
	return request_stream(rq, SHEET_TYPE_CSV);
}

static request_step *const page_steps[] = { export_page, export_page_write, NULL };

static enum step
export_stream_pages(struct request *rq)
{
	return request_continue(rq, page_steps);
}

request_step *const export_stream_steps[] = { export_stream, export_stream_record, export_stream_pages, NULL };
