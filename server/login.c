/*
 * Signing in (DESIGN.md §4, Guesses and The delay), and asking for a reset link.
 *
 * The order is what makes a thousand parallel guesses get exactly ten checked: a place
 * in the hashing queue, then the count in the database, then the hash, then the
 * verdict. Unknown, locked, inactive and wrong answer alike after the same work: every
 * login touches its throttle and makes one hash.
 */
#include <string.h>

#include "authenticate.h"
#include "config.h"
#include "organizations.h"
#include "reply.h"
#include "sessions.h"
#include "shared_page.h"
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
	struct user_case the;		/* first: user_case(rq) works here too */
	char login_digest[TOKEN_HASH_SIZE];
	bool is_known;
	const char *stored_hash;	/* NULL: nothing to guess */
	bool must_reset;
	bool is_lockable;		/* a lock can follow: no delay */
	bool counts_as_check;
	int guesses;			/* with this one, where it is lockable */
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
	login_digest(rq->server->config->keyring, &org_id, name, login->login_digest);
	/* An address has an @, a username never has. */
	return request_query(rq, LANE_READ,
		strchr(name, '@') != NULL ? &query_login_find_by_email : &query_login_find_by_username,
		(const char *const[]){ rq->org_id, name, login->login_digest });
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
	struct subject *subject = &login->the.subject;
	const char *hash = request_column(rq, "password_hash");

	subject_from_row(subject, rq->scratch, rq->result, 0);
	login->is_known = request_column_is_true(rq, "is_known")
		&& policy_takes(&subject->policy, request_text(rq, "login"));
	login->stored_hash = login->is_known && hash != NULL ? arena_copy(rq->scratch, hash) : NULL;
	login->must_reset = request_column_is_true(rq, "must_reset");
	login->the.resets_this_hour = row_int(rq->result, 0, "resets_this_hour");
}

static enum step
login_take(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = &login->the;
	struct transition lock;

	login_read(rq, login);
	/* Whether the guess at the threshold would lock him: lifecycle says. */
	login->is_lockable = login->stored_hash != NULL
		&& lifecycle_decide(&the->subject.policy, &the->subject.state, EVENT_WRONG_PASSWORD, &lock);
	long blocked_s = row_int(rq->result, 0, "blocked_s");
	if (!login->is_lockable && blocked_s > 0)
		return request_problem_later(rq, PROBLEM_RATE_LIMITED, (int)blocked_s);
	return STEP_NEXT;
}

static enum step
login_count(struct request *rq)
{
	struct login_case *login = rq->data;
	const struct subject *subject = &login->the.subject;
	const char *threshold = arena_printf(rq->scratch, "%d", subject->policy.lockout_threshold);
	const struct statement touch = { &query_login_touch_throttle,
		(const char *const[]){ rq->org_id, login->login_digest, login->is_lockable ? "false" : "true" } };
	const struct statement count = { &query_login_count_guess,
		(const char *const[]){ rq->org_id, subject->id, threshold } };

	if (login->is_lockable)
		return request_queries(rq, LANE_WRITE, (const struct statement[]){ count, touch }, 2);
	return request_queries(rq, LANE_WRITE, &touch, 1);
}

/* A guess past the threshold is not checked: a lock is on its way, or ten right ones
 * are being checked at this moment. Either is over in a second. */
static enum step
login_verify(struct request *rq)
{
	struct login_case *login = rq->data;

	if (request_rows(rq, 0) == 0)
		return login->is_lockable ? request_problem_later(rq, PROBLEM_UNAVAILABLE, 1)
					  : request_problem_later(rq, PROBLEM_RATE_LIMITED, 2);
	if (login->is_lockable)
		login->guesses = (int)row_int(rq->result, 0, "failed_attempts");
	/* Hashes that only equalise time do not count as checks. */
	const bool may_log_in = login->stored_hash != NULL && login->the.subject.state.status != STATUS_LOCKED
		&& login->the.subject.state.status != STATUS_INACTIVE;
	if (may_log_in)
		metric_add(rq->server->page, METRIC_PASSWORD_CHECKS, 1);
	login->counts_as_check = may_log_in;
	return request_verify_password(rq, may_log_in ? login->stored_hash : NULL, request_text(rq, "password"));
}

