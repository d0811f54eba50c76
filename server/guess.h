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
#include "subject.h"
#include "transition.h"

struct guess {
	const struct subject *subject;
	const char *stored_hash;	/* NULL: nothing to guess; a hash is made all the same */
	char login_digest[TOKEN_HASH_SIZE];
	bool is_lockable;		/* a lock can follow: no delay. Once counted: it was counted for him */
	bool is_checked;		/* against stored_hash, not only to equalise time */
	const char *counted_id;		/* whose guesses are counted; nobody's, where no lock can follow */
	const char *threshold;		/* the policy's, as a parameter */
	int count;			/* in a row, with this one, */
	int failures;			/* and at this name, whether anybody has it or not */
};

/* Whom it is about. `login` is the name that he signs in with; `stored_hash` NULL for
 * nobody. Needs rq->org_id and the subject's policy. */
void guess_begin(struct request *rq, struct guess *guess, const struct subject *subject,
	const char *stored_hash, const char *login);
/* A step: refuses it while the guess at the threshold is being judged, and inside the delay,
 * as the throttle's row says (the columns of throttle_columns). */
enum step guess_admit(struct request *rq, const struct guess *guess, const PGresult *throttle);
/* A step: counts it. */
enum step guess_count(struct request *rq, struct guess *guess);
/* The step behind guess_count: refuses a guess past the threshold or inside the delay;
 * otherwise uses the reserved place to check it. */
enum step guess_check(struct request *rq, struct guess *guess, const char *password);
/* The verdict, when the hash is there. */
bool guess_is_right(const struct request *rq, const struct guess *guess);
/* After a wrong one: locks at the threshold (waits), or goes on. */
enum step guess_lock(struct request *rq, struct guess *guess);
/* After a right one that was not the first in a row: the count goes back at once. What
 * comes after may fail (a row that is locked, a lost connection), and right passwords
 * must never add up to a lock. */
void guess_give_back(struct request *rq, const struct guess *guess);
/* A right password that does not let in for another reason was no wrong guess. */
void guess_forget(struct request *rq, const struct guess *guess);

#endif
