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
	guess->threshold = arena_printf(rq->scratch, "%d", subject->policy.lockout_threshold);
}

/* Over in a second: the guess at the threshold is being judged, a lock is on its way, or as many
 * right ones are being checked at this moment. */
static enum step
come_back(struct request *rq)
{
	return request_problem_later(rq, PROBLEM_UNAVAILABLE, 1);
}

/* A block at the threshold is of the guess that reached it; one behind it is the delay. */
enum step
guess_admit(struct request *rq, const struct guess *guess, const PGresult *throttle)
{
	const int threshold = guess->subject->policy.lockout_threshold;
	const int blocked_s = (int)row_int(throttle, 0, "blocked_s");

	if (blocked_s == 0)
		return STEP_NEXT;
	if (threshold > 0 && row_int(throttle, 0, "failures") == threshold)
		return come_back(rq);
	return guess->is_lockable ? STEP_NEXT : request_problem_later(rq, PROBLEM_RATE_LIMITED, blocked_s);
}

/* What guess_count's job brings. */
enum { COUNTED, TOUCHED, STANDING };

enum step
guess_count(struct request *rq, struct guess *guess)
{
	const int threshold = guess->subject->policy.lockout_threshold;
	/* Where a lock comes later than the delay would, nobody is delayed before it, known or not. */
	const char *free_guesses = arena_printf(rq->scratch, "%d", threshold > FREE_GUESSES ? threshold : FREE_GUESSES);
	const struct statement statements[] = {
		[COUNTED] = { &query_login_count_guess, (const char *const[]){
			rq->org_id, guess->counted_id, guess->threshold } },
		[TOUCHED] = { &query_login_touch_throttle, (const char *const[]){
			rq->org_id, guess->login_digest, guess->counted_id, guess->threshold, free_guesses } },
		[STANDING] = { &query_login_standing, (const char *const[]){
			rq->org_id, guess->counted_id, guess->login_digest } },
	};

	return request_queries(rq, LANE_WRITE, statements, 3);
}

/* A guess past the threshold is not checked. If the lock came meanwhile, he is as whoever is
 * locked: the name alone decides. */
enum step
guess_check(struct request *rq, struct guess *guess, const char *password)
{
	const enum user_status status = guess->subject->state.status;
	const PGresult *standing = rq->results[STANDING];
	const bool is_counted = request_rows(rq, COUNTED) > 0, is_touched = request_rows(rq, TOUCHED) > 0;
	const bool is_past = guess->is_lockable && !is_counted;

	guess->is_lockable = is_counted;
	if (is_touched)
		guess->failures = (int)row_int(rq->results[TOUCHED], 0, "failures");
	guess->count = is_counted ? (int)row_int(rq->results[COUNTED], 0, "failed_attempts") : guess->failures;
	if (is_past && !row_is_true(standing, 0, "is_locked")) {
		/* By another of his names the threshold was reached: by this one nobody is judged. */
		if (is_touched && guess->failures == guess->subject->policy.lockout_threshold)
			request_query_aside(rq, &query_login_throttle_judged,
				(const char *const[]){ rq->org_id, guess->login_digest, guess->threshold });
		return come_back(rq);
	}
	if (!is_touched) {
		const enum step refused = guess_admit(rq, guess, standing);
		/* What blocked it has gone since: it was not counted, and is not checked. */
		return refused != STEP_NEXT ? refused : come_back(rq);
	}
	/* Hashes that only equalise time do not count as checks. */
	guess->is_checked = guess->stored_hash != NULL && !is_past && (status == STATUS_PENDING || status == STATUS_ACTIVE);
	if (guess->is_checked)
		metric_add(rq->server->page, METRIC_PASSWORD_CHECKS, 1);
	return request_verify_password(rq, guess->is_checked ? guess->stored_hash : NULL, password);
}

bool
guess_is_right(const struct request *rq, const struct guess *guess)
{
	return rq->hash->ok && guess->is_checked;
}

/* Whoever else moved the user meanwhile: version and guard are checked on the locked row,
 * and what is missed here the clock does (worker/deadlines.c). */
enum step
guess_lock(struct request *rq, struct guess *guess)
{
	static const struct user_state anybody = { .status = STATUS_ACTIVE, .has_email = true, .has_password = true };
	const struct subject *subject = guess->subject;
	const int threshold = subject->policy.lockout_threshold;
	const bool locks = guess->is_lockable && guess->count >= threshold;
	const struct subject nobody = { .id = request_new_id(rq), .version = "0" };
	const struct transition_details details = { .action = "user.locked", .guard = "lock", .guard_count = threshold };
	struct transition transition;

	/* Others wait for the one that reached the threshold: it says that it is judged even where it
	 * locks nobody. */
	if (threshold == 0 || (!locks && guess->failures != threshold)
		|| !lifecycle_decide(&subject->policy, locks ? &subject->state : &anybody, EVENT_WRONG_PASSWORD, &transition))
		return STEP_NEXT;
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);
	transition_batch_add(batch, locks ? subject : &nobody, &transition, &details);
	return request_try_queries(rq, LANE_WRITE, (const struct statement[]){
		{ &query_user_transition, transition_batch_params(batch, request_actor(rq)) },
		{ &query_login_throttle_judged, (const char *const[]){ rq->org_id, guess->login_digest, guess->threshold } },
		{ &query_login_wait_for_disk, (const char *const[]){ rq->org_id } } }, 3);
}

void
guess_give_back(struct request *rq, const struct guess *guess)
{
	/* The first in a row costs no statement: success forgets it, and alone it locks nobody (where one is
	 * not enough). */
	if (guess->count > 1 || guess->subject->policy.lockout_threshold == 1)
		guess_forget(rq, guess);
}

void
guess_forget(struct request *rq, const struct guess *guess)
{
	request_query_aside(rq, &query_guesses_reset, (const char *const[]){ rq->org_id, guess->subject->id });
	request_query_aside(rq, &query_login_forget_throttle, (const char *const[]){ rq->org_id, guess->login_digest });
}
