/*
 * guess: one guess at a password: counted before it is checked (DESIGN.md §4, Guesses).
 *
 * The order is what makes a thousand parallel guesses get exactly ten checked: a place
 * in the hashing queue, then the count in the database, then the hash, then the
 * verdict. Whoever cannot be locked is slowed by the throttle instead.
 */
#ifndef ROLLCALL_GUESS_H
#define ROLLCALL_GUESS_H

#include "request.h"
#include "user_case.h"

/* What rq->data begins with on a route that takes a guess. */
struct guess {
	struct user_case the;		/* first: user_case(rq) works here too */
	const char *stored_hash;	/* NULL: nothing to guess; a hash is made all the same */
	const char *password;		/* the one that is tried */
	request_step *const *refusal;	/* the steps behind a wrong one: they answer */
	char login_digest[TOKEN_HASH_SIZE];
	bool is_lockable;		/* a lock can follow: no delay. Once counted: it was counted for him */
	bool is_checked;		/* against stored_hash, not only to equalise time */
	const char *counted_id;		/* whose guesses are counted; nobody's, where no lock can follow */
	const char *threshold;		/* the policy's, as a parameter */
	int count;			/* in a row, with this one, */
	int failures;			/* and at this name, whether anybody has it or not */
	int locks_tried;
};

/* The subject of rq->data is there, with its policy. `login` is the name that he signs in with;
 * `stored_hash` NULL for nobody. Needs rq->org_id. */
void guess_begin(struct request *rq, const char *stored_hash, const char *login, const char *password,
	request_step *const *refusal);
/* A step: refuses it while the guess at the threshold is being judged, and inside the delay,
 * as the throttle's row says (the columns of throttle_columns). */
enum step guess_admit(struct request *rq, const PGresult *throttle);
/* The steps behind that, in this order: counts it; refuses it past the threshold or inside the
 * delay, or else uses the reserved place to check it; and goes on if it was right. A wrong one
 * goes on as the refusal, behind the lock that it may have brought. */
enum step guess_count(struct request *rq);
enum step guess_check(struct request *rq);
enum step guess_judge(struct request *rq);
/* A right password that does not let in for another reason was no wrong guess. */
void guess_forget(struct request *rq);

#endif
