/*
 * Exports that the worker makes: asked for, looked at, fetched.
 *
 * An export belongs to its organization: whoever may make one may fetch it. It is made with
 * the permissions of who asked for it, as they are then (worker/export.c), and lives as
 * long as policy import_retention says.
 */
#include "exports.h"

#include <string.h>

#include "files.h"
#include "list.h"
#include "reply.h"
#include "sheet.h"
#include "user_filter.h"

/* Of an organization, waiting or being made: what comes beyond would only wait longer. */
#define WAITING_MAX "20"
#define RETRY_AFTER_S 30

static const char *const formats[] = { "csv", "xlsx", NULL };

const struct body_field export_create_fields[] = {
	{ "format", BODY_CHOICE, .is_required = true, .choices = formats },
	{ "filter", BODY_OBJECT, .is_nullable = true },
	{ 0 },
};

static const char *
read_filter(struct request *rq)
{
	struct json_object *filter = rq->body != NULL ? json_member(rq->body, "filter") : NULL;
	const char *params[USER_FILTER_PARAMS];

	/* What is no object was named as a fault. */
	if (!json_object_is_type(filter, json_type_object))
		return "{}";
	return user_filter_read_object(rq, filter, "/filter", params);
}

static enum step
export_create(struct request *rq)
{
	const char *filter = read_filter(rq);

	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	const char *id = request_new_id(rq);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_export_create, (const char *const[]){ rq->org_id, id, request_actor_kind(rq),
			rq->caller.id, request_text(rq, "format"), filter, rq->caller.language, request_new_id(rq), request_actor(rq),
			WAITING_MAX } },
		{ &query_export_get, (const char *const[]){ rq->org_id, id } },
	}, 2);
}

static enum step
export_create_judge(struct request *rq)
{
	return request_rows(rq, 0) > 0 ? STEP_NEXT : request_problem_later(rq, PROBLEM_RATE_LIMITED, RETRY_AFTER_S);
}

static enum step
export_create_reply(struct request *rq)
{
	reply_location(rq, "/v1/exports");
	return reply_accepted(rq);
}

request_step *const export_create_steps[] = { export_create, export_create_judge, export_create_reply, NULL };

const char *const export_list_parameters[] = { "limit", "cursor", "count", NULL };

static enum step
export_list(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'x', false);

	return list_ask(rq, (const struct statement[]){
		{ &query_export_list, (const char *const[]){ rq->org_id, page->after_id, page->limit_text } },
		{ &query_export_count, (const char *const[]){ rq->org_id } },
	});
}

request_step *const export_list_steps[] = { export_list, list_reply, NULL };

static enum step
export_get(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_export_get, (const char *const[]){ rq->org_id, rq->path_values[0] });
}

request_step *const export_get_steps[] = { export_get, reply_ok, NULL };

static enum step
export_file(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_export_file, (const char *const[]){ rq->org_id, rq->path_values[0] });
}

static enum step
export_file_reply(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	if (strcmp(request_column(rq, "state"), "failed") == 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "This export failed: its problem says why. Ask for another.");
	if (strcmp(request_column(rq, "state"), "ready") != 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "The file is not ready yet: look at the export again in a while.");
	return file_stream(rq, strcmp(request_column(rq, "format"), "xlsx") == 0 ? SHEET_TYPE_XLSX : SHEET_TYPE_CSV);
}

request_step *const export_file_steps[] = { export_file, export_file_reply, NULL };
