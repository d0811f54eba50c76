/*
 * One's own account: read it, change one's own password.
 *
 * Changing the password ends all other sessions; the one that asks goes on. A wrong
 * current password is a guess like any other (DESIGN.md §4): it is counted before it
 * is checked.
 */
#include "me.h"

#include <string.h>

#include "reply.h"
#include "shared_page.h"
#include "user_steps.h"

static enum step
me_get(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_get, (const char *const[]){ rq->org_id, rq->caller.id });
}

request_step *const me_get_steps[] = { me_get, reply_ok, NULL };

const struct body_field me_password_fields[] = {
	{ "current_password", BODY_PASSWORD, .is_required = true },
	{ "password", BODY_PASSWORD, .is_required = true },
	{ 0 },
};

struct own_password {
	struct user_case the;		/* first: user_case(rq) works here too */
	const char *stored_hash;
};

static enum step
me_password_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_load_credential,
		(const char *const[]){ rq->org_id, rq->caller.id });
}

static enum step
me_password_check(struct request *rq)
{
	struct own_password *own = arena_take(rq->scratch, sizeof(*own));
	struct subject *subject = &own->the.subject;
	enum step step = STEP_NEXT;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_UNAUTHENTICATED);
	rq->data = own;
	subject_from_row(subject, rq->scratch, rq->result, 0);
	const char *hash = request_column(rq, "password_hash");
	own->stored_hash = hash != NULL ? arena_copy(rq->scratch, hash) : NULL;
	own->the.details = (struct transition_details){ .action = "user.password_changed",
		.keep_session = rq->caller.session_id };
	if (!user_decide(rq, EVENT_CHANGE_OWN_PASSWORD, &step))
		return step;
	user_check_password(rq, &subject->policy, subject->email, subject->first_name, subject->last_name);
	return request_answer_faults(rq);
}

/* At most ten guesses at the current password here too, whatever locks elsewhere. */
static enum step
me_password_count(struct request *rq)
{
	return request_query(rq, LANE_WRITE, &query_login_count_guess,
		(const char *const[]){ rq->org_id, rq->caller.id, "10" });
}

static enum step
me_password_verify(struct request *rq)
{
	struct own_password *own = rq->data;

	if (request_rows(rq, 0) == 0)
		return request_problem_later(rq, PROBLEM_RATE_LIMITED, 60);
	metric_add(rq->server->page, METRIC_PASSWORD_CHECKS, 1);
	return request_verify_password(rq, own->stored_hash, request_text(rq, "current_password"));
}

static enum step
me_password_hash(struct request *rq)
{
	enum step step;

	if (!rq->hash->ok) {
		request_fault(rq, "/current_password", "invalid", "This is not your present password.");
		return request_answer_faults(rq);
	}
	step = request_reserve_hash(rq);
	return step != STEP_NEXT ? step : request_hash_password(rq, request_text(rq, "password"));
}

static enum step
me_password_record(struct request *rq)
{
	user_case(rq)->details.password_hash = rq->hash->hash;
	return user_record(rq);
}

request_step *const me_password_steps[] = {
	request_reserve_hash, me_password_load, me_password_check, me_password_count, me_password_verify,
	me_password_hash, me_password_record, reply_no_content, NULL
};
