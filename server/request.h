/*
 * request: one API request on its way through its steps.
 *
 * A route is a list of steps (STYLE.md). A step says next, wait (a query or a hash
 * was sent) or done (replied). One driver, in request.c, runs them; nothing else
 * does. What is always true:
 *
 * - A step sees success only. A violated constraint became the problem that carries
 *   its name, a moved version ran the route's steps again (at most five times), a lost
 *   connection or a full lane became 503.
 * - request_query copies its parameters and never completes inside the call.
 * - The client may go at any moment: `exchange` is NULL from then on, the steps run to
 *   their end, the reply is dropped. What the prologue needs of the exchange it reads
 *   before it waits for anything but who asks.
 * - Texts and structs that a step keeps live in `scratch` and die with the request.
 */
#ifndef ROLLCALL_REQUEST_H
#define ROLLCALL_REQUEST_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "hasher.h"
#include "http.h"
#include "lane.h"
#include "proposal.h"
#include "queries.h"
#include "token.h"
#include "uuid.h"

struct config;
struct event;
struct event_base;
struct idempotency;
struct request;
struct route;
struct shared_page;

enum step { STEP_NEXT, STEP_WAIT, STEP_DONE };
typedef enum step request_step(struct request *rq);

/* What every request of a process shares. */
struct server {
	const struct config *config;
	struct event_base *base;
	struct lanes *lanes;
	struct hasher *hasher;
	struct shared_page *page;
	int child;			/* this process's place in it */
	struct http_server *http;
};

/* What request_parameter finds: of the query string, in the order of route->query; or of an
 * object of the body that is read in the same way. */
struct parameters {
	const char *const *names;	/* NULL-ended; NULL: none */
	const char *const *values;
	const char *at;			/* the object's pointer: where faults are; NULL: the query string */
};

#define ROUTE_PARAMS_MAX 3
#define ATTEMPTS_MAX 5

/* A request is a proposal that came by HTTP: its members are the proposal's and these. */
struct request {
	union {
		struct proposal;
		struct proposal proposal;
	};
	uint32_t magic;
	const struct server *server;
	const struct route *route;
	struct http_exchange *exchange;		/* NULL: the client has gone, or was answered */
	int64_t started_us;
	enum http_method method;

	/* Input, checked, besides the body. */
	const char *path_values[ROUTE_PARAMS_MAX];	/* what stood for {id}, ... */
	const uint8_t *bytes;			/* route->takes_bytes: the body, in scratch */
	size_t byte_count;
	const char *media_type;			/* and the Content-Type that it came with; NULL: none */
	struct parameters parameters;

	enum job_status outcome;		/* of the last request_attempt, */
	const char *violated;			/* and the constraint, where it was one */
	bool key_is_taken;			/* and it was the key's: by the same request, sent before */
	const struct hash_result *hash;		/* of the last hash, until the next step */

	struct idempotency *idempotency;	/* NULL: it came without a key */
	const char *found_id;			/* whom a step has found, who is not in the path; or NULL */
	const char *proved_hash;		/* the stored one that his password was right for, also when it is decided anew */

	/* The driver's. */
	request_step *const *steps;		/* behind the prologue: the route's, or what it went on as */
	int position;				/* of the next step, over prologue and route */
	int attempts;
	bool answered;
	bool is_counted;			/* in a rate limit */
	bool takes_losses;			/* the job in flight is a request_attempt */
	bool keeps_key;				/* its last statement is idempotency_keep's */
	bool is_streaming;			/* its answer has begun, */
	bool waits_for_client;			/* and a piece of it is on its way to him */
	struct event *pause;			/* before a piece is asked for again; NULL: there was none yet */
	int pauses;				/* of this piece */
	bool has_hash_place;
	bool versioned;				/* the job in flight has a QUERY_VERSIONED statement: */
	int versioned_statement;		/* the first of them */
	bool is_cacheable;			/* the reply brings its own Cache-Control */
	struct buffer reply;
};

/* As the last act of a step: the request goes on with these steps in place of the rest of
 * its route's. Deciding again begins with the route's. */
enum step request_continue(struct request *rq, request_step *const *steps);
/* Likewise: it is decided again from who asks on, with `data` and `body` as they are. */
enum step request_again(struct request *rq);
/* The same behind a page of what is too much for one statement, where each stands for itself: the next page.
 * None follows for a client who has gone, or in a process that is to stop (503): whoever asks again goes on. */
enum step request_next_page(struct request *rq);

/* Sends one statement, or several that commit together (all-or-nothing), and waits.
 * Parameters are texts in the order of the query's list. */
enum step request_query(struct request *rq, enum lane lane, const struct query *query,
	const char *const *params);
enum step request_queries(struct request *rq, enum lane lane, const struct statement *statements,
	int count);
/* The same, for what the request is about: it is done once for each Idempotency-Key. If the last
 * statement only reads, it says what the answer is made of (by the route's last step, which looks
 * at the results of that one alone), now and when it is repeated. */
