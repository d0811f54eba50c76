/*
 * PATCH of a user: read, decided, written, and shown as he is then.
 */
#include "user_edit.h"

#include "body.h"
#include "reply.h"
#include "route.h"
#include "user_steps.h"
#include "user_structure.h"
#include "user_writing.h"

static const char *
edited_user_id(struct request *rq)
{
	if (rq->route->access == ACCESS_USER)
		return rq->caller.id;
	return rq->found_id != NULL ? rq->found_id : rq->path_values[0];
}

static enum step
user_edit_load(struct request *rq)
{
	struct statement statements[4] = {
		{ &query_user_load, (const char *const[]){ rq->org_id, edited_user_id(rq) } },
		{ &query_user_create_load, (const char *const[]){ rq->org_id, body_id(rq, "role_id") } },
		{ &query_email_find, (const char *const[]){ rq->org_id, request_text(rq, "email") } },
	};
	int count = 3;
	count += user_structure_load(&rq->proposal, edited_user_id(rq), &statements[count]);
	return request_queries(rq, LANE_READ, statements, count);
}

static enum step
user_edit_decide(struct request *rq)
{
	return request_decide(rq, user_edit_decisions);
}

static enum step
me_edit_decide(struct request *rq)
{
	rq->is_of_oneself = true;
	return request_decide(rq, me_edit_decisions);
}

static enum step
user_edit_record(struct request *rq)
{
	struct statement statements[WRITING_STATEMENTS_MAX + 1];
	struct user_writing writing;

	user_writing_open(&writing, &rq->proposal);
	user_edit_write(&rq->proposal, &writing);
	int count = user_writing_take(&writing, &rq->proposal, statements);
	/* Who has just chosen another language reads the answer in it. */
	if (rq->route->access == ACCESS_USER && request_text(rq, "locale") != NULL)
		rq->caller.language = request_text(rq, "locale");
	statements[count++] = user_view(rq, user_case(rq)->subject.id);
	return count > 1 ? request_effects(rq, LANE_WRITE, statements, count) : request_queries(rq, LANE_READ, statements, count);
}

request_step *const user_edit_steps[] = { user_edit_load, user_edit_decide, user_edit_record, reply_ok, NULL };

request_step *const me_edit_steps[] = { user_edit_load, me_edit_decide, user_edit_record, reply_ok, NULL };
