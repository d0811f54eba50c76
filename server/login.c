/*
 * Signing in, and asking for a reset link.
 *
 * A login is a guess (guess.h) at somebody found by address or username, and then, if it
 * was right and lifecycle lets him in, a session. Unknown, locked, inactive and wrong
 * answer alike after the same work: every login touches its throttle and makes one hash.
 */
#include <string.h>

#include "authenticate.h"
#include "config.h"
#include "guess.h"
#include "limit.h"
#include "organizations.h"
#include "reply.h"
#include "sessions.h"
#include "user_steps.h"

const struct body_field login_fields[] = {
	{ "organization", BODY_TEXT, .is_nullable = true },
	{ "login", BODY_TEXT, .is_required = true, .max = 254 },
	{ "password", BODY_PASSWORD, .is_required = true },
	{ 0 },
};

const char *const login_parameters[] = { "transport", NULL };

const struct body_field reset_request_fields[] = {
	{ "organization", BODY_TEXT, .is_nullable = true },
	{ "login", BODY_TEXT, .is_required = true, .max = 254 },
	{ 0 },
};

#define USER_AGENT_MAX 256

struct login_case {
	struct guess guess;		/* first, as guess.h wants it */
	char digest[TOKEN_HASH_SIZE];	/* of the name */
	bool is_known;
	bool must_reset;
	char session_id[UUID_TEXT_SIZE];
	char token[BEARER_TOKEN_SIZE];
	char token_hash[TOKEN_HASH_SIZE];
};

static enum step
login_check_transport(struct request *rq)
{
	const char *transport = request_parameter(rq, "transport");

	if (transport == NULL)
		return STEP_NEXT;
	if (strcmp(transport, "cookie") != 0) {
		rq->faults_in_query = true;
		request_fault(rq, "transport", "invalid", "cookie, or leave it out.");
		return request_answer_faults(rq);
	}
	if (!authenticate_is_same_origin(rq))
		return request_problem(rq, PROBLEM_ORIGIN_REFUSED);
	rq->caller.by_cookie = true;
	return STEP_NEXT;
}

static enum step
login_find(struct request *rq)
{
	struct login_case *login = arena_take(rq->scratch, sizeof(*login));
	const char *name = request_text(rq, "login");
	struct uuid org_id;

	rq->data = login;
	if (!uuid_parse(rq->org_id, &org_id))
		return request_problem(rq, PROBLEM_INTERNAL);
	login_digest(rq->server->config->keyring, &org_id, name, login->digest);
	/* An address has an @, a username never has. */
	return request_query(rq, LANE_READ,
		strchr(name, '@') != NULL ? &query_login_find_by_email : &query_login_find_by_username,
		(const char *const[]){ rq->org_id, name, login->digest });
}

/* A name that the policy does not take as a login is nobody's. */
static bool
policy_takes(const struct policy *policy, const char *name)
{
	const bool is_email = strchr(name, '@') != NULL;

	return policy->login_identifier == LOGIN_BY_EITHER
		|| is_email == (policy->login_identifier == LOGIN_BY_EMAIL);
}

static void
login_read(struct request *rq, struct login_case *login)
{
	subject_from_row(&login->guess.the.subject, rq->scratch, rq->result, 0);
	login->is_known = request_column_is_true(rq, "is_known");
	login->must_reset = request_column_is_true(rq, "must_reset");
}

static enum step
login_refuse(struct request *rq)
{
	return request_problem(rq, PROBLEM_LOGIN_FAILED);
}

static enum step
login_take(struct request *rq)
{
	static request_step *const refusal[] = { login_refuse, NULL };
	struct login_case *login = rq->data;
	const char *name = request_text(rq, "login"), *hash = request_column(rq, "password_hash");

	login_read(rq, login);
	const bool is_his = login->is_known && policy_takes(&login->guess.the.subject.policy, name);
	guess_begin(rq, is_his && hash != NULL ? arena_copy(rq->scratch, hash) : NULL, name, request_text(rq, "password"),
		refusal);
	return guess_admit(rq, rq->result);
}

/* Why a right password does not let him in is nobody's business either. */
static enum step
login_admit(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = user_case(rq);

	if (!login->must_reset
		&& lifecycle_decide(&the->subject.policy, &the->subject.state, EVENT_LOGIN, &the->transition))
		return STEP_NEXT;
	guess_forget(rq);
	return request_problem(rq, login->must_reset ? PROBLEM_PASSWORD_RESET_REQUIRED : PROBLEM_LOGIN_FAILED);
}

static void
make_token(struct request *rq, struct login_case *login)
{
	struct uuid org_id;

	if (uuid_parse(rq->org_id, &org_id))
		bearer_token_make(BEARER_SESSION, &org_id, login->token);
	token_hash(login->token, login->token_hash);
	uuid_make_text(login->session_id);
}

/* At most 256 bytes of it, and no half of a character. The client may have gone while
 * the hash was made; then nobody asks. */
