/*
 * access_log: one line for each request, when it is answered.
 *
 * What is always true: nothing that a client wrote stands in it but a request id that a
 * trusted proxy vouches for. No path, but the route's pattern: an external id is personal,
 * and a token may hide in whatever somebody puts into a URL. No query, no body, no name.
 * The client's address stands here and in the audit, nowhere else.
 */
#ifndef ROLLCALL_ACCESS_LOG_H
#define ROLLCALL_ACCESS_LOG_H

#include <stdint.h>

struct request;

/* Of level info; of level error where we failed (5xx but 503, which a client is to try again). */
void access_log_request(const struct request *rq, int status, int64_t took_us);
/* One that never got as far as a route. `why` and `peer` may be NULL, `id` too. */
void access_log_refusal(int status, const char *why, const char *peer, const char *id);

#endif
