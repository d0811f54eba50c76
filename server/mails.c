/*
 * The outbox as administrators see it: list and retry.
 *
 * Newest first; ids are UUIDv7, so they are the order. Only a failed mail or one that
 * waits can be tried again: what a sender holds at this moment is his, and what was
 * cancelled or sent stays so. Sending is the worker's.
 */
#include "mails.h"

#include "list.h"
#include "reply.h"

const char *const outbox_list_parameters[] = { "limit", "cursor", "count", "state", "kind", "user_id", NULL };

static enum step
outbox_list(struct request *rq)
{
	static const char *const states[] = { "queued", "sent", "failed", "cancelled", "bounced", NULL };
	struct page_wish *page = list_begin(rq, 'o', false);

	const char *params[] = { rq->org_id, list_read_words(rq, "state", states), request_parameter(rq, "kind"),
		list_read_id(rq, "user_id"), page->after_id, page->limit_text };
	return list_ask(rq, (const struct statement[]){
		{ &query_outbox_list, params },
		{ &query_outbox_count, params },
	});
}

request_step *const outbox_list_steps[] = { outbox_list, list_reply, NULL };

static enum step
outbox_retry_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_outbox_get,
		(const char *const[]){ rq->org_id, rq->path_values[0] });
}

static enum step
outbox_retry(struct request *rq)
{

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_outbox_retry, (const char *const[]){ rq->org_id, rq->path_values[0], request_new_id(rq), request_actor(rq) } },
		{ &query_outbox_get, (const char *const[]){ rq->org_id, rq->path_values[0] } },
	}, 2);
}

static enum step
outbox_retry_judge(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			"Only a mail that failed or waits can be tried again; this one is sent, cancelled or on its way.");
	return STEP_NEXT;
}

request_step *const outbox_retry_steps[] = { outbox_retry_load, outbox_retry, outbox_retry_judge, reply_accepted, NULL };
