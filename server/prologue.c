/*
 * What every request goes through, in this order: a name, a route, the rate limit of
 * those without credentials, who asks, his rate limit, whether he may, what he sent, and
 * whether it was done before.
 *
 * Authentication comes before the body is looked at: a stranger learns nothing about
 * what an object should look like, and 401 comes before 422.
 */
#include "prologue.h"

#include <string.h>

#include "authenticate.h"
#include "client_address.h"
#include "client_text.h"
#include "config.h"
#include "entity_tag.h"
#include "idempotency.h"
#include "limit.h"
#include "pages.h"
#include "route.h"
#include "shared_page.h"

/* The greatest thing that an anonymous request carries is a link and a password. */
#define ANONYMOUS_BODY_MAX (64 * 1024)

/* A request id that may go into logs and headers as it is. */
static bool
is_request_id(const char *text)
{
	size_t length = strlen(text);

	return length >= 1 && length <= 128
		&& strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=@~") == length;
}

static enum step
identify(struct request *rq)
{
	const char *peer = http_peer(rq->exchange);
	const char *given = http_header(rq->exchange, "X-Request-Id"), *forwarded = http_header(rq->exchange, "X-Forwarded-For");
	const bool is_trusted = config_trusts(rq->server->config, peer);
	char *address = arena_take(rq->scratch, INET6_ADDRSTRLEN);

	client_address_find(rq->server->config, peer, forwarded, address);
	rq->ip = address;
	if (forwarded != NULL && !is_trusted)
		metric_add(rq->server->page, METRIC_FORWARDED_UNTRUSTED, 1);
	if (given != NULL && is_trusted && is_request_id(given))
		rq->id = arena_copy(rq->scratch, given);
	else
		rq->id = request_new_id(rq);
	return STEP_NEXT;
}

static enum step
refuse_method(struct request *rq, unsigned allowed)
{
	static const struct { unsigned bit; const char *name; } names[] = {
		{ HTTP_GET, "GET" }, { HTTP_GET, "HEAD" }, { HTTP_POST, "POST" }, { HTTP_PUT, "PUT" },
		{ HTTP_PATCH, "PATCH" }, { HTTP_DELETE, "DELETE" },
	};
	struct buffer allow = BUFFER_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((allowed & names[i].bit) != 0)
			buffer_printf(&allow, "%s%s", allow.length > 0 ? ", " : "", names[i].name);
	}
	request_header(rq, "Allow", buffer_text(&allow));
	buffer_free(&allow);
	return request_problem(rq, PROBLEM_METHOD_NOT_ALLOWED);
}

/* Outside of the API somebody has mistyped an address: he gets a page. */
static bool
is_for_people(const struct request *rq)
{
	const char *path = http_path(rq->exchange);

	return (http_method_of(rq->exchange) & (HTTP_GET | HTTP_HEAD)) != 0
		&& strcmp(path, "/v1") != 0 && strncmp(path, "/v1/", 4) != 0;
}

static enum step
find_route(struct request *rq)
{
	struct route_match *match = arena_take(rq->scratch, sizeof(*match));

	router_find(http_method_of(rq->exchange), http_path(rq->exchange), match);
	/* An encoded slash divides nothing: whoever keeps a path from strangers in front of us
	 * knows it by its own slashes. */
	if ((match->route != NULL || match->allowed != 0) && !http_path_is_plain(rq->exchange, match->plain_length))
		*match = (struct route_match){ 0 };
	rq->route = match->route;
	rq->steps = match->route != NULL ? match->route->steps : NULL;
	for (int i = 0; i < ROUTE_PARAMS_MAX; i++)
		rq->path_values[i] = arena_copy_n(rq->scratch, match->values[i].text, match->values[i].length);
	if (match->route != NULL)
		return STEP_NEXT;
	if (match->allowed == 0 && is_for_people(rq))
		return page_not_found(rq);
	return match->allowed != 0 ? refuse_method(rq, match->allowed) : request_problem(rq, PROBLEM_NOT_FOUND);
}

/* evhttp has read it by now, up to HTTP_BODY_MAX; but nobody parses what a stranger
 * sends in excess, or hashes a password of a megabyte for him. */
static enum step
limit_body(struct request *rq)
{
	size_t length;

	if (rq->route->access != ACCESS_ANONYMOUS)
		return STEP_NEXT;
	(void)http_body(rq->exchange, &length);
	return length <= ANONYMOUS_BODY_MAX ? STEP_NEXT : request_problem(rq, PROBLEM_BODY_TOO_LARGE);
}

/* Authentication waited for the database. Whoever has gone meanwhile asks for nothing
 * any more; the steps behind this one read his request. */
static enum step
stop_if_gone(struct request *rq)
{
	return rq->exchange != NULL ? STEP_NEXT : request_reply_empty(rq, 499);
}

/* An operator's key opens its own routes, and they open to nothing else; the organization is
 * the path's, where that names one. A proxy that asks who somebody is (auth/verify) hears
 * that he is nobody. */
