/*
 * The steps that all small resources share.
 *
 * What is always true: what is written and what the audit tells come from the same body;
 * a change rests on the version that was read, and goes with its audit row or not at all.
 */
#include "resource.h"

#include <string.h>

#include "changes.h"
#include "list.h"
#include "reply.h"
#include "route.h"

const char *const resource_list_parameters[] = { "limit", "cursor", "count", "q", NULL };

static const struct resource *
resource_of(const struct request *rq)
{
	return rq->route->resource;
}

static enum step
resource_list(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'r', true);

	const char *search = list_read_search(rq, "q");
	return list_ask(rq, (const struct statement[]){
		{ resource_of(rq)->list, (const char *const[]){ rq->org_id, search, page->after_key, page->after_id, page->limit_text,
			rq->caller.language } },
		{ resource_of(rq)->count, (const char *const[]){ rq->org_id, search } },
	});
}

/* Most count the users that they have: not where everybody is authenticated. */
enum step
resource_get(struct request *rq)
{
	return request_query(rq, LANE_SLOW, resource_of(rq)->get,
		(const char *const[]){ rq->org_id, rq->path_values[0], rq->caller.language });
}

enum step
resource_take(struct request *rq)
{
	struct resource_case *the = rq->data != NULL ? rq->data : arena_take(rq->scratch, sizeof(*the));

	if (request_rows(rq, 0) == 0)
		return rq->fault_count > 0 ? request_answer_faults(rq) : request_problem(rq, PROBLEM_NOT_FOUND);
	rq->data = the;
	the->id = rq->path_values[0];
	the->version = arena_copy(rq->scratch, request_column(rq, "version"));
	the->before = reply_row_text(rq, rq->result, 0);
	return request_check_match(rq, the->version);
}

struct statement
resource_statement_get(struct request *rq, const char *id)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 3);

	params[0] = rq->org_id;
	params[1] = id;
	params[2] = rq->caller.language;
	return (struct statement){ resource_of(rq)->get, params };
}

enum step
resource_create(struct request *rq)
{
	struct resource_case *the = rq->data != NULL ? rq->data : arena_take(rq->scratch, sizeof(*the));

	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	rq->data = the;
	the->id = request_new_id(rq);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ resource_of(rq)->create, (const char *const[]){ rq->org_id, the->id, changes_json(rq->scratch, rq->body), request_new_id(rq),
			request_actor(rq), changes_of(rq->scratch, NULL, rq->body) } },
		resource_statement_get(rq, the->id),
	}, 2);
}

static enum step
resource_edit(struct request *rq)
{
	const struct resource_case *the = rq->data;
	const struct statement get = resource_statement_get(rq, the->id);

	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	const char *changes = changes_of(rq->scratch, the->before, rq->body);
	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_SLOW, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ resource_of(rq)->edit, (const char *const[]){ rq->org_id, the->id, the->version, changes_json(rq->scratch, rq->body), request_new_id(rq),
			request_actor(rq), changes } },
		get,
	}, 2);
}

enum step
resource_remove(struct request *rq)
{
	const struct resource_case *the = rq->data;

	return request_effect(rq, LANE_WRITE, resource_of(rq)->remove,
		(const char *const[]){ rq->org_id, the->id, the->version, request_new_id(rq), request_actor(rq) });
}

enum step
resource_reply_created(struct request *rq)
{
	reply_location(rq, resource_of(rq)->path);
	return reply_created(rq);
}

request_step *const resource_list_steps[] = { resource_list, list_reply, NULL };
request_step *const resource_get_steps[] = { resource_get, reply_ok, NULL };
request_step *const resource_create_steps[] = { resource_create, resource_reply_created, NULL };
request_step *const resource_edit_steps[] = { resource_get, resource_take, resource_edit, reply_ok, NULL };
request_step *const resource_remove_steps[] = { resource_get, resource_take, resource_remove, reply_no_content, NULL };
