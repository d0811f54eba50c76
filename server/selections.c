/*
 * Selections: the first call says how many users a filter chooses and asks for a number, the
 * second repeats it and makes a job of it (worker/selection.c).
 *
 * What is always true: who is chosen is written down when it is asked for, so nothing is
 * done to anybody who was not counted; only its maker confirms one, and it is carried out
 * as him.
 */
#include "selections.h"

#include <string.h>

#include "confirmation.h"
#include "idempotency.h"
#include "list.h"
#include "reply.h"
#include "subject.h"
#include "user_filter.h"

#define USERS_MAX "100000"
/* Each may hold as many users until its time has passed. */
#define PENDING_MAX "20"

static const char *const operations[] = { "activate", "inactivate", "invite", NULL };

const struct body_field selection_create_fields[] = {
	{ "op", BODY_CHOICE, .is_required = true, .choices = operations },
	{ "filter", BODY_OBJECT, .is_required = true },
	{ 0 },
};

static enum step
require_invite(struct request *rq, const char *op)
{
	if (op == NULL || strcmp(op, "invite") != 0 || proposal_require(&rq->proposal, "users:invite", "links are mailed"))
		return STEP_NEXT;
	return request_answer_refusal(rq);
}

/* ---- Asking for it. */

/* What is answered of it, now and when the request is repeated. */
static struct statement
selection_view(struct request *rq, const char *id)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 4);

	params[0] = rq->org_id;
	params[1] = id;
	params[2] = request_actor_kind(rq);
	params[3] = rq->caller.id;
	return (struct statement){ &query_selection_get, params };
}

static enum step
selection_show(struct request *rq, const char *id)
{
	const struct statement view = selection_view(rq, id);

	return request_queries(rq, LANE_READ, &view, 1);
}

static enum step
selection_effect(struct request *rq, enum lane lane, const char *id, const struct query *query, const char *const *params)
{
	const struct statement view = selection_view(rq, id);

	idempotency_answer_from(rq, view.query, view.params);
	return request_effect(rq, lane, query, params);
}

static enum step
selection_create(struct request *rq)
{
	struct json_object *filter = json_member(rq->body, "filter");
	const char **params = arena_take(rq->scratch, sizeof(*params) * QUERY_PARAMS_MAX);
	const char *kept = json_object_is_type(filter, json_type_object)
		? user_filter_read_object(rq, filter, "/filter", params) : NULL;
	enum step step = request_answer_faults(rq);
	int n = USER_FILTER_PARAMS;

	if (step == STEP_NEXT && !proposal_require(&rq->proposal, "users:read", "a filter tells who there is"))
		step = request_answer_refusal(rq);
	if (step == STEP_NEXT)
		step = require_invite(rq, request_text(rq, "op"));
	if (step != STEP_NEXT)
		return step;
	rq->data = params;
	rq->found_id = request_new_id(rq);
	params[n++] = rq->found_id;
	params[n++] = request_text(rq, "op");
	params[n++] = confirmation_new_code(rq);
	params[n++] = kept;
	params[n++] = USERS_MAX;
	params[n++] = PENDING_MAX;
	params[n++] = request_new_id(rq);
	params[n++] = request_actor(rq);
	return selection_effect(rq, LANE_SLOW, rq->found_id, &query_selection_create, params);
}

static enum step
selection_judge_count(struct request *rq)
{
	if (request_column_is_true(rq, "are_too_many"))
		return request_query(rq, LANE_SLOW, &query_user_count, rq->data);
	if (request_column_is_true(rq, "is_full"))
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			"20 selections wait for their number already: confirm one, or wait until their ten minutes have passed.");
	return selection_show(rq, rq->found_id);
}

static enum step
selection_reply_created(struct request *rq)
{
	if (PQfnumber(rq->result, "total") < 0)
		return reply_created(rq);
	request_fault(rq, "/filter", "too_long",
		arena_printf(rq->scratch, "The filter chooses %s users; at most " USERS_MAX " go into one selection.", request_column(rq, "total")));
	return request_answer_faults(rq);
}

request_step *const selection_create_steps[] = { selection_create, selection_judge_count, selection_reply_created, NULL };

/* ---- Confirming it. */

static enum step
selection_find(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_selection_find,
		(const char *const[]){ rq->org_id, rq->path_values[0], request_actor_kind(rq), rq->caller.id });
}

static enum step
selection_try(struct request *rq)
{
	enum step step;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	step = require_invite(rq, request_column(rq, "op"));
	if (step != STEP_NEXT)
		return step;
	return selection_effect(rq, LANE_WRITE, rq->path_values[0], &query_selection_try,
		(const char *const[]){ rq->org_id, rq->path_values[0], request_actor_kind(rq), rq->caller.id,
			request_text(rq, "code"), request_new_id(rq), request_actor(rq) });
}

static enum step
selection_judge(struct request *rq)
{
	const enum step step = confirmation_judge(rq, rq->result, PROBLEM_SELECTION_DEAD);

	return step == STEP_NEXT ? selection_show(rq, rq->path_values[0]) : step;
}

request_step *const selection_confirm_steps[] = { selection_find, selection_try, selection_judge, reply_accepted, NULL };

/* ---- Looking at it. */

static enum step
selection_get(struct request *rq)
{
	return selection_show(rq, rq->path_values[0]);
}

request_step *const selection_get_steps[] = { selection_get, reply_ok, NULL };

const char *const selection_user_parameters[] = { "limit", "cursor", "count", "status", NULL };

static enum step
selection_users(struct request *rq)
{
	const char *outcome = request_parameter(rq, "status");
	struct page_wish *page = list_begin(rq, 'u', false);

	page->id_column = "user_id";
	if (outcome != NULL && strcmp(outcome, "done") != 0 && strcmp(outcome, "failed") != 0 && strcmp(outcome, "open") != 0)
		request_parameter_fault(rq, "status", "invalid", "done, failed or open.");
	return list_ask_of_one(rq, LANE_SLOW, (const struct statement[]){
		{ &query_selection_user_list, (const char *const[]){ rq->org_id, rq->path_values[0], outcome, page->after_id, page->limit_text } },
		{ &query_selection_user_count, (const char *const[]){ rq->org_id, rq->path_values[0], outcome, page->wants_count_text } },
	});
}

request_step *const selection_users_steps[] = { selection_users, list_reply_of_one, NULL };
