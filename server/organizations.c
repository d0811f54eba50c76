/*
 * Finds the organization of an anonymous request. Names of organizations are no
 * secret: they stand in every link to a sign-in page.
 */
#include "organizations.h"

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
