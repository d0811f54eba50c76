/*
 * The beginning and the end of every route about one user.
 */
#include "user_steps.h"

struct user_case *
user_case(struct request *rq)
{
	return user_case_of(&rq->proposal);
}

static enum step
go_on(struct request *rq, bool is_allowed)
{
	return is_allowed ? STEP_NEXT : request_answer_refusal(rq);
}

enum step
user_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_load,
		(const char *const[]){ rq->org_id, rq->path_values[0] });
}

enum step
user_take(struct request *rq)
{
	return go_on(rq, user_case_take(&rq->proposal));
}

enum step
user_take_to_change(struct request *rq)
{
	return go_on(rq, user_case_take_to_change(&rq->proposal));
}

enum step
user_refuse(struct request *rq, const struct transition *transition)
{
	return go_on(rq, user_case_refuse(&rq->proposal, transition));
}

enum step
user_decide(struct request *rq, enum user_event event)
{
	return go_on(rq, user_case_decide(&rq->proposal, event));
}

struct statement
user_view(struct request *rq, const char *user_id)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 3);

	params[0] = rq->org_id;
	params[1] = user_id;
	params[2] = rq->caller.language;
	return (struct statement){ &query_user_get, params };
}

enum step
user_record(struct request *rq)
{
	struct user_case *the = user_case(rq);
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);

	transition_batch_add(batch, &the->subject, &the->transition, &the->details);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_user_transition, transition_batch_params(batch, request_actor(rq)) },
		user_view(rq, the->subject.id),
	}, 2);
}

enum step
user_require(struct request *rq, const char *permission, const char *because)
{
	return go_on(rq, proposal_require(&rq->proposal, permission, because));
}

enum step
user_hash_password(struct request *rq)
{
	const char *password = request_text(rq, "password");
	enum step step;

	if (password == NULL)
		return STEP_NEXT;
	step = request_reserve_hash(rq);
	return step != STEP_NEXT ? step : request_hash_password(rq, password);
}