/* The guess that came out wrong while the count stood at the threshold runs the lock.
 * Whoever else moved the user meanwhile, the guard decides on the locked row. */
static enum step
login_lock(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = &login->the;
	enum step step = STEP_NEXT;

	if (!user_decide(rq, EVENT_WRONG_PASSWORD, &step))
		return step;
	the->details = (struct transition_details){ .action = "user.locked", .guard = "lock",
		.guard_count = the->subject.policy.lockout_threshold, .ignores_version = true };
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);
	transition_batch_add(batch, &the->subject, &the->transition, &the->details);
	return request_try(rq, LANE_WRITE, &query_user_transition, transition_batch_params(batch, request_actor(rq)));
}

static enum step
login_judge(struct request *rq)
{
	struct login_case *login = rq->data;

	if (rq->hash->ok && login->counts_as_check)
		return STEP_NEXT;
	if (login->is_lockable && login->guesses >= login->the.subject.policy.lockout_threshold) {
		login->counts_as_check = false;		/* what follows the lock is the refusal */
		return login_lock(rq);
	}
	return request_problem(rq, PROBLEM_LOGIN_FAILED);
}

static enum step
login_admit(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = &login->the;

	if (!login->counts_as_check)
		return request_problem(rq, PROBLEM_LOGIN_FAILED);
	if (login->must_reset)
		return request_problem(rq, PROBLEM_PASSWORD_RESET_REQUIRED);
	/* Why a right password does not let him in is nobody's business either. */
	if (!lifecycle_decide(&the->subject.policy, &the->subject.state, EVENT_LOGIN, &the->transition))
		return request_problem(rq, PROBLEM_LOGIN_FAILED);
	return STEP_NEXT;
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
	struct user_case *the = &login->the;
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
		rq->caller.by_cookie ? "cookie" : "bearer", rq->ip,
		user_agent(rq),
		login->login_digest, *rq->hash->hash != '\0' ? rq->hash->hash : NULL, login->stored_hash,
		the->transition.status_changes ? "true" : "false" } };
	statements[count++] = (struct statement){ &query_user_get,
		(const char *const[]){ rq->org_id, the->subject.id } };
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
	login_count, login_verify, login_judge, login_admit, login_record, login_reply, NULL
};

/* "Forgot password": the answer is the same whatever is the case. */

/* Both ways write and commit, so that the time does not tell who is known. */
static enum step
reset_request_record(struct request *rq)
{
	struct login_case *login = rq->data;
	struct user_case *the = &login->the;
	struct statement statements[2] = {
		{ &query_login_remember_asking, (const char *const[]){ rq->org_id, login->login_digest } },
	};
	int count = 1;

	login_read(rq, login);
	if (login->is_known && the->resets_this_hour < RESETS_PER_HOUR
		&& lifecycle_decide(&the->subject.policy, &the->subject.state, EVENT_REQUEST_RESET, &the->transition)) {
		struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);
		the->details = (struct transition_details){ .action = "user.reset_requested" };
		transition_batch_add(batch, &the->subject, &the->transition, &the->details);
		statements[count++] = (struct statement){ &query_user_transition,
			transition_batch_params(batch, request_actor(rq)) };
	}
	return request_queries(rq, LANE_WRITE, statements, count);
}

static enum step
reset_request_reply(struct request *rq)
{
	return request_reply_empty(rq, 202);
}

request_step *const reset_request_steps[] = {
	organization_ask, organization_take, login_find, reset_request_record, reset_request_reply, NULL
};
