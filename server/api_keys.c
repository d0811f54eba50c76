/*
 * API keys: made, read, changed, revoked.
 *
 * What is always true: the key itself is in one answer, that which made it; nobody makes a
 * key, or touches one, that holds more than he. A key that manages keys makes none that
 * lives longer than it, or that is used from where it is not. Keys are the organization's:
 * they stay when whoever made them goes, so who is put out makes no more of them, not even
 * at that very moment. What was revoked is revoked for good; its row stays, so that what it
 * did can be told.
 */
#include "api_keys.h"

#include <string.h>

#include "authenticate.h"
#include "changes.h"
#include "list.h"
#include "reply.h"
#include "role_making.h"
#include "subject.h"
#include "text.h"

/* What a key's object says of it, and no body may. */
#define READ_ONLY_FIELDS \
	BODY_READ_ONLY_OF_OBJECT, { "hint", BODY_READ_ONLY }, { "key", BODY_READ_ONLY }, { "state", BODY_READ_ONLY }, \
	{ "revoked_at", BODY_READ_ONLY }, { "last_used_at", BODY_READ_ONLY }, { "last_used_ip", BODY_READ_ONLY }, \
	{ "last_refused_at", BODY_READ_ONLY }, { "maker", BODY_READ_ONLY }

const struct body_field api_key_create_fields[] = {
	{ "name", BODY_NAME, .is_required = true },
	{ "permissions", BODY_PERMISSIONS, .is_required = true },
	{ "expires_at", BODY_TIME, .is_nullable = true },
	{ "networks", BODY_NETWORKS, .is_nullable = true },
	READ_ONLY_FIELDS,
	{ 0 },
};

const struct body_field api_key_edit_fields[] = {
	{ "name", BODY_NAME },
	{ "permissions", BODY_PERMISSIONS },
	{ "expires_at", BODY_TIME, .is_nullable = true },
	{ "networks", BODY_NETWORKS, .is_nullable = true },
	READ_ONLY_FIELDS,
	{ 0 },
};

const char *const api_key_list_parameters[] = { "limit", "cursor", "count", "q", "state", "expires_before", NULL };

const struct resource api_keys = {
	.path = "/v1/api-keys",
	.get = &query_api_key_get, .edit = &query_api_key_edit, .remove = &query_api_key_revoke,
};

struct api_key_case {
	struct resource_case the;	/* first: the steps of resource.h work here too */
	char token[BEARER_TOKEN_SIZE];	/* of a new one */
};

/* The list: sorted by name. */

static enum step
api_key_list(struct request *rq)
{
	static const char *const states[] = { "active", "expired", "revoked", NULL };
	struct page_wish *page = list_begin(rq, 'k', true);

	const char *search = list_read_search(rq, "q"), *state = list_read_words(rq, "state", states);
	const char *expires_before = list_read_time(rq, "expires_before");
	return list_ask(rq, (const struct statement[]){
		{ &query_api_key_list, (const char *const[]){ rq->org_id, search, state, expires_before, page->after_key, page->after_id,
			page->limit_text } },
		{ &query_api_key_count, (const char *const[]){ rq->org_id, search, state, expires_before } },
	});
}

request_step *const api_key_list_steps[] = { api_key_list, list_reply, NULL };

/* What the body would make of a key. */

/* A moment that is none was named as a fault already; the query must not see it. */
static const char *
expiry_or_null(struct request *rq)
{
	const char *text = request_text(rq, "expires_at");

	return text != NULL && timestamp_is_valid(text) ? text : NULL;
}

static struct statement
judge_statement(struct request *rq, const char *of_key)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 7);

	params[0] = rq->org_id;
	params[1] = rq->caller.kind == CALLER_API_KEY ? rq->caller.id : NULL;
	params[2] = expiry_or_null(rq);
	params[3] = rq->body != NULL ? form_take_networks(&rq->proposal, "networks") : NULL;
	params[4] = of_key;
	params[5] = of_key != NULL && !request_has(rq, "expires_at") ? "true" : "false";
	params[6] = of_key != NULL && !request_has(rq, "networks") ? "true" : "false";
	return (struct statement){ &query_api_key_judge, params };
}

/* All faults, and then whether the caller may give what the body gives. */
static enum step
check_given(struct request *rq, const PGresult *judged, bool is_more)
{
	if (row_is_true(judged, 0, "is_over"))
		request_fault(rq, "/expires_at", "invalid", "This moment has passed.");
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	const struct permission_set wanted = role_take_permissions(&rq->proposal, rq->body);
	if (!permission_set_contains(&rq->caller.permissions, &wanted))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"You cannot grant permissions that you do not hold.");
	if ((is_more || request_has(rq, "expires_at")) && row_is_true(judged, 0, "outlives_caller"))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"A key that expires lets no key live longer than itself: give an earlier expires_at.");
	if ((is_more || request_has(rq, "networks")) && row_is_true(judged, 0, "is_wider_than_caller"))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"A key that is bound to networks lets no key be used from others: give networks within its own.");
	return STEP_NEXT;
}

