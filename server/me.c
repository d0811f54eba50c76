/*
 * One's own account: read it, change one's own password.
 *
 * Changing the password ends all other sessions; the one that asks goes on. A wrong
 * current password is a guess like any other (DESIGN.md §4): it is counted before it
 * is checked.
 */
#include "me.h"

#include <string.h>

#include "guess.h"
#include "reply.h"
#include "user_steps.h"

static enum step
me_get(struct request *rq)
{
	const struct statement view = user_view(rq, rq->caller.id);

	return request_queries(rq, LANE_READ, &view, 1);
}

request_step *const me_get_steps[] = { me_get, reply_ok, NULL };

const struct body_field me_password_fields[] = {
	{ "current_password", BODY_PASSWORD, .is_required = true },
	{ "password", BODY_PASSWORD, .is_required = true },
	{ 0 },
};

static enum step
me_password_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_load_credential,
		(const char *const[]){ rq->org_id, rq->caller.id });
}

static enum step
me_password_refuse(struct request *rq)
{
	request_fault(rq, "/current_password", "invalid", "This is not your present password.");
	return request_answer_faults(rq);
}

/* Two at once: the other was quicker, and by now the present password is another. That was no wrong
 * guess: right ones never add up to a lock. */
static enum step
me_password_stands(struct request *rq, const char *hash)
{
	if (rq->proved_hash == NULL || (hash != NULL && strcmp(rq->proved_hash, hash) == 0))
		return STEP_NEXT;
	return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "Your password was changed at this very moment.");
}

static enum step
me_password_decide(struct request *rq)
{
	static request_step *const refusal[] = { me_password_refuse, NULL };
	struct guess *guess = arena_take(rq->scratch, sizeof(*guess));
	struct subject *subject = &guess->the.subject;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_UNAUTHENTICATED);
	rq->data = guess;
	subject_from_row(subject, rq->scratch, rq->result, 0);
	const char *hash = request_column(rq, "password_hash");
	enum step step = request_check_match(rq, subject->version);
	if (step == STEP_NEXT)
		step = me_password_stands(rq, hash);
	if (step != STEP_NEXT)
		return step;
	guess_begin(rq, hash != NULL ? arena_copy(rq->scratch, hash) : NULL,
		subject->email != NULL ? subject->email : subject->username, request_text(rq, "current_password"), refusal);
	guess->the.details = (struct transition_details){ .action = "user.password_changed",
		.keep_session = rq->caller.session_id };
	user_case_check_password(&rq->proposal, &subject->policy, subject->email, subject->first_name, subject->last_name);
	step = request_answer_faults(rq);
	return step == STEP_NEXT ? user_decide(rq, EVENT_CHANGE_OWN_PASSWORD) : step;
}

/* No session comes of it that would forget the guess. */
static enum step
me_password_hash(struct request *rq)
{
	const enum step step = request_reserve_hash(rq);

	rq->proved_hash = ((struct guess *)rq->data)->stored_hash;
	guess_forget(rq);
	return step != STEP_NEXT ? step : request_hash_password(rq, request_text(rq, "password"));
}

static enum step
me_password_record(struct request *rq)
{
	user_case(rq)->details.password_hash = rq->hash->hash;
	return user_record(rq);
}

request_step *const me_password_steps[] = {
	request_reserve_hash, me_password_load, me_password_decide, guess_count, guess_check, guess_judge,
	me_password_hash, me_password_record, reply_no_content, NULL
};