enum step request_effect(struct request *rq, enum lane lane, const struct query *query,
	const char *const *params);
enum step request_effects(struct request *rq, enum lane lane, const struct statement *statements,
	int count);
/* As request_queries, but a guard that failed is no conflict: the next step sees no rows. */
enum step request_try_queries(struct request *rq, enum lane lane, const struct statement *statements,
	int count);
/* An effect of which the next step sees in `outcome` whatever becomes of it; without JOB_OK there are no
 * results. */
enum step request_attempt(struct request *rq, enum lane lane, const struct statement *statements, int count);
/* Fire and forget: nobody waits, nothing is answered about it. */
void request_query_aside(struct request *rq, const struct query *query, const char *const *params);

/* Reserves a place in the hashing queue, or answers 503. */
enum step request_reserve_hash(struct request *rq);
/* Need the reserved place; the result is in rq->hash when the next step runs. */
enum step request_verify_password(struct request *rq, const char *stored, const char *password);
enum step request_hash_password(struct request *rq, const char *password);

/* What proposal.h says, of the request. */
static inline const char *request_text(struct request *rq, const char *member) { return proposal_text(&rq->proposal, member); }
static inline bool request_has(struct request *rq, const char *member) { return proposal_has(&rq->proposal, member); }
static inline const char *request_column(struct request *rq, const char *name) { return proposal_column(&rq->proposal, name); }
static inline const char *request_value(const struct request *rq, int statement, const char *name)
{
	return proposal_value(&rq->proposal, statement, name);
}
static inline int request_rows(const struct request *rq, int statement) { return proposal_rows(&rq->proposal, statement); }
static inline void request_fault(struct request *rq, const char *pointer, const char *code, const char *detail)
{
	proposal_fault(&rq->proposal, pointer, code, detail);
}
static inline bool request_permits(const struct request *rq, const char *permission)
{
	return proposal_permits(&rq->proposal, permission);
}
static inline const char *request_actor(struct request *rq) { return proposal_actor(&rq->proposal); }
static inline const char *request_actor_kind(const struct request *rq) { return proposal_actor_kind(&rq->proposal); }
static inline const char *request_new_id(struct request *rq) { return proposal_new_id(&rq->proposal); }
static inline const char *request_take_text(struct request *rq, struct buffer *text)
{
	return proposal_take_text(&rq->proposal, text);
}
bool request_column_is_true(struct request *rq, const char *name);

/* The value of a parameter by name; NULL when it was not given. */
const char *request_parameter(struct request *rq, const char *name);
/* A fault of one. */
void request_parameter_fault(struct request *rq, const char *name, const char *code, const char *detail);

/* A step of a decision: goes on, or answers why it was refused. */
enum step request_decide(struct request *rq, proposal_step *const *steps);
/* What the proposal was refused with, as the answer. */
enum step request_answer_refusal(struct request *rq);
/* A step: answers the faults that were found so far, if any. A GET that takes parameters asks it, or
 * fault_count, once it has read them all: the prologue leaves what is wrong with their names to it. */
enum step request_answer_faults(struct request *rq);

/* The tags of If-None-Match, of what the client has already or will not have; NULL: of nothing. */
const char *request_known_tags(struct request *rq);
/* A step: 412 where If-Match or If-None-Match is about something else than what is there: its version,
 * or NULL. */
enum step request_check_match(struct request *rq, const char *tag);
/* Answers a problem; `return request_problem(rq, PROBLEM_X);` and nothing else. */
enum step request_problem(struct request *rq, enum problem problem);
/* With the policy that refused, or a detail that says more than the problem's own. */
enum step request_problem_detail(struct request *rq, enum problem problem, const char *policy,
	const char *detail);
/* With Retry-After. */
enum step request_problem_later(struct request *rq, enum problem problem, int retry_after_s);

/* A header of the reply to come. */
void request_header(struct request *rq, const char *name, const char *value);
/* Answers with what was written to rq->reply. */
enum step request_reply(struct request *rq, int status, const char *content_type);
enum step request_reply_empty(struct request *rq, int status);

/* An answer in pieces, for what is too long to be held at once. The route's steps continue
 * (request_continue) with those of one piece; their last step writes it to rq->reply and
 * returns one of these. The first call sends status 200 and the headers; what goes wrong
 * from then on breaks the connection, for nothing else can be said any more. (What is only busy
 * is asked again for a while: the steps of a piece only read.)
 * request_stream: the piece goes out, what the steps had for it (results, reply) is let go,
 * and when the client has taken it they run again from their first; not when he has gone.
 * request_stream_last: this was all. */
enum step request_stream(struct request *rq, const char *content_type);
enum step request_stream_last(struct request *rq, const char *content_type);

/* Starts a request: the http layer's handler. `context` is the struct server. */
void request_start(void *context, struct http_exchange *exchange);
/* The http layer's notice that the client has gone. */
void request_client_gone(void *request);

#endif
