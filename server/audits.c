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

/* The page and the filter, as audit_list takes them. NULL stands for whatever subject or actor. */
static struct page_wish *
audit_read(struct request *rq, const char *subject_id, const char *actor_id, const char *params[8])
{
	struct page_wish *page = list_begin(rq, 'a', false);

	params[0] = rq->org_id;
	params[1] = subject_id;
	params[2] = actor_id;
	params[3] = request_parameter(rq, "action");
	params[4] = list_read_time(rq, "since");
	params[5] = list_read_time(rq, "until");
	params[6] = page->after_id;
	params[7] = page->limit_text;
	return page;
}

static enum step
audit_list(struct request *rq)
{
	const char *params[8];

	(void)audit_read(rq, list_read_id(rq, "subject_id"), list_read_id(rq, "actor_id"), params);
	return list_ask(rq, (const struct statement[]){
		{ &query_audit_list, params },
		{ &query_audit_count, params },
	});
}

request_step *const audit_list_steps[] = { audit_list, list_reply, NULL };

/* A user's history is there as long as he is, and when he is not any more. */
static enum step
user_history(struct request *rq)
{
	const char *params[8];
	const struct page_wish *page = audit_read(rq, rq->path_values[0], NULL, params);

	return list_ask_of_one(rq, LANE_SLOW, (const struct statement[]){
		{ &query_audit_list, params },
		{ &query_user_history_count, (const char *const[]){ rq->org_id, rq->path_values[0], params[3], params[4], params[5],
			page->wants_count_text } },
	});
}

request_step *const user_history_steps[] = { user_history, list_reply_of_one, NULL };
