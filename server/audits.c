/*
 * The audit, newest first. It is read here and written only together with what it
 * tells of.
 */
#include "audits.h"

#include "list.h"
#include "reply.h"

const char *const audit_list_parameters[] = {
	"limit", "cursor", "count", "subject_id", "actor_id", "action", "since", "until", NULL
};

const char *const user_history_parameters[] = { "limit", "cursor", "count", "action", "since", "until", NULL };

/* NULL stands for whatever subject or actor. */
static enum step
audit_ask(struct request *rq, const char *subject_id, const char *actor_id)
{
	struct page_wish *page = list_begin(rq, 'a', false);

	const char *params[] = { rq->org_id, subject_id, actor_id,
		request_parameter(rq, "action"), list_read_time(rq, "since"), list_read_time(rq, "until"),
		page->after_id, page->limit_text };
	return list_ask(rq, (const struct statement[]){
		{ &query_audit_list, params },
		{ &query_audit_count, params },
	});
}

static enum step
audit_list(struct request *rq)
{
	return audit_ask(rq, list_read_id(rq, "subject_id"), list_read_id(rq, "actor_id"));
}

request_step *const audit_list_steps[] = { audit_list, list_reply, NULL };

/* A user's history is there as long as he is, and when he is not any more. */

static enum step
user_existed(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_existed, (const char *const[]){ rq->org_id, rq->path_values[0] });
}

static enum step
user_history(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	return audit_ask(rq, rq->path_values[0], NULL);
}

request_step *const user_history_steps[] = { user_existed, user_history, list_reply, NULL };
