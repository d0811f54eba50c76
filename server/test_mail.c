/*
 * A test mail goes into the outbox like every other, so that whoever watches it there sees the
 * whole way: the worker, the relay, and what the relay said.
 *
 * What is always true: there are few of them an hour, whatever keys they are asked for with. It
 * may go to anybody, for whoever sets a relay up wants to see a mail arrive in the mailbox that
 * he has at hand; more of them would make of us a sender of mails to strangers, in the name and
 * at the expense of the domain that signs them.
 */
#include "test_mail.h"

#include <stdlib.h>

#include "reply.h"

#define HOURLY_MAX "10"

const struct body_field test_mail_fields[] = {
	{ "recipient", BODY_EMAIL, .is_required = true },
	{ 0 },
};

static enum step
test_mail_find(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_test_mail_recipient,
		(const char *const[]){ rq->org_id, request_text(rq, "recipient") });
}

static enum step
test_mail_record(struct request *rq)
{
	const char *id = request_new_id(rq);

	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_test_mail_gate, (const char *const[]){ rq->org_id } },
		{ &query_test_mail_create, (const char *const[]){ rq->org_id, id, request_column(rq, "user_id"),
			request_column(rq, "recipient"), HOURLY_MAX, request_new_id(rq), request_actor(rq) } },
		{ &query_test_mail_wait, (const char *const[]){ rq->org_id, HOURLY_MAX } },
		{ &query_outbox_get, (const char *const[]){ rq->org_id, id } },
	}, 4);
}

static enum step
test_mail_judge(struct request *rq)
{
	const char *wait_s = request_value(rq, 2, "retry_after_s");

	if (request_rows(rq, 1) > 0)
		return STEP_NEXT;
	request_header(rq, "Retry-After", wait_s != NULL ? wait_s : "60");
	return request_problem_detail(rq, PROBLEM_RATE_LIMITED, NULL,
		"An organization gets " HOURLY_MAX " test mails an hour. The outbox shows what became of those that were asked for.");
}

request_step *const test_mail_steps[] = { test_mail_find, test_mail_record, test_mail_judge, reply_accepted, NULL };