static enum step
authorize_operator(struct request *rq)
{
	const bool is_operator = rq->caller.kind == CALLER_OPERATOR;

	if (is_operator == (rq->route->access == ACCESS_OPERATOR)) {
		if (is_operator && *rq->path_values[0] != '\0')
			rq->org_id = rq->path_values[0];
		return STEP_NEXT;
	}
	if (rq->route->ignores_input)
		return authenticate_refuse(rq);
	return request_problem_detail(rq, PROBLEM_PERMISSION_MISSING, NULL,
		is_operator ? "An operator's key belongs to no organization; it is for /v1/organizations alone."
			    : "This needs an operator's key.");
}

static enum step
authorize(struct request *rq)
{
	const struct route *route = rq->route;

	if (route->access == ACCESS_USER && rq->caller.kind != CALLER_USER)
		return request_problem_detail(rq, PROBLEM_PERMISSION_MISSING, NULL,
			"This is for users who are signed in; an API key has no account of its own.");
	const char *needed[] = { route->permission, route->permission_too };
	for (size_t i = 0; i < 2; i++) {
		if (needed[i] != NULL && !request_permits(rq, needed[i]))
			return request_problem_detail(rq, PROBLEM_PERMISSION_MISSING, NULL,
				arena_printf(rq->scratch, "This needs the permission %s.", needed[i]));
	}
	return STEP_NEXT;
}

static void
tell_query_fault(void *context, enum query_fault fault, const char *name)
{
	static const char *const details[] = {
		[QUERY_ENCODING] = "A name or value is not valid URL-encoded UTF-8.",
		[QUERY_UNKNOWN] = "There is no such parameter here.",
		[QUERY_TWICE] = "The parameter was given twice.",
	};

	request_fault(context, name, fault == QUERY_UNKNOWN ? "unknown_field" : "invalid", details[fault]);
}

static enum step
check_query(struct request *rq)
{
	const char *query = http_query(rq->exchange);
	int count = 0;

	while (rq->route->query != NULL && rq->route->query[count] != NULL)
		count++;
	const char **values = arena_take(rq->scratch, sizeof(*values) * (size_t)(count + 1));
	rq->parameters = (struct parameters){ rq->route->query, values, NULL };
	/* Pages take parameters of their own, which their scripts read. */
	if (query == NULL || *query == '\0' || rq->route->access == ACCESS_PUBLIC || rq->route->ignores_input)
		return STEP_NEXT;
	rq->faults_in_query = true;
	query_string_read(arena_copy(rq->scratch, query), rq->route->query, values, tell_query_fault, rq);
	rq->faults_in_query = rq->fault_count > 0;
	/* Whoever reads parameters to find something may find more that is wrong, and answers it all at once. */
	return rq->route->query != NULL && rq->route->method == HTTP_GET ? STEP_NEXT : request_answer_faults(rq);
}

/* What a change is bound to (RFC 9110 §13.1): If-Match to a version that was read, or a photo's hash,
 * or one of several; If-None-Match: * to that nothing is there, or nothing that it names. Where a
 * change is not about one object it means nothing. A GET is answered as things are: of an object the
 * version does not tell all that is shown of it (a login, a delivery, the name of a role), so nobody
 * is told that he has it already; of photos and files, whose tag is of all their bytes, he is. */
static enum step
read_preconditions(struct request *rq)
{
	const char *match = http_header(rq->exchange, "If-Match");

	if (rq->route->ignores_input || rq->route->method == HTTP_GET)
		return STEP_NEXT;
	rq->if_none_match = request_known_tags(rq);
	if (rq->if_none_match == NULL && http_header(rq->exchange, "If-None-Match") != NULL)
		return request_problem_detail(rq, PROBLEM_VERSION_MISMATCH, NULL,
			"If-None-Match must be * or ETags of what there should not be, as they came.");
	if (match == NULL)
		return STEP_NEXT;
	char *tags = arena_take(rq->scratch, strlen(match) + 1);
	if (!entity_tags_read(match, false, tags))
		return request_problem_detail(rq, PROBLEM_VERSION_MISMATCH, NULL,
			"If-Match must be the ETag that came with the object, as it came: a weak one is never the same.");
	rq->if_match = tags;
	return STEP_NEXT;
}

static enum step
check_body(struct request *rq)
{
	if (rq->route->ignores_input)
		return STEP_NEXT;
	const enum step step = body_check(rq);

	return step != STEP_NEXT || rq->route->defers_faults || rq->faults_in_query ? step : request_answer_faults(rq);
}

request_step *const prologue_steps[] = {
	identify, find_route, limit_anonymous, limit_body,
	authenticate_ask, authenticate_take, stop_if_gone, limit_caller, authorize_operator, authorize,
	check_query, read_preconditions, idempotency_read, check_body, idempotency_ask, idempotency_take,
};
const int prologue_again = 4;	/* authenticate_ask */
const int prologue_step_count = sizeof(prologue_steps) / sizeof(prologue_steps[0]);
