/*
 * A delivery report, as a mail system has it: a pipe or a hook sends it here, and the outbox
 * shows why a mail did not arrive. (A worker reads them from a Maildir by itself.)
 *
 * What is always true: a report about a mail of another organization is answered like one about
 * no mail at all; nothing but the mail's own row changes, whatever its link has become.
 */
#include "bounces.h"

#include <strings.h>

#include "bounce.h"
#include "reply.h"

static enum step
bounce_take(struct request *rq)
{
	struct bounce *bounce = arena_take(rq->scratch, sizeof(*bounce));
	const char *fault;

	if (rq->media_type == NULL || strcasecmp(rq->media_type, "message/rfc822") != 0)
		return request_problem_detail(rq, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
			"A delivery report is sent as it came: with Content-Type: message/rfc822.");
	fault = bounce_read((const char *)rq->bytes, rq->byte_count, bounce);
	if (fault != NULL)
		return request_problem_detail(rq, PROBLEM_INVALID_BODY, NULL, fault);
	rq->data = bounce;
	return request_query(rq, LANE_READ, &query_outbox_get, (const char *const[]){ rq->org_id, bounce->mail_id });
}

static enum step
bounce_record(struct request *rq)
{
	const struct bounce *bounce = rq->data;
	const char *const get_params[] = { rq->org_id, bounce->mail_id };

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	if (bounce->action == BOUNCE_ARRIVED)
		return reply_ok(rq);
	if (bounce->action == BOUNCE_DELAYED)
		return request_queries(rq, LANE_WRITE, (const struct statement[]){
			{ &query_mail_delayed, (const char *const[]){ rq->org_id, bounce->mail_id, bounce->diagnostic } },
			{ &query_outbox_get, get_params },
		}, 2);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_mail_bounced, (const char *const[]){ rq->org_id, bounce->mail_id, bounce->status, bounce->diagnostic,
			request_new_id(rq), request_actor(rq) } },
		{ &query_outbox_get, get_params },
	}, 2);
}

request_step *const bounce_steps[] = { bounce_take, bounce_record, reply_ok, NULL };
