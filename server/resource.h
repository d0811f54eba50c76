/*
 * resource: the small things that an organization keeps in lists: positions, groups,
 * roles, departments, fields. Each has a name, a version and the same five routes.
 *
 * A resource is its queries. Whoever has nothing to add uses the lists of steps below;
 * who has puts a step of his own between them, most often before resource_create,
 * resource_edit or resource_remove. Queries take:
 *
 *     list    (org_id, search, after_key, after_id, limit, [language])   sorted by name; cursor_key, id
 *     count   (org_id, search)
 *     get     (org_id, id, [language])
 *     create  (org_id, id, body, audit_id, actor, changes)
 *     edit    (org_id, id, version, patch, audit_id, actor, changes)   versioned
 *     remove  (org_id, id, version, audit_id, actor)                   versioned
 *
 * `body` and `patch` are the request's, as jsonb; `changes` is what the audit tells.
 */
#ifndef ROLLCALL_RESOURCE_H
#define ROLLCALL_RESOURCE_H

#include "request.h"

struct resource {
	const char *path;		/* "/v1/positions": for Location */
	const struct query *list, *count, *get, *create, *edit, *remove;
};

/* What the steps know of the one object; in rq->data from resource_take or
 * resource_create on. Whoever needs more puts it first in a struct of his own. */
struct resource_case {
	const char *id;
	const char *version;		/* NULL while it is made */
	const char *before;		/* the object as JSON text; NULL while it is made */
};

/* The statement that reads one as the caller sees it. */
struct statement resource_statement_get(struct request *rq, const char *id);

extern const char *const resource_list_parameters[];	/* limit, cursor, count, q */

/* GET of the one in the path; ends in reply_ok. */
enum step resource_get(struct request *rq);
/* 404 without it (422 where the body has faults, too), 412 when If-Match names another version; fills rq->data, unless a step
 * before has put its own struct there, whose first member is the struct resource_case. */
enum step resource_take(struct request *rq);
/* Write, and read it again as the last result. A patch that changes nothing writes
 * nothing. */
enum step resource_create(struct request *rq);
enum step resource_remove(struct request *rq);
enum step resource_reply_created(struct request *rq);

extern request_step *const resource_list_steps[];
extern request_step *const resource_get_steps[];
extern request_step *const resource_create_steps[];
extern request_step *const resource_edit_steps[];
extern request_step *const resource_remove_steps[];

#endif
