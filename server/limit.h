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

#endif
