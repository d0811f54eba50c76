/*
 * Sessions: who am I, sign out, verify for a proxy, and the sessions of a user.
 *
 * The same steps serve /v1/users/{id}/sessions and /v1/me/sessions: whose they are
 * follows from the route. Nothing about a session is remembered between requests.
 * Making one is login.c's.
 */
#include "sessions.h"

#include <string.h>

#include "authenticate.h"
#include "config.h"
#include "list.h"
#include "reply.h"
#include "route.h"
#include "user_steps.h"

/* What a proxy's headers may hold of permissions (DESIGN.md §6). */
#define VERIFY_PERMISSIONS_MAX 2048

/* The user whose sessions a route is about: {id}, or oneself. */
static const char *
owner_id(struct request *rq)
{
	return rq->route->access == ACCESS_USER ? rq->caller.id : rq->path_values[0];
}

/* The session that a route is about; "": all of them. */
static const char *
session_id(struct request *rq)
{
	return rq->path_values[rq->route->access == ACCESS_USER ? 0 : 1];
}

static enum step
read_session(struct request *rq, const char *id)
{
	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_session_get, (const char *const[]){ rq->org_id, owner_id(rq), id, rq->caller.session_id } },
		user_view(rq, owner_id(rq)),
	}, 2);
}

static enum step
session_get(struct request *rq)
{
	return read_session(rq, session_id(rq));
}

static enum step
session_current(struct request *rq)
{
	return read_session(rq, rq->caller.session_id);
}

static enum step
session_reply(struct request *rq)
{
	struct buffer *out = &rq->reply, row = BUFFER_INIT;

	if (request_rows(rq, 0) == 0 || request_rows(rq, 1) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	buffer_clear(out);
	reply_write_row(out, rq->results[0], 0);
	out->length--;		/* reopen the object */
	json_write_name(out, "user");
	reply_write_row(&row, rq->results[1], 0);
	buffer_puts(out, buffer_text(&row));
	buffer_free(&row);
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/json");
}

/* One's own that ended since it was let in is nobody's any more. */
static enum step
session_current_reply(struct request *rq)
{
	return request_rows(rq, 0) == 0 ? request_problem(rq, PROBLEM_UNAUTHENTICATED) : session_reply(rq);
}

request_step *const session_get_steps[] = { session_get, session_reply, NULL };
request_step *const session_current_steps[] = { session_current, session_current_reply, NULL };

static enum step
delete_sessions(struct request *rq, const char *session_id)
{
	return request_effect(rq, LANE_WRITE, &query_session_delete,
		(const char *const[]){ rq->org_id, owner_id(rq), session_id, request_new_id(rq), request_actor(rq) });
}

static enum step
session_sign_out(struct request *rq)
{
	return delete_sessions(rq, rq->caller.session_id);
}

static enum step
session_sign_out_reply(struct request *rq)
{
	if (rq->caller.by_cookie)
		request_header(rq, "Set-Cookie", SESSION_COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
	return reply_no_content(rq);
}

request_step *const session_sign_out_steps[] = { session_sign_out, session_sign_out_reply, NULL };

/* The role's words and one's own may be the same. */
static bool
is_repeated(const struct permission_set *set, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(set->words[i], set->words[index]) == 0)
			return true;
	}
	return false;
}

static void
permissions_header(struct request *rq)
{
	const struct permission_set *set = &rq->caller.permissions;
	struct buffer words = BUFFER_INIT;

	for (size_t i = 0; i < set->count; i++) {
		if (!is_repeated(set, i))
			buffer_printf(&words, "%s%s", words.length > 0 ? " " : "", set->words[i]);
	}
	if (words.length > VERIFY_PERMISSIONS_MAX)
		request_header(rq, "X-Rollcall-Permissions-Truncated", "true");
	else
		request_header(rq, "X-Rollcall-Permissions", buffer_text(&words));
	buffer_free(&words);
}

/* Everything was done by authentication; a proxy wants it as headers. */
static enum step
auth_verify(struct request *rq)
{
	if (rq->caller.kind == CALLER_API_KEY) {
		request_header(rq, "X-Rollcall-Key", rq->caller.id);
	} else {
		request_header(rq, "X-Rollcall-User", rq->caller.id);
		if (rq->caller.role_id != NULL)
			request_header(rq, "X-Rollcall-Role", rq->caller.role_id);
	}
	request_header(rq, "X-Rollcall-Organization", rq->org_id);
	permissions_header(rq);
	return reply_no_content(rq);
}

request_step *const auth_verify_steps[] = { auth_verify, NULL };

const char *const session_list_parameters[] = { "limit", "cursor", "count", NULL };

static enum step
session_list(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'x', false);

	return list_ask_of_one(rq, LANE_READ, (const struct statement[]){
		{ &query_session_list, (const char *const[]){ rq->org_id, owner_id(rq), page->after_id, page->limit_text, rq->caller.session_id } },
		{ &query_session_count, (const char *const[]){ rq->org_id, owner_id(rq) } },
	});
}

request_step *const session_list_steps[] = { session_list, list_reply_of_one, NULL };

/* One's own, or those of a user who holds no more than the caller. */
static enum step
session_delete_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_load, (const char *const[]){ rq->org_id, owner_id(rq) });
}

static enum step
session_delete_check(struct request *rq)
{
	return rq->route->access == ACCESS_USER ? user_take(rq) : user_take_to_change(rq);
}

static enum step
session_delete(struct request *rq)
{
	const char *id = session_id(rq);

	return delete_sessions(rq, *id != '\0' ? id : NULL);
}

static enum step
session_delete_judge(struct request *rq)
{
	if (*session_id(rq) != '\0' && request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	return STEP_NEXT;
}

request_step *const session_delete_steps[] = {
	session_delete_load, session_delete_check, session_delete, session_delete_judge, reply_no_content, NULL
};
