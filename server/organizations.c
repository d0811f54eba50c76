/*
 * The organization: found for an anonymous request, read and changed by its own.
 *
 * Names of organizations are no secret: they stand in every link to a sign-in page. The
 * time zone says in which calendar three idle months end, so a change of it has the clock
 * compute anew who falls due when.
 */
#include "organizations.h"

#include <string.h>

#include "changes.h"
#include "reply.h"

enum step
organization_ask(struct request *rq)
{
	const char *name = request_text(rq, "organization");
	struct uuid id;
	const bool is_id = name != NULL && uuid_parse(name, &id);

	return request_query(rq, LANE_READ, &query_organization_find,
		(const char *const[]){ is_id ? NULL : name, is_id ? name : NULL });
}

enum step
organization_take(struct request *rq)
{
	if (request_rows(rq, 0) > 0) {
		rq->org_id = arena_copy(rq->scratch, request_column(rq, "id"));
		return STEP_NEXT;
	}
	if (request_text(rq, "organization") != NULL)
		request_fault(rq, "/organization", "unknown_id", "There is no organization of this name.");
	else
		request_fault(rq, "/organization", "required", "Say which organization: its short name or id.");
	return request_answer_faults(rq);
}

const struct body_field organization_edit_fields[] = {
	{ "name", BODY_NAME },
	{ "contact_email", BODY_EMAIL, .max = 254 },
	{ "locale", BODY_LOCALE },
	{ "timezone", BODY_TEXT, .max = 64 },
	{ "slug", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

static enum step
organization_get(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_organization_get, (const char *const[]){ rq->org_id });
}

static enum step
organization_load(struct request *rq)
{
	return request_query(rq, LANE_SLOW, &query_organization_load,
		(const char *const[]){ rq->org_id, request_text(rq, "timezone") });
}

static enum step
organization_record(struct request *rq)
{
	if (request_rows(rq, 0) == 0)	/* an operator's: his own is always there */
		return rq->fault_count > 0 ? request_answer_faults(rq) : request_problem(rq, PROBLEM_NOT_FOUND);
	const char *version = arena_copy(rq->scratch, request_column(rq, "version"));
	const char *changes = changes_of(rq->scratch, reply_row_text(rq, rq->result, 0), rq->body);

	const enum step step = request_check_match(rq, version);
	if (step != STEP_NEXT)
		return step;
	if (!request_column_is_true(rq, "timezone_is_known"))
		request_fault(rq, "/timezone", "invalid", "A time zone is a name like Europe/Kyiv.");
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	if (strcmp(changes, "{}") == 0)
		return organization_get(rq);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_organization_edit, (const char *const[]){ rq->org_id, version, changes_json(rq->scratch, rq->body), request_new_id(rq),
			request_actor(rq), changes } },
		{ &query_organization_get, (const char *const[]){ rq->org_id } },
	}, 2);
}

request_step *const organization_get_steps[] = { organization_get, reply_ok, NULL };
request_step *const organization_edit_steps[] = { organization_load, organization_record, reply_ok, NULL };
