/*
 * See import_upload.h. Parts come in any order, and again: what broke off goes on with those
 * that are missing.
 *
 * What is always true: a file whose reading has begun is whole and does not change any more;
 * the job that reads it is made in the same transaction.
 */
#include "import_upload.h"

#include <stdlib.h>
#include <string.h>

#include "import_form.h"
#include "imports.h"
#include "reply.h"

/* Of an organization, being uploaded or read: each is up to 32 MiB that nobody has looked at. */
#define UNDER_WAY_MAX 20
#define UNDER_WAY_RETRY_S 30

/* ---- A new one. */

static enum step
import_create(struct request *rq)
{
	struct import_form form;
	const char *id = request_new_id(rq);
	enum step step = import_form_read(rq, &form);

	if (step != STEP_NEXT)
		return step;
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_import_gate, (const char *const[]){ rq->org_id } },
		{ &query_import_create, (const char *const[]){ rq->org_id, id, request_actor_kind(rq), rq->caller.id, form.file_name,
			form.content_type, form.size, form.charset, form.mapping, form.bytes, arena_printf(rq->scratch, "%d", UNDER_WAY_MAX),
			request_new_id(rq), request_actor(rq) } },
		import_view(rq, id),
	}, 3);
}

static enum step
import_create_judge(struct request *rq)
{
	if (request_rows(rq, 1) > 0)
		return STEP_NEXT;
	request_header(rq, "Retry-After", arena_printf(rq->scratch, "%d", UNDER_WAY_RETRY_S));
	return request_problem_detail(rq, PROBLEM_RATE_LIMITED, NULL,
		arena_printf(rq->scratch, "%d imports of this organization are being uploaded or read. Wait until one of them is.", UNDER_WAY_MAX));
}

static enum step
import_create_reply(struct request *rq)
{
	reply_location(rq, "/v1/imports");
	return reply_accepted(rq);
}

request_step *const import_create_steps[] = { import_create, import_create_judge, import_create_reply, NULL };

/* ---- A part. */

/* -1: no number as we write them. */
static long
part_number(const char *text)
{
	const size_t length = strlen(text);

	if (length > 9 || strspn(text, "0123456789") != length || (text[0] == '0' && length > 1))
		return -1;
	return strtol(text, NULL, 10);
}

/* STEP_NEXT when the file has this part and it is as long as what came. */
static enum step
check_part(struct request *rq, const struct import_case *import, long number)
{
	const long last = (long)((import->size - 1) / IMPORT_PART_BYTES);
	const long long wanted = number < last ? IMPORT_PART_BYTES : import->size - (long long)last * IMPORT_PART_BYTES;

	if (number < 0 || number > last)
		return request_problem_detail(rq, PROBLEM_NOT_FOUND, NULL,
			arena_printf(rq->scratch, "The file's parts are numbered from 0 to %ld.", last));
	if ((long long)rq->byte_count != wanted)
		return request_problem_detail(rq, PROBLEM_INVALID_BODY, NULL, arena_printf(rq->scratch,
			"Part %ld of this file has %lld bytes, not %zu: all but the last have %d.", number, wanted, rq->byte_count, IMPORT_PART_BYTES));
	return STEP_NEXT;
}

static enum step
import_part_put(struct request *rq)
{
	const struct import_case *import = import_case(rq);
	const long number = part_number(rq->path_values[1]);
	enum step step = import_check_media_type(rq);

	if (step == STEP_NEXT && !import_is(import, "uploading"))
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			arena_printf(rq->scratch, "The file is complete, and the import is %s: it takes no more parts.", import->state));
	if (step == STEP_NEXT)
		step = check_part(rq, import, number);
	if (step != STEP_NEXT)
		return step;
	return request_query(rq, LANE_WRITE, &query_import_part_put, (const char *const[]){ rq->org_id, import->id,
		arena_printf(rq->scratch, "%ld", number), import_bytes(rq) });
}

request_step *const import_part_put_steps[] = { import_load, import_take_own, import_part_put, reply_no_content, NULL };

/* ---- All of it is there: read it. Or read it again, otherwise. */

struct parse_case {
	struct import_case the;		/* first: import_case(rq) works here too */
	struct import_form form;
};

static enum step
import_parse_check(struct request *rq)
{
	struct parse_case *parse = arena_take(rq->scratch, sizeof(*parse));

	rq->data = parse;
	return import_form_read_wishes(rq, &parse->form);
}

static enum step
import_parse_decide(struct request *rq)
{
	const struct import_case *import = import_case(rq);

	if (import->has_effect || import->has_undone
		|| !(import_is(import, "uploading") || import_is(import, "ready") || import_is(import, "failed")))
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, arena_printf(rq->scratch,
			"A file is read while nothing of it was applied and nothing else is being done; this import is %s.", import->state));
	if (*import->missing != '\0')
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			arena_printf(rq->scratch, "The file is not complete. Parts that are missing: %s.", import->missing));
	return STEP_NEXT;
}

static enum step
import_parse_record(struct request *rq)
{
	const struct parse_case *parse = rq->data;
	const char *id = parse->the.id;

	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_import_parse, (const char *const[]){ rq->org_id, id, request_has(rq, "charset") ? "true" : "false", parse->form.charset,
			request_has(rq, "mapping") ? "true" : "false", parse->form.mapping, request_new_id(rq), request_actor(rq) } },
		import_view(rq, id),
	}, 2);
}

request_step *const import_parse_steps[] = {
	import_parse_check, import_load, import_take_own, import_parse_decide, import_parse_record, reply_accepted, NULL
};
