/*
 * The audit, newest first. It is read here and written only together with what it
 * tells of.
 */
#include "audits.h"

#include "list.h"
#include "reply.h"

const char *const audit_list_parameters[] = {
	"limit", "cursor", "subject_id", "actor_id", "action", "since", "until", NULL
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
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_query(rq, LANE_SLOW, &query_audit_list, params);
}

static enum step
audit_list_reply(struct request *rq)
{
	return list_reply_page(rq, ((struct page_wish *)rq->data)->limit, 'a', "id");
}

request_step *const audit_list_steps[] = { audit_list, audit_list_reply, NULL };
