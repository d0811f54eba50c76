/*
 * Who asks. One query compares token, epoch, status and expiry at once and brings the
 * permissions; nothing is remembered between requests, so "out" means out at the
 * next one (DESIGN.md §4).
 *
 * A session token or a key comes as Authorization: Bearer; the console's session comes
 * as a cookie, and then unsafe methods need an Origin of this site. A key that is used
 * from outside of its networks is refused like one that nobody has; who owns it is told.
 */
#include "authenticate.h"

#include <string.h>
#include <strings.h>

#include "client_text.h"
#include "config.h"
#include "encode.h"
#include "language.h"
#include "limit.h"
#include "log.h"
#include "route.h"

/* A longer address to come back to is left out: what it becomes must fit into the
 * buffers that proxies have for a head. */
#define FORWARDED_URI_MAX 1024

static const enum caller_kind caller_kinds[] = {
	[BEARER_SESSION] = CALLER_USER, [BEARER_API_KEY] = CALLER_API_KEY, [BEARER_OPERATOR_KEY] = CALLER_OPERATOR,
};

static const char *const id_columns[] = {
	[CALLER_USER] = "user_id", [CALLER_API_KEY] = "api_key_id", [CALLER_OPERATOR] = "operator_key_id",
};

/* The value of our cookie; NULL without one. */
static const char *
cookie_token(struct request *rq)
{
	const char *header = http_header(rq->exchange, "Cookie");
	size_t length = 0;
	const char *value = header != NULL ? cookie_find(header, SESSION_COOKIE, &length) : NULL;

	return value != NULL ? arena_copy_n(rq->scratch, value, length) : NULL;
}

static const char *
bearer_token(struct request *rq)
{
	const char *header = http_header(rq->exchange, "Authorization");

	if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
		return NULL;
	return header + 7 + strspn(header + 7, " ");
}

bool
authenticate_is_same_origin(struct request *rq)
{
	const char *origin = http_header(rq->exchange, "Origin");

	return origin != NULL && strcasecmp(origin, rq->server->config->public_origin) == 0;
}

/* For a proxy to send a browser to: the page, and the way back to what was asked for. The
 * page goes to paths of its own site alone, whatever is claimed here. */
static void
tell_sign_in(struct request *rq)
{
	const char *wanted = http_header(rq->exchange, "X-Forwarded-Uri");
	const char *site = rq->server->config->public_url;

	if (wanted == NULL || wanted[0] != '/' || wanted[1] == '/' || strlen(wanted) > FORWARDED_URI_MAX) {
		request_header(rq, "X-Rollcall-Sign-In", arena_printf(rq->scratch, "%s/sign-in", site));
		return;
	}
	char *next = arena_take(rq->scratch, PERCENT_SIZE(strlen(wanted)));
	percent_encode(wanted, next);
	request_header(rq, "X-Rollcall-Sign-In", arena_printf(rq->scratch, "%s/sign-in?next=%s", site, next));
}

/* Whoever guesses counts as the stranger that he is. */
static enum step
refuse(struct request *rq, enum problem problem)
{
	enum step step = limit_stranger(rq);

	if (step != STEP_NEXT)
		return step;
	if (problem == PROBLEM_UNAUTHENTICATED)
		request_header(rq, "WWW-Authenticate", "Bearer realm=\"rollcall\"");
	if (rq->route->ignores_input && rq->exchange != NULL)
		tell_sign_in(rq);
	return request_problem(rq, problem);
}

static bool
is_safe(const struct request *rq)
{
	return (http_method_of(rq->exchange) & (HTTP_GET | HTTP_HEAD)) != 0;
}

/* Asks for the owner of a token that is well-formed. */
static enum step
ask(struct request *rq, enum bearer_kind kind, const struct uuid *owner_id, const char *token)
{
	char *owner = arena_take(rq->scratch, UUID_TEXT_SIZE), *hash = arena_take(rq->scratch, TOKEN_HASH_SIZE);

	uuid_format(owner_id, owner);
	token_hash(token, hash);
	rq->caller.token_hash = hash;
	const enum step step = limit_guesses(rq);
	if (step != STEP_NEXT)
		return step;
	rq->caller.kind = caller_kinds[kind];
	if (kind == BEARER_OPERATOR_KEY)
		return request_query(rq, LANE_READ, &query_operator_key_authenticate, (const char *const[]){ hash, rq->ip });
	rq->org_id = owner;
	if (kind == BEARER_SESSION)
		return request_query(rq, LANE_READ, &query_session_authenticate, (const char *const[]){ owner, hash });
	return request_query(rq, LANE_READ, &query_api_key_authenticate, (const char *const[]){ owner, hash, rq->ip });
}