static const char *
user_agent(struct request *rq)
{
	const char *agent = rq->exchange != NULL ? http_header(rq->exchange, "User-Agent") : NULL;
	size_t length = agent != NULL ? strnlen(agent, USER_AGENT_MAX) : 0;

	if (agent == NULL)
		return NULL;
	while (length > 0 && ((unsigned char)agent[length] & 0xc0) == 0x80)
		length--;
	return arena_copy_n(rq->scratch, agent, length);
}

/* With the first login of a pending user his activation; both or neither. */
static enum step
login_record(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = user_case(rq);
	struct statement statements[3];
	int count = 0;

	make_token(rq, login);
	if (the->transition.status_changes) {
		struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);
		rq->caller.kind = CALLER_USER;
		rq->caller.id = the->subject.id;
		the->details = (struct transition_details){ .action = "user.first_login", .logged_in = true };
		transition_batch_add(batch, &the->subject, &the->transition, &the->details);
		statements[count++] = (struct statement){ &query_user_transition,
			transition_batch_params(batch, request_actor(rq)) };
	}
	statements[count++] = (struct statement){ &query_session_create, (const char *const[]){
		rq->org_id, the->subject.id, the->subject.session_epoch, login->session_id, login->token_hash,
		rq->caller.by_cookie ? "cookie" : "bearer", rq->ip, user_agent(rq), login->guess.login_digest,
		*rq->hash->hash != '\0' ? rq->hash->hash : NULL, login->guess.stored_hash,
		the->transition.status_changes ? "true" : "false" } };
	statements[count++] = user_view(rq, the->subject.id);
	return request_queries(rq, LANE_WRITE, statements, count);
}

static void
set_cookie(struct request *rq, const char *token)
{
	request_header(rq, "Set-Cookie", arena_printf(rq->scratch,
		SESSION_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Lax", token));
}

static enum step
login_reply(struct request *rq)
{
	struct login_case *login = rq->data;
	const PGresult *user = rq->results[rq->result_count - 1];
	const PGresult *session = rq->results[rq->result_count - 2];
	struct buffer *out = &rq->reply, row = BUFFER_INIT;

	/* The first login's transition is checked by the driver; the session's row here. */
	if (PQntuples(session) == 0)
		return request_problem(rq, PROBLEM_LOGIN_FAILED);
	limit_remember(rq, login->token_hash);
	buffer_clear(out);
	reply_write_row(out, session, 0);
	out->length--;		/* reopen the object for what only this answer has */
	if (rq->caller.by_cookie)
		set_cookie(rq, login->token);
	else
		json_write_string_member(out, "token", login->token);
	json_write_name(out, "user");
	reply_write_row(&row, user, 0);
	buffer_puts(out, buffer_text(&row));
	buffer_free(&row);
	buffer_putc(out, '}');
	return request_reply(rq, 201, "application/json");
}

request_step *const login_steps[] = {
	login_check_transport, request_reserve_hash, organization_ask, organization_take, login_find, login_take,
	guess_count, guess_check, guess_judge, login_admit, login_record, login_reply, NULL
};

/* "Forgot password": the answer is the same whatever is the case. */

/* For a name that nobody has, or that may not be reset: the same statement about an id
 * that there is not, so that the time does not tell who is known. */
static void
pretend(struct request *rq, struct user_case *the)
{
	const struct user_state anybody = { .status = STATUS_ACTIVE, .has_email = true, .has_password = true };
	struct policy policy;
	char *id = arena_take(rq->scratch, UUID_TEXT_SIZE);

	uuid_make_text(id);
	policy_set_defaults(&policy);
	the->subject = (struct subject){ .id = id };
	(void)lifecycle_decide(&policy, &anybody, EVENT_REQUEST_RESET, &the->transition);
}

/* Nobody is told whether something came of it, so nothing is decided again: the time would
 * tell. What has changed since he was found, the guard sees. */
static enum step
reset_request_record(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = user_case(rq);
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);

	/* Any name of his will do here, whichever he signs in with: the link goes to his address. */
	login_read(rq, login);
	if (!login->is_known
		|| !lifecycle_decide(&the->subject.policy, &the->subject.state, EVENT_REQUEST_RESET, &the->transition))
		pretend(rq, the);
	the->details = (struct transition_details){ .action = "user.reset_requested", .ignores_version = true,
		.guard = "reset", .guard_count = RESETS_PER_HOUR };
	transition_batch_add(batch, &the->subject, &the->transition, &the->details);
	return request_try_queries(rq, LANE_WRITE, (const struct statement[]){
		{ &query_login_take_turn, (const char *const[]){ rq->org_id, login->digest } },
		{ &query_user_transition, transition_batch_params(batch, request_actor(rq)) },
		{ &query_login_wait_for_disk, (const char *const[]){ rq->org_id } } }, 3);
}

static enum step
reset_request_reply(struct request *rq)
{
	return request_reply_empty(rq, 202);
}

request_step *const reset_request_steps[] = {
	organization_ask, organization_take, login_find, reset_request_record, reset_request_reply, NULL
};
