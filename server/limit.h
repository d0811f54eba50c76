/*
 * limit: how many requests a minute one may make, and whose bucket a request counts in.
 */
#ifndef ROLLCALL_LIMIT_H
#define ROLLCALL_LIMIT_H

#include "request.h"

/* Two steps of the prologue: a route without credentials counts for the address, any other
 * for the user or the key that asks, once it is known. */
enum step limit_anonymous(struct request *rq);
enum step limit_caller(struct request *rq);
/* For who could not say who he is: as limit_anonymous, on the other routes. */
enum step limit_stranger(struct request *rq);
/* Before the database is asked whose a well-formed token is (rq->caller.token_hash): 429 where too many
 * from that address were nobody's, and this one is not known to be right. */
enum step limit_guesses(struct request *rq);
/* What it said: the token (its hash) is right, likewise one that was just made; or it was not, which
 * counts. */
void limit_remember(struct request *rq, const char *token_hash);
void limit_guess_was_wrong(struct request *rq);

#endif
