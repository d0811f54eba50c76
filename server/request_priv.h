/*
 * What the driver (request.c) and answers in pieces (request_stream.c) know of each other.
 */
#ifndef ROLLCALL_REQUEST_PRIV_H
#define ROLLCALL_REQUEST_PRIV_H

#include "request.h"

/* The request that a callback was given. */
struct request *request_from(void *context);
/* Goes on with the next step. */
void request_run(struct request *rq);
/* What a callback made of a request whose step waits: an answer in place of the next step; or it waits
 * on, for a pause or to be sure of the answer (idempotency_look_again). */
void request_finish(struct request *rq, enum step step);
void request_clear_results(struct request *rq);

/* Headers that every answer has. */
void request_common_headers(struct request *rq, const char *content_type);
/* In the metrics and the log; once for each request. */
void request_record(struct request *rq, int status);

/* The database has no room or is not there: 503; or, of an answer that has begun, a pause. */
enum step request_unavailable(struct request *rq);

#endif
