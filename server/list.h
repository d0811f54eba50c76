/*
 * list: the parameters of lists beyond limit and cursor (those are reply.h's).
 *
 * Each returns NULL (or false) when the parameter was not given or has a fault, which
 * is then in the request: answer with request_answer_faults before the query.
 */
#ifndef ROLLCALL_LIST_H
#define ROLLCALL_LIST_H

#include "request.h"

/* "a,b" as a PostgreSQL array, each word one of `allowed` (NULL-ended). */
const char *list_read_words(struct request *rq, const char *parameter, const char *const *allowed);
/* true or false. */
bool list_read_flag(struct request *rq, const char *parameter);
/* A UUID. */
const char *list_read_id(struct request *rq, const char *parameter);
/* An RFC 3339 moment. */
const char *list_read_time(struct request *rq, const char *parameter);

#endif
