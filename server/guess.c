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

/* How often a lock is tried that others were quicker than. */
#define LOCKS_MAX 5

static struct guess *
guess_of(struct request *rq)
{
	return rq->data;
}

/* Whether the guess at the threshold would lock him: lifecycle says. */
static bool
can_lock(struct request *rq)
{
	const struct subject *subject = &guess_of(rq)->the.subject;
	struct transition lock;

	return lifecycle_decide(&subject->policy, &subject->state, EVENT_WRONG_PASSWORD, &lock);
}

void
guess_begin(struct request *rq, const char *stored_hash, const char *login, const char *password,
	request_step *const *refusal)
{
	struct guess *guess = guess_of(rq);
	const struct subject *subject = &guess->the.subject;
	struct uuid org_id;

	guess->stored_hash = stored_hash;
	guess->password = password;
	guess->refusal = refusal;
	if (uuid_parse(rq->org_id, &org_id))
		login_digest(rq->server->config->keyring, &org_id, login, guess->login_digest);
	guess->is_lockable = stored_hash != NULL && can_lock(rq);
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
guess_admit(struct request *rq, const PGresult *throttle)
{
	const struct guess *guess = guess_of(rq);
	const int threshold = guess->the.subject.policy.lockout_threshold;
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
guess_count(struct request *rq)
{
	const struct guess *guess = guess_of(rq);
	const int threshold = guess->the.subject.policy.lockout_threshold;
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

/* The guess at the threshold is judged, or nobody is by this name: others need not wait for it,
 * unless the lock of this user is still to come. */
static struct statement
judged(struct request *rq, const char *locked_id)
{
	const struct guess *guess = guess_of(rq);
	const char **params = arena_take(rq->scratch, sizeof(*params) * 4);

	params[0] = rq->org_id;
	params[1] = guess->login_digest;
	params[2] = guess->threshold;
	params[3] = locked_id;
	return (struct statement){ &query_login_throttle_judged, params };
}

/* A guess past the threshold is not checked. If the lock came meanwhile, he is as whoever is
 * locked: the name alone decides. */
enum step
guess_check(struct request *rq)
{
	struct guess *guess = guess_of(rq);
	const enum user_status status = guess->the.subject.state.status;
	const PGresult *standing = rq->results[STANDING];
	const bool is_counted = request_rows(rq, COUNTED) > 0, is_touched = request_rows(rq, TOUCHED) > 0;
	const bool is_past = guess->is_lockable && !is_counted;

	guess->is_lockable = is_counted;
	if (is_touched)
		guess->failures = (int)row_int(rq->results[TOUCHED], 0, "failures");
	guess->count = is_counted ? (int)row_int(rq->results[COUNTED], 0, "failed_attempts") : guess->failures;
	if (is_past && !row_is_true(standing, 0, "is_locked")) {
		/* By another of his names the threshold was reached: by this one nobody is judged. */
		if (is_touched && guess->failures == guess->the.subject.policy.lockout_threshold) {
			const struct statement over = judged(rq, request_new_id(rq));
			request_query_aside(rq, over.query, over.params);
		}
		return come_back(rq);
	}
	if (!is_touched) {
		const enum step refused = guess_admit(rq, standing);
		/* What blocked it has gone since: it was not counted, and is not checked. */
		return refused != STEP_NEXT ? refused : come_back(rq);
	}
	/* Hashes that only equalise time do not count as checks. */
	guess->is_checked = guess->stored_hash != NULL && !is_past && (status == STATUS_PENDING || status == STATUS_ACTIVE);
	if (guess->is_checked)
		metric_add(rq->server->page, METRIC_PASSWORD_CHECKS, 1);
	return request_verify_password(rq, guess->is_checked ? guess->stored_hash : NULL, guess->password);
}

/* ---- A wrong one. */

static bool
locks(const struct guess *guess)
{
	return guess->is_lockable && guess->count >= guess->the.subject.policy.lockout_threshold;
}

/* At the threshold the user is locked, or nobody: others wait for the one that reached it, so it
 * says that it is judged even where it locks nobody. */
static enum step
lock_try(struct request *rq)
{
	static const struct user_state anybody = { .status = STATUS_ACTIVE, .has_email = true, .has_password = true };
	const struct guess *guess = guess_of(rq);
	const struct subject *subject = &guess->the.subject;
	const int threshold = subject->policy.lockout_threshold;
	const struct subject nobody = { .id = request_new_id(rq), .version = "0" };
	const struct subject *locked = locks(guess) ? subject : &nobody;
	const struct transition_details details = { .action = "user.locked", .guard = "lock", .guard_count = threshold };
	struct transition transition;

	if (threshold == 0 || (locked == &nobody && guess->failures != threshold)
		|| !lifecycle_decide(&subject->policy, locked == subject ? &subject->state : &anybody, EVENT_WRONG_PASSWORD, &transition))
		return request_continue(rq, guess->refusal);
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);
	transition_batch_add(batch, locked, &transition, &details);
	return request_try_queries(rq, LANE_WRITE, (const struct statement[]){
		{ &query_user_transition, transition_batch_params(batch, request_actor(rq)) },
		judged(rq, locked->id),
		{ &query_login_wait_for_disk, (const char *const[]){ rq->org_id } } }, 3);
}

/* Version and guard are checked on the locked row: who was changed at that moment was not locked.
 * A stranger can bring that about (he asks for a reset link beside his guess), so it is tried
 * again at once; what is missed then the clock does (worker/deadlines.c). */
static enum step
lock_look(struct request *rq)
{
	struct guess *guess = guess_of(rq);

	if (!locks(guess) || request_rows(rq, 0) > 0 || ++guess->locks_tried == LOCKS_MAX)
		return request_continue(rq, guess->refusal);
	return request_query(rq, LANE_READ, &query_user_load_credential,
		(const char *const[]){ rq->org_id, guess->the.subject.id });
}

/* The steps of a wrong one. */
static request_step *const lock_steps[4];

/* As he is now; who is gone meanwhile is nobody. */
static enum step
lock_again(struct request *rq)
{
	struct guess *guess = guess_of(rq);

	if (request_rows(rq, 0) > 0)
		subject_from_row(&guess->the.subject, rq->scratch, rq->result, 0);
	guess->is_lockable = request_rows(rq, 0) > 0 && can_lock(rq);
	return request_continue(rq, lock_steps);
}

static request_step *const lock_steps[4] = { lock_try, lock_look, lock_again, NULL };

/* ---- The verdict. */

/* Of a right one that was not the first in a row the count goes back at once: what comes after
 * may fail (a row that is locked, a lost connection), and right passwords must never add up to a
 * lock. The first in a row costs no statement: success forgets it, and alone it neither locks
 * (where one is not enough) nor blocks its name. */
static void
give_back(struct request *rq)
{
	const struct guess *guess = guess_of(rq);
	const int threshold = guess->the.subject.policy.lockout_threshold;

	if (guess->count > 1 || guess->failures == threshold || threshold == 1)
		guess_forget(rq);
}

enum step
guess_judge(struct request *rq)
{
	if (!rq->hash->ok || !guess_of(rq)->is_checked)
		return request_continue(rq, lock_steps);
	give_back(rq);
	return STEP_NEXT;
}

void
guess_forget(struct request *rq)
{
	const struct guess *guess = guess_of(rq);

	request_query_aside(rq, &query_guesses_reset, (const char *const[]){ rq->org_id, guess->the.subject.id });
	request_query_aside(rq, &query_login_forget_throttle, (const char *const[]){ rq->org_id, guess->login_digest });
}
