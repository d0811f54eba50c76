/*
 * A new e-mail address: shown, and confirmed.
 *
 * What is always true: the address that is confirmed is the one that the link was mailed
 * to, for another wish is another generation; whatever has ended the user's sessions since
 * has ended the link, too; with the address change the sessions, and every link that went
 * to the address before.
 */
#include "email_changes.h"

#include <string.h>

#include "links.h"
#include "reply.h"

static enum step
email_change_load(struct request *rq)
{
	return link_load(rq, LINK_EMAIL_CHANGE, &query_link_load_email_change);
}

/* The deleted leave no row: to the holder of the link it is withdrawn. */
static enum step
email_change_judge(struct request *rq)
{
	struct link_case *the = rq->data;
	const bool has_row = request_rows(rq, 0) > 0 && request_column(rq, "change_generation") != NULL;

	if (!has_row)
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	subject_from_row(&the->the.subject, rq->scratch, rq->result, 0);
	if (row_int(rq->result, 0, "change_generation") != (long)the->link.generation)
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	if (strcmp(request_column(rq, "change_state"), "used") == 0)
		return request_problem(rq, PROBLEM_LINK_USED);
	if (strcmp(request_column(rq, "change_state"), "withdrawn") == 0
		|| !request_column_is_true(rq, "change_epoch_fits"))
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	if (request_column_is_true(rq, "change_passed"))
		return request_problem(rq, PROBLEM_LINK_EXPIRED);
	the->the.subject.state.changes_email = true;
	the->the.details.new_email = arena_copy(rq->scratch, request_column(rq, "new_email"));
	return STEP_NEXT;
}

static enum step
email_change_show(struct request *rq)
{
	struct buffer *out = &rq->reply;

	buffer_clear(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "organization", request_column(rq, "organization"));
	json_write_string_member(out, "organization_slug", request_column(rq, "organization_slug"));
	json_write_string_member(out, "email", request_column(rq, "new_email"));
	json_write_string_member(out, "first_name", request_column(rq, "first_name"));
	json_write_name(out, "expires_at");
	reply_write_timestamp(out, request_column(rq, "expires_at"));
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/json");
}

request_step *const email_change_inspect_steps[] = {
	email_change_load, email_change_judge, email_change_show, NULL
};

static enum step
email_change_decide(struct request *rq)
{

	user_case(rq)->details.action = "user.email_changed";
	return user_decide(rq, EVENT_CONFIRM_EMAIL);
}

/* Somebody may have been given the address meanwhile: then its key refuses, and nothing
 * has changed. */
static enum step
email_change_record(struct request *rq)
{
	struct user_case *the = user_case(rq);
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);

	link_act_as_subject(rq);
	transition_batch_add(batch, &the->subject, &the->transition, &the->details);
	return request_query(rq, LANE_WRITE, &query_user_transition, transition_batch_params(batch, request_actor(rq)));
}

request_step *const email_change_confirm_steps[] = {
	email_change_load, email_change_judge, email_change_decide, email_change_record, reply_no_content, NULL
};
