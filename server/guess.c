/*
 * Counting, checking and punishing one guess.
 *
 * What is always true: the database is asked the same, in the same order, whoever it is
 * about. Where there is nobody to count for or to lock, the statement names an id that
 * there is not, so that neither the time nor the load tells who is known.
 *
 * Locks are taken in one order everywhere: user, credential, throttle.
 */
#include "guess.h"

#include "config.h"
#include "shared_page.h"

/* Wrong guesses in a row that cost no delay (DESIGN.md §4, The delay). */
#define FREE_GUESSES 10

void
guess_begin(struct request *rq, struct guess *guess, const struct subject *subject, const char *stored_hash,
	const char *login)
{
	struct transition lock;
	struct uuid org_id;

	*guess = (struct guess){ .subject = subject, .stored_hash = stored_hash };
	if (uuid_parse(rq->org_id, &org_id))
		login_digest(rq->server->config->keyring, &org_id, login, guess->login_digest);
	/* Whether the guess at the threshold would lock him: lifecycle says. */
	guess->is_lockable = stored_hash != NULL
		&& lifecycle_decide(&subject->policy, &subject->state, EVENT_WRONG_PASSWORD, &lock);
	guess->counted_id = guess->is_lockable ? subject->id : request_new_id(rq);
}

enum step
guess_count(struct request *rq, struct guess *guess)
{
	const int threshold = guess->subject->policy.lockout_threshold;
	/* Where a lock comes later than the delay would, nobody is delayed before it, known or not. */
	const char *free_guesses = arena_printf(rq->scratch, "%d", threshold > FREE_GUESSES ? threshold : FREE_GUESSES);
	const struct statement count = { &query_login_count_guess, (const char *const[]){
		rq->org_id, guess->counted_id, arena_printf(rq->scratch, "%d", threshold) } };
	const struct statement touch = { &query_login_touch_throttle, (const char *const[]){
		rq->org_id, guess->login_digest, guess->is_lockable ? "false" : "true", free_guesses } };

	return request_queries(rq, LANE_WRITE, (const struct statement[]){ count, touch }, 2);
}

/* A guess past the threshold is not checked: a lock is on its way, or as many right ones
 * are being checked at this moment. Either is over in a second. */
enum step
guess_check(struct request *rq, struct guess *guess, const char *password)
{
	const enum user_status status = guess->subject->state.status;
	const int counter = guess->is_lockable ? 0 : 1;

	if (request_rows(rq, counter) == 0)
		return guess->is_lockable ? request_problem_later(rq, PROBLEM_UNAVAILABLE, 1)
					  : request_problem_later(rq, PROBLEM_RATE_LIMITED, 2);
	guess->count = (int)row_int(rq->results[counter], 0, guess->is_lockable ? "failed_attempts" : "failures");
	/* Hashes that only equalise time do not count as checks. */
	guess->is_checked = guess->stored_hash != NULL && (status == STATUS_PENDING || status == STATUS_ACTIVE);
	if (guess->is_checked)
		metric_add(rq->server->page, METRIC_PASSWORD_CHECKS, 1);
	return request_verify_password(rq, guess->is_checked ? guess->stored_hash : NULL, password);
}

bool
guess_is_right(const struct request *rq, const struct guess *guess)
{
	return rq->hash->ok && guess->is_checked;
}

/* Whether this one locks; for who cannot be locked, whether it would lock another. */
static bool
is_at_threshold(const struct guess *guess)
{
	const int threshold = guess->subject->policy.lockout_threshold;

	return threshold > 0 && (guess->is_lockable ? guess->count >= threshold : guess->count == threshold);
}

/* Whoever else moved the user meanwhile: version and guard are checked on the locked row,
 * and what is missed here the clock does (worker/deadlines.c). */
enum step
guess_lock(struct request *rq, struct guess *guess)
{
	static const struct user_state anybody = { .status = STATUS_ACTIVE, .has_email = true, .has_password = true };
	const struct subject *subject = guess->subject;
	const struct subject nobody = { .id = guess->counted_id, .version = "0" };
	const struct transition_details details = { .action = "user.locked", .guard = "lock",
		.guard_count = subject->policy.lockout_threshold };
	struct transition transition;

	if (!is_at_threshold(guess) || !lifecycle_decide(&subject->policy,
			guess->is_lockable ? &subject->state : &anybody, EVENT_WRONG_PASSWORD, &transition))
		return STEP_NEXT;
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);
	transition_batch_add(batch, guess->is_lockable ? subject : &nobody, &transition, &details);
	return guess_record(rq, batch, false);
}

enum step
guess_record(struct request *rq, struct transition_batch *batch, bool must_move)
{
	const struct statement statements[] = {
		{ &query_user_transition, transition_batch_params(batch, request_actor(rq)) },
		{ &query_login_wait_for_disk, (const char *const[]){ rq->org_id } },
	};

	return must_move ? request_queries(rq, LANE_WRITE, statements, 2)
			 : request_try_queries(rq, LANE_WRITE, statements, 2);
}

void
guess_give_back(struct request *rq, const struct guess *guess)
{
	/* The first in a row costs no statement: success forgets it, and alone it locks nobody. */
	if (guess->count > 1)
		guess_forget(rq, guess);
}

void
guess_forget(struct request *rq, const struct guess *guess)
{
	request_query_aside(rq, &query_guesses_reset, (const char *const[]){ rq->org_id, guess->subject->id });
	request_query_aside(rq, &query_login_forget_throttle, (const char *const[]){ rq->org_id, guess->login_digest });
}
