/*
 * Links: inspect, accept, complete.
 *
 * Both kinds go the same way: verify the token, load its subject, judge the link, then
 * show it, or decide and record the password with it. A link that is dead says why:
 * expired, used, withdrawn, or not one of ours.
 */
#include "links.h"

#include <string.h>

#include "config.h"
#include "list.h"
#include "reply.h"
#include "user_steps.h"

const struct body_field link_inspect_fields[] = {
	{ "token", BODY_TOKEN, .is_required = true, .max = 200 },
	{ 0 },
};

const struct body_field link_password_fields[] = {
	{ "token", BODY_TOKEN, .is_required = true, .max = 200 },
	{ "password", BODY_PASSWORD, .is_required = true },
	{ 0 },
};

enum step
link_load(struct request *rq, enum link_purpose purpose, const struct query *query)
{
	struct link_case *the = arena_take(rq->scratch, sizeof(*the));
	char *org_id = arena_take(rq->scratch, UUID_TEXT_SIZE);
	char *user_id = arena_take(rq->scratch, UUID_TEXT_SIZE);

	if (request_text(rq, "token") == NULL)	/* a fault, and named as one */
		return request_answer_faults(rq);
	if (!link_token_verify(rq->server->config->keyring, purpose, request_text(rq, "token"), &the->link))
		return request_problem(rq, PROBLEM_LINK_UNKNOWN);
	uuid_format(&the->link.org_id, org_id);
	uuid_format(&the->link.subject_id, user_id);
	rq->org_id = org_id;
	rq->data = the;
	return request_query(rq, LANE_READ, query, (const char *const[]){ org_id, user_id });
}

static enum step
answer_verdict(struct request *rq, enum link_verdict verdict)
{
	switch (verdict) {
	case LINK_ALIVE:
		return STEP_NEXT;
	case LINK_EXPIRED:
		return request_problem(rq, PROBLEM_LINK_EXPIRED);
	case LINK_USED:
		return request_problem(rq, PROBLEM_LINK_USED);
	case LINK_REVOKED:
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	case LINK_UNKNOWN:
		break;
	}
	return request_problem(rq, PROBLEM_LINK_UNKNOWN);
}

/* The deleted leave no row, or an empty one: to the holder of the link it is withdrawn. */
static enum step
invitation_judge(struct request *rq)
{
	struct link_case *the = rq->data;
	struct subject *subject = &the->the.subject;

	if (request_rows(rq, 0) == 0 || request_column_is_true(rq, "is_anonymised"))
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	subject_from_row(subject, rq->scratch, rq->result, 0);
	return answer_verdict(rq, invitation_link_verdict(subject->state.invitation, subject->invitation_generation,
		subject->invitation_passed, subject->previous_expired, subject->state.invitation_is_letter,
		the->link.generation));
}

static enum step
invitation_load(struct request *rq)
{
	return link_load(rq, LINK_INVITATION, &query_link_load_invitation);
}

/* What he will sign in with. */
static const char *
login_of(const struct subject *subject)
{
	return subject->policy.login_identifier == LOGIN_BY_USERNAME || subject->email == NULL
		? subject->username : subject->email;
}

static enum step
link_show(struct request *rq)
{
	struct buffer *out = &rq->reply;

	buffer_clear(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "organization", request_column(rq, "organization"));
	json_write_string_member(out, "organization_slug", request_column(rq, "organization_slug"));
	json_write_string_member(out, "email", request_column(rq, "email"));
	json_write_string_member(out, "login", login_of(&user_case(rq)->subject));
	json_write_string_member(out, "first_name", request_column(rq, "first_name"));
	json_write_name(out, "expires_at");
	reply_write_timestamp(out, request_column(rq, "expires_at"));
	json_write_int_member(out, "password_min_length", user_case(rq)->subject.policy.password_min_length);
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/json");
}

request_step *const invitation_inspect_steps[] = { invitation_load, invitation_judge, link_show, NULL };

static enum step
link_check_password(struct request *rq)
{
	const struct subject *subject = &user_case(rq)->subject;

	user_case_check_password(&rq->proposal, &subject->policy, subject->email, subject->first_name, subject->last_name);
	return request_answer_faults(rq);
}