/* Make. */

static enum step
refuse_more(struct request *rq)
{
	return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
		arena_printf(rq->scratch, "An organization has at most %d keys that are not revoked: revoke one first.", API_KEYS_MAX));
}

static enum step
api_key_create_load(struct request *rq)
{
	const struct statement judge = judge_statement(rq, NULL);

	return request_queries(rq, LANE_READ, &judge, 1);
}

static enum step
api_key_create_check(struct request *rq)
{
	const enum step step = check_given(rq, rq->results[0], true);

	if (step == STEP_NEXT && row_int(rq->results[0], 0, "standing") >= API_KEYS_MAX)
		return refuse_more(rq);
	return step;
}

static struct statement
maker_statement(struct request *rq, const struct query *query)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 4);

	params[0] = rq->org_id;
	params[1] = request_actor_kind(rq);
	params[2] = rq->caller.id;
	params[3] = rq->caller.token_hash;
	return (struct statement){ query, params };
}

static enum step
api_key_create_record(struct request *rq)
{
	struct api_key_case *the = arena_take(rq->scratch, sizeof(*the));
	char *hash = arena_take(rq->scratch, TOKEN_HASH_SIZE);
	const char *limit = arena_printf(rq->scratch, "%d", API_KEYS_MAX);
	struct uuid org_id;

	rq->data = the;
	the->the.id = request_new_id(rq);
	if (!uuid_parse(rq->org_id, &org_id))
		return request_problem(rq, PROBLEM_INTERNAL);
	bearer_token_make(BEARER_API_KEY, &org_id, the->token);
	token_hash(the->token, hash);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		maker_statement(rq, &query_api_key_hold_maker),
		{ &query_api_key_lock, (const char *const[]){ rq->org_id } },
		{ &query_api_key_create, (const char *const[]){ rq->org_id, the->the.id, hash, bearer_token_hint(the->token), limit,
			rq->caller.token_hash, changes_json(rq->scratch, rq->body), request_new_id(rq), request_actor(rq), changes_of(rq->scratch, NULL, rq->body) } },
		resource_statement_get(rq, the->the.id),
	}, 4);
}

static enum step
api_key_create_reply(struct request *rq)
{
	struct api_key_case *the = rq->data;

	if (request_rows(rq, 0) == 0)
		return authenticate_refuse(rq);
	if (request_rows(rq, 2) == 0)
		return refuse_more(rq);
	request_header(rq, "Location", arena_printf(rq->scratch, "%s/%s", api_keys.path, the->the.id));
	return reply_created_with(rq, (const struct reply_extra[]){ { "key", the->token }, { 0 } });
}

request_step *const api_key_create_steps[] = {
	api_key_create_load, api_key_create_check, api_key_create_record, api_key_create_reply, NULL
};

/* Change and revoke. */

static enum step
api_key_load(struct request *rq)
{
	return request_queries(rq, LANE_READ, (const struct statement[]){
		resource_statement_get(rq, rq->path_values[0]), judge_statement(rq, rq->path_values[0]),
	}, 2);
}

/* It is there, it is not revoked, and it holds no more than the caller. */
static enum step
api_key_take(struct request *rq)
{
	const enum step step = resource_take(rq);

	if (step != STEP_NEXT)
		return step;
	if (strcmp(request_column(rq, "state"), "revoked") == 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "This key is revoked, and stays so: make another one.");
	const struct permission_set held = permission_set_parse(rq->scratch, request_column(rq, "permissions"));
	if (!permission_set_contains(&rq->caller.permissions, &held))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"This key holds permissions that you do not hold.");
	return STEP_NEXT;
}

/* Words that it lacks are worth what a new key is worth: as long, and from where it may be used. */
static bool
gives_more(struct request *rq)
{
	if (rq->fault_count > 0 || !request_has(rq, "permissions"))
		return false;
	const struct permission_set held = permission_set_parse(rq->scratch, request_column(rq, "permissions"));
	const struct permission_set wanted = role_take_permissions(&rq->proposal, rq->body);

	return !permission_set_contains(&held, &wanted);
}

static enum step
api_key_edit_check(struct request *rq)
{
	return check_given(rq, rq->results[1], gives_more(rq));
}

static enum step
api_key_edit_record(struct request *rq)
{
	const struct resource_case *the = rq->data;
	const struct statement get = resource_statement_get(rq, the->id);
	const char *changes = changes_of(rq->scratch, the->before, rq->body);

	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_READ, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		maker_statement(rq, &query_api_key_require_maker),
		{ &query_api_key_edit, (const char *const[]){ rq->org_id, the->id, the->version, changes_json(rq->scratch, rq->body), request_new_id(rq),
			request_actor(rq), changes } },
		get,
	}, 3);
}

request_step *const api_key_edit_steps[] = { api_key_load, api_key_take, api_key_edit_check, api_key_edit_record, reply_ok, NULL };

request_step *const api_key_remove_steps[] = { api_key_load, api_key_take, resource_remove, reply_no_content, NULL };
