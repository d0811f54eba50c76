/*
 * route: one line of the API: method, path, who may, what goes in, and the steps.
 *
 * routes.c holds the table, the only place to register; router.c finds in it.
 */
#ifndef ROLLCALL_ROUTE_H
#define ROLLCALL_ROUTE_H

#include "body.h"
#include "http.h"
#include "request.h"

struct resource;

enum access {
	ACCESS_PUBLIC,		/* no credentials, no rate limit: health, pages */
	ACCESS_ANONYMOUS,	/* no credentials, limited per address */
	ACCESS_SIGNED_IN,	/* a session or an API key */
	ACCESS_USER,		/* a session: there must be a "me" */
	ACCESS_OPERATOR,	/* an operator's key, which opens nothing else */
};

struct route {
	enum http_method method;
	const char *path;		/* "/v1/users/{id}"; {id} must be a UUID, any other {name} takes any text */
	enum access access;
	const char *permission;		/* NULL: none beyond being signed in */
	const char *permission_too;	/* a second one, where the action needs both */
	const struct body_field *fields;	/* NULL: takes no body */
	const char *const *query;	/* names of parameters, NULL-ended; NULL: none */
	/* The first steps look at the database before faults are answered: all at once. */
	bool defers_faults;
	request_step *const *steps;
	/* For auth/verify: a proxy passes on the headers and the query of somebody else's
	 * request; only the credentials are ours. Who has none is told where to sign in. */
	bool ignores_input;
	bool is_unlimited;		/* counts in nobody's rate limit */
	/* The body is no JSON: rq->bytes has it as it came. With `fields` beside, what comes as
	 * JSON is checked by them and is in rq->body, and rq->bytes is NULL. */
	bool takes_bytes;
	/* A violated constraint may mean that somebody was quicker: look again, once. */
	bool rereads_on_constraint;
	/* Idempotency-Key (idempotency.h). Sent again it does no harm, or nothing is done at all. */
	bool ignores_key;
	bool shows_secret;		/* its answer is not repeated */
	bool keeps_answer;		/* no query can tell its answer again: it is kept */
	request_step *const *const *variants;	/* what its steps go on as (request_continue), NULL-ended; NULL: nothing */
	const struct resource *resource;	/* what the steps of resource.h work on */
};

extern const struct route routes[];
extern const int route_count;

struct route_match {
	const struct route *route;	/* NULL: no such path, or not with this method */
	unsigned allowed;		/* methods that this path has (enum http_method bits) */
	size_t plain_length;		/* of the path: where only an {external_id} stands behind it */
	struct {
		const char *text;	/* in the path: not ended by a NUL */
		size_t length;
	} values[ROUTE_PARAMS_MAX];
};

/* HEAD finds the route of GET. A segment that should be an id and is none finds
 * nothing: 404, like an unknown id. */
void router_find(enum http_method method, const char *path, struct route_match *match);
/* Labels for metrics: "GET /v1/users/{id}", one for each route, then one for the rest. */
const char *const *router_names(void);
/* The place of a route in `routes`; route_count for NULL. */
int router_index(const struct route *route);

#endif
