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

static enum step
audit_list(struct request *rq)
{
	struct page_wish *page = arena_take(rq->scratch, sizeof(*page));

	rq->data = page;
	list_read_page(rq, 'a', false, page);
	const char *params[] = { rq->org_id, list_read_id(rq, "subject_id"), list_read_id(rq, "actor_id"),
		request_parameter(rq, "action"), list_read_time(rq, "since"), list_read_time(rq, "until"),
		page->after_id, page->limit_text };
	page->wants_count = list_read_flag(rq, "count");
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ &query_audit_list, params },
		{ &query_audit_count, params },
	}, page->wants_count ? 2 : 1);
}

static enum step
audit_list_reply(struct request *rq)
{
	return list_reply_page(rq, ((struct page_wish *)rq->data)->limit, 'a', "id");
}

request_step *const audit_list_steps[] = { audit_list, audit_list_reply, NULL };