enum step
authenticate_ask(struct request *rq)
{
	enum bearer_kind kind;
	struct uuid owner_id;
	const char *token;

	if (rq->route->access == ACCESS_PUBLIC || rq->route->access == ACCESS_ANONYMOUS)
		return STEP_NEXT;
	token = bearer_token(rq);
	if (token == NULL) {
		token = cookie_token(rq);
		rq->caller.by_cookie = token != NULL;
	}
	if (token == NULL || !bearer_token_parse(token, &kind, &owner_id)
		|| (rq->caller.by_cookie && kind != BEARER_SESSION))
		return refuse(rq, PROBLEM_UNAUTHENTICATED);
	if (rq->caller.by_cookie && !is_safe(rq) && !authenticate_is_same_origin(rq))
		return refuse(rq, PROBLEM_ORIGIN_REFUSED);
	return ask(rq, kind, &owner_id, token);
}

/* Moves "last seen", at most once a minute, without anybody waiting for it. */
static void
touch(struct request *rq)
{
	const struct caller *caller = &rq->caller;

	if (!request_column_is_true(rq, "stale"))
		return;
	if (caller->kind == CALLER_USER)
		request_query_aside(rq, &query_session_touch,
			(const char *const[]){ rq->org_id, caller->id, caller->token_hash });
	else if (caller->kind == CALLER_API_KEY)
		request_query_aside(rq, &query_api_key_touch, (const char *const[]){ rq->org_id, caller->token_hash, rq->ip });
	else
		request_query_aside(rq, &query_operator_key_touch, (const char *const[]){ caller->token_hash, rq->ip });
}

/* The right key from the wrong place: somebody may have found it. The caller hears what
 * everybody hears; the audit and the log say more, at most once a minute. */
static enum step
refuse_elsewhere(struct request *rq)
{
	const struct caller *caller = &rq->caller;

	if (!request_column_is_true(rq, "refusal_is_news"))
		return refuse(rq, PROBLEM_UNAUTHENTICATED);
	log_warn("refused a key that was used from outside of its networks", "kind",
		caller->kind == CALLER_API_KEY ? "api_key" : "operator", "key_id", caller->id, "request_id", rq->id, NULL);
	if (caller->kind == CALLER_API_KEY)
		request_query_aside(rq, &query_api_key_refuse,
			(const char *const[]){ rq->org_id, caller->id, request_new_id(rq), request_actor(rq) });
	else
		request_query_aside(rq, &query_operator_key_refuse, (const char *const[]){ caller->id });
	return refuse(rq, PROBLEM_UNAUTHENTICATED);
}

/* His own, what his client asks for, or the organization's. */
static const char *
language_of_caller(struct request *rq)
{
	const char *own = request_column(rq, "locale");
	const char *asked = own == NULL && rq->exchange != NULL
		? language_accepted(http_header(rq->exchange, "Accept-Language")) : NULL;

	if (own == NULL && asked != NULL)
		return asked;
	return arena_copy(rq->scratch, own != NULL ? own : request_column(rq, "organization_locale"));
}

enum step
authenticate_take(struct request *rq)
{
	struct caller *caller = &rq->caller;

	if (caller->kind == CALLER_NOBODY)
		return STEP_NEXT;
	if (request_rows(rq, 0) == 0) {
		limit_guess_was_wrong(rq);
		return refuse(rq, PROBLEM_UNAUTHENTICATED);
	}
	caller->id = arena_copy(rq->scratch, request_column(rq, id_columns[caller->kind]));
	if (caller->kind != CALLER_USER && !request_column_is_true(rq, "is_from_its_networks")) {
		limit_guess_was_wrong(rq);
		return refuse_elsewhere(rq);
	}
	limit_remember(rq, caller->token_hash);
	if (caller->kind != CALLER_OPERATOR)
		caller->admin_epoch = arena_copy(rq->scratch, request_column(rq, "admin_epoch"));
	caller->permissions = permission_set_parse(rq->scratch, request_column(rq, "permissions"));
	if (caller->kind == CALLER_USER) {
		const char *role_id = request_column(rq, "role_id");
		caller->session_id = arena_copy(rq->scratch, request_column(rq, "session_id"));
		caller->role_id = role_id != NULL ? arena_copy(rq->scratch, role_id) : NULL;
	}
	caller->language = language_of_caller(rq);
	touch(rq);
	return STEP_NEXT;
}

enum step
authenticate_refuse(struct request *rq)
{
	return refuse(rq, PROBLEM_UNAUTHENTICATED);
}