static enum step
link_hash_password(struct request *rq)
{
	enum step step = request_reserve_hash(rq);

	return step != STEP_NEXT ? step : request_hash_password(rq, request_text(rq, "password"));
}

static enum step
invitation_decide(struct request *rq)
{
	struct link_case *the = rq->data;

	the->the.subject.state.through_administrator = the->link.channel == CHANNEL_ADMINISTRATOR;
	the->the.details.action = "user.invitation_accepted";
	the->the.details.accepted_through = the->link.channel == CHANNEL_ADMINISTRATOR ? "administrator" : "user";
	return user_decide(rq, EVENT_ACCEPT_INVITATION);
}

void
link_act_as_subject(struct request *rq)
{
	rq->caller.kind = CALLER_USER;
	rq->caller.id = user_case(rq)->subject.id;
}

static enum step
link_record(struct request *rq)
{
	struct user_case *the = user_case(rq);
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);

	link_act_as_subject(rq);
	the->details.password_hash = rq->hash->hash;
	transition_batch_add(batch, &the->subject, &the->transition, &the->details);
	return request_query(rq, LANE_WRITE, &query_user_transition, transition_batch_params(batch, request_actor(rq)));
}

static enum step
invitation_accept_reply(struct request *rq)
{
	buffer_clear(&rq->reply);
	buffer_putc(&rq->reply, '{');
	json_write_string_member(&rq->reply, "status", user_status_word(user_case(rq)->transition.status));
	buffer_putc(&rq->reply, '}');
	return request_reply(rq, 200, "application/json");
}

request_step *const invitation_accept_steps[] = {
	invitation_load, invitation_judge, invitation_decide, link_check_password, link_hash_password, link_record,
	invitation_accept_reply, NULL
};

static enum step
reset_load(struct request *rq)
{
	return link_load(rq, LINK_PASSWORD_RESET, &query_link_load_password_reset);
}

static enum step
reset_judge(struct request *rq)
{
	struct link_case *the = rq->data;
	const bool has_row = request_rows(rq, 0) > 0 && request_column(rq, "reset_generation") != NULL;

	if (!has_row)
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	subject_from_row(&the->the.subject, rq->scratch, rq->result, 0);
	the->the.subject.state.lock_mail_release = request_column_is_true(rq, "releases_lock");
	if (row_int(rq->result, 0, "reset_generation") != (long)the->link.generation)
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	if (strcmp(request_column(rq, "reset_state"), "used") == 0)
		return request_problem(rq, PROBLEM_LINK_USED);
	if (!request_column_is_true(rq, "reset_epoch_fits"))
		return request_problem(rq, PROBLEM_LINK_REVOKED);
	if (request_column_is_true(rq, "reset_passed"))
		return request_problem(rq, PROBLEM_LINK_EXPIRED);
	return STEP_NEXT;
}

static enum step
reset_decide(struct request *rq)
{
	struct user_case *the = user_case(rq);

	the->details.action = "user.password_reset";
	the->details.uses_reset = true;
	return user_decide(rq, EVENT_COMPLETE_RESET);
}

request_step *const reset_inspect_steps[] = { reset_load, reset_judge, link_show, NULL };

request_step *const reset_complete_steps[] = {
	reset_load, reset_judge, reset_decide, link_check_password, link_hash_password, link_record,
	reply_no_content, NULL
};

/* The list of invitations, newest users first. */

const char *const invitation_list_parameters[] = { "limit", "cursor", "count", "state", NULL };

static enum step
invitation_list(struct request *rq)
{
	static const char *const states[] = { "pending", "expired", "accepted", "revoked", NULL };
	struct page_wish *page = list_begin(rq, 'i', false);

	page->id_column = "user_id";
	const char *params[] = { rq->org_id, list_read_words(rq, "state", states), page->after_id, page->limit_text };
	return list_ask(rq, (const struct statement[]){
		{ &query_invitation_list, params },
		{ &query_invitation_count, params },
	});
}

request_step *const invitation_list_steps[] = { invitation_list, list_reply, NULL };
