/*
 * The driver: runs the steps of requests, and turns what can go wrong between two
 * steps into one answer, in one place.
 *
 * Owns struct request from the http layer's call to the reply. Every job and hash
 * that a request waits for completes exactly once and comes back here; a request is
 * freed only when nothing is on its way to it. Resource files never see a failure.
 */
#include "request_priv.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "access_log.h"
#include "clock.h"
#include "config.h"
#include "entity_tag.h"
#include "idempotency.h"
#include "log.h"
#include "prologue.h"
#include "route.h"
#include "shared_page.h"

#define REQUEST_MAGIC 0x52435251u	/* "RCRQ" */

_Static_assert(JOB_STATEMENTS_MAX <= PROPOSAL_FACTS_MAX, "what a job brings is facts");

struct request *
request_from(void *context)
{
	struct request *rq = context;

	assert(rq != NULL && rq->magic == REQUEST_MAGIC);
	return rq;
}

static int64_t
now_us(void)
{
	return clock_monotonic_ns() / 1000;
}

void
request_clear_results(struct request *rq)
{
	for (int i = 0; i < rq->result_count; i++) {
		PQclear(rq->results[i]);
		rq->results[i] = NULL;
	}
	rq->result_count = 0;
	rq->result = NULL;
}

static void
request_free(struct request *rq)
{
	metric_child_add(rq->server->page, METRIC_REQUESTS_IN_FLIGHT, 0, rq->server->child, -1);
	if (rq->has_hash_place)
		hasher_release(rq->server->hasher);
	if (rq->pause != NULL)
		event_free(rq->pause);
	request_clear_results(rq);
	if (rq->body != NULL)
		json_object_put(rq->body);
	buffer_free_secret(&rq->reply);
	rq->magic = 0;
	struct arena *scratch = rq->scratch;
	arena_free(&scratch);
}

void
request_start(void *context, struct http_exchange *exchange)
{
	struct arena *scratch = arena_create();
	struct request *rq = arena_take(scratch, sizeof(*rq));

	rq->magic = REQUEST_MAGIC;
	rq->server = context;
	rq->exchange = exchange;
	rq->scratch = scratch;
	rq->started_us = now_us();
	rq->method = http_method_of(exchange);
	metric_child_add(rq->server->page, METRIC_REQUESTS_IN_FLIGHT, 0, rq->server->child, 1);
	http_set_data(exchange, rq);
	request_run(rq);
}


/* The prologue's steps, then the route's. */
static request_step *
step_at(const struct request *rq, int position)
{
	if (position < prologue_step_count)
		return prologue_steps[position];
	return rq->steps[position - prologue_step_count];
}

void
request_run(struct request *rq)
{
	for (;;) {
		request_step *step = step_at(rq, rq->position);

		assert(step != NULL && "the last step of a route answers");
		rq->position++;
		switch (step(rq)) {
		case STEP_NEXT:
			continue;
		case STEP_WAIT:
			return;
		case STEP_DONE:
			assert(rq->answered);
			request_free(rq);
			return;
		}
	}
}

void
request_finish(struct request *rq, enum step step)
{
	assert(step != STEP_NEXT);
	if (step == STEP_DONE)
		request_free(rq);
}

/* A version, a guard or admin_epoch moved: read again, decide again. From who asks
 * on: what moved may be that the caller himself was put out. */
static void
decide_again(struct request *rq)
{
	/* What was told so far would be told twice. */
	if (rq->is_streaming) {
		request_finish(rq, request_problem(rq, PROBLEM_STATE_CONFLICT));
		return;
	}
	/* Of a client that has gone nothing can be read, and he asks for nothing. */
	if (rq->exchange == NULL) {
		request_finish(rq, request_reply_empty(rq, 499));
		return;
	}
	if (++rq->attempts >= ATTEMPTS_MAX) {
		/* Under a key it may be the same request that goes on, page by page: it is waited for. */
		if (rq->idempotency != NULL)
			request_finish(rq, request_problem_later(rq, PROBLEM_UNAVAILABLE, 1));
		else
			request_finish(rq, request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
				"Others keep changing this at the same moment. Try again."));
		return;
	}
	request_clear_results(rq);
	if (rq->body != NULL)
		json_object_put(rq->body);
	rq->body = NULL;
	rq->caller = (struct caller){ 0 };
	rq->fault_count = 0;
	rq->problem = PROBLEM_NONE;
	rq->data = NULL;
	rq->password_hash = NULL;
	rq->found_id = NULL;
	rq->hash = NULL;
	idempotency_restart(rq);
	rq->steps = rq->route->steps;
	rq->position = prologue_again;
	request_run(rq);
}

static void
take_results(struct request *rq, struct job_result *job)
{
	request_clear_results(rq);
	for (int i = 0; i < job->count; i++)
		rq->results[i] = job_result_take(job, i);
	rq->result_count = job->count;
	rq->result = rq->results[0];
	if (!rq->keeps_key)
		return;
	/* No step is to see it. */
	PGresult *kept = rq->results[--rq->result_count];
	idempotency_kept(rq, kept);
	PQclear(kept);
	rq->results[rq->result_count] = NULL;
}

/* Somebody else does the same, under the same key. */
static bool
is_key_taken(const struct job_result *job)
{
	return strcmp(job->constraint, "idempotency_pkey") == 0 || strcmp(job->constraint, "idempotency_founding_key") == 0;
}

/* What stands in the way may be what the request itself did, when it was sent before. */
static bool
rereads(const struct request *rq, const struct job_result *job)
{
	return is_key_taken(job) || (rq->attempts == 0 && (rq->route->rereads_on_constraint || rq->keeps_key));
}

/* An attempt: the step behind it knows what each outcome means. */
static void
take_outcome(struct request *rq, struct job_result *job)
{
	rq->takes_losses = false;
	rq->outcome = job->status;
	rq->key_is_taken = job->status == JOB_CONSTRAINT && is_key_taken(job);
	rq->violated = job->status == JOB_CONSTRAINT ? arena_copy(rq->scratch, job->constraint) : NULL;
	if (job->status == JOB_OK)
		take_results(rq, job);
	else
		request_clear_results(rq);
	request_run(rq);
}

static void
job_done(void *context, struct job_result *job)
{
	struct request *rq = request_from(context);
	enum problem problem;
	const char *detail;

	if (rq->takes_losses) {
		take_outcome(rq, job);
		return;
	}
	switch (job->status) {
	case JOB_OK:
		take_results(rq, job);
		/* The first versioned statement must have moved something. */
		if (rq->versioned && request_rows(rq, rq->versioned_statement) == 0)
			decide_again(rq);
		else
			request_run(rq);
		return;
	case JOB_CONFLICT:
		decide_again(rq);
		return;
	case JOB_CONSTRAINT:
		if (rereads(rq, job)) {
			decide_again(rq);
			return;
		}
		problem = problem_of_constraint(job->constraint, &detail);
		if (problem != PROBLEM_NONE) {
			request_finish(rq, request_problem_detail(rq, problem, NULL, detail));
			return;
		}
		log_error("could not keep a constraint", "constraint", job->constraint,
			"route", rq->route->path, "request_id", rq->id, NULL);
		request_finish(rq, request_problem(rq, PROBLEM_INTERNAL));
		return;
	case JOB_BUSY:
	case JOB_LOST:
		/* 57014: what took too long would take as long again. */
		request_finish(rq, strcmp(job->sqlstate, "57014") == 0 ? request_problem_later(rq, PROBLEM_UNAVAILABLE, 1) : request_unavailable(rq));
		return;
	case JOB_ERROR:
		/* The lane has said which query and why; request_record adds route and request id. */
		request_finish(rq, request_problem(rq, PROBLEM_INTERNAL));
		return;
	}
}

enum step
request_continue(struct request *rq, request_step *const *steps)
{
	rq->steps = steps;
	rq->position = prologue_step_count;
	return STEP_NEXT;
}

enum step
request_again(struct request *rq)
{
	if (rq->exchange == NULL)
		return request_reply_empty(rq, 499);
	rq->caller = (struct caller){ 0 };
	rq->fault_count = 0;
	idempotency_restart(rq);
	rq->steps = rq->route->steps;
	rq->position = prologue_again;
	return STEP_NEXT;
}

enum step
request_next_page(struct request *rq)
{
	if (http_server_is_draining(rq->server->http))
		return request_problem_later(rq, PROBLEM_UNAVAILABLE, 1);
	rq->attempts = 0;
	return request_again(rq);
}

/* The statements, and behind them what keeps the request's key. How many there are. */
static int
with_key(struct request *rq, const struct statement *statements, int count, struct statement all[JOB_STATEMENTS_MAX])
{
	assert(count < JOB_STATEMENTS_MAX);
	for (int i = 0; i < count; i++)
		all[i] = statements[i];
	rq->keeps_key = idempotency_wants_keeping(rq);
	if (rq->keeps_key)
		all[count] = idempotency_keep(rq, &statements[count - 1]);
	return count + rq->keeps_key;
}

static enum step
submit(struct request *rq, enum lane lane, const struct statement *statements, int count)
{
	rq->versioned = false;
	for (int i = count - 1; i >= 0; i--) {
		if ((statements[i].query->flags & QUERY_VERSIONED) != 0) {
			rq->versioned = true;
			rq->versioned_statement = i;
		}
	}
	return lane_submit(rq->server->lanes, lane, statements, count, job_done, rq) ? STEP_WAIT : request_unavailable(rq);
}

enum step
request_queries(struct request *rq, enum lane lane, const struct statement *statements, int count)
{
	rq->keeps_key = false;
	return submit(rq, lane, statements, count);
}

enum step
request_effects(struct request *rq, enum lane lane, const struct statement *statements, int count)
{
	struct statement all[JOB_STATEMENTS_MAX];

	count = with_key(rq, statements, count, all);
	return submit(rq, lane, all, count);
}

enum step
request_effect(struct request *rq, enum lane lane, const struct query *query, const char *const *params)
{
	return request_effects(rq, lane, &(struct statement){ query, params }, 1);
}

enum step
request_query(struct request *rq, enum lane lane, const struct query *query, const char *const *params)
{
	return request_queries(rq, lane, &(struct statement){ query, params }, 1);
}

enum step
request_try_queries(struct request *rq, enum lane lane, const struct statement *statements, int count)
{
	enum step step = request_queries(rq, lane, statements, count);

	if (step == STEP_WAIT)
		rq->versioned = false;
	return step;
}

enum step
request_attempt(struct request *rq, enum lane lane, const struct statement *statements, int count)
{
	struct statement all[JOB_STATEMENTS_MAX];

	count = with_key(rq, statements, count, all);
	rq->takes_losses = lane_submit(rq->server->lanes, lane, all, count, job_done, rq);
	rq->outcome = JOB_BUSY;
	return rq->takes_losses ? STEP_WAIT : STEP_NEXT;
}

static void
aside_done(void *context, struct job_result *job)
{
	const struct query *query = context;

	if (job->status != JOB_OK)
		log_warn("could not run a query aside", "query", query->name, "sqlstate", job->sqlstate, NULL);
}

void
request_query_aside(struct request *rq, const struct query *query, const char *const *params)
{
	/* What is aside may be left out: under load the lane is for those who wait. */
	if (!lane_submit(rq->server->lanes, LANE_WRITE, &(struct statement){ query, params }, 1,
		    aside_done, (void *)(uintptr_t)query))
		log_debug("left out a query: the lane is full", "query", query->name, NULL);
}

static void
hash_done(void *context, const struct hash_result *hash)
{
	struct request *rq = request_from(context);
	struct hash_result *copy;

	/* The process stops: whoever still waits tries again elsewhere. */
	if (hash->is_lost) {
		request_finish(rq, request_problem(rq, PROBLEM_UNAVAILABLE));
		return;
	}
	copy = arena_take(rq->scratch, sizeof(*copy));
	*copy = *hash;
	rq->hash = copy;
	rq->password_hash = *copy->hash != '\0' ? copy->hash : NULL;
	request_run(rq);
}

enum step
request_reserve_hash(struct request *rq)
{
	if (rq->has_hash_place)
		return STEP_NEXT;
	if (!hasher_reserve(rq->server->hasher))
		return request_problem_later(rq, PROBLEM_UNAVAILABLE, 1);
	rq->has_hash_place = true;
	return STEP_NEXT;
}

enum step
request_verify_password(struct request *rq, const char *stored, const char *password)
{
	assert(rq->has_hash_place);
	rq->has_hash_place = false;
	hasher_verify(rq->server->hasher, stored, password, hash_done, rq);
	return STEP_WAIT;
}

enum step
request_hash_password(struct request *rq, const char *password)
{
	assert(rq->has_hash_place);
	rq->has_hash_place = false;
	hasher_make(rq->server->hasher, password, hash_done, rq);
	return STEP_WAIT;
}

void
request_common_headers(struct request *rq, const char *content_type)
{
	http_reply_header(rq->exchange, "X-Request-Id", rq->id);
	http_reply_header(rq->exchange, "X-Content-Type-Options", "nosniff");
	http_reply_header(rq->exchange, "Referrer-Policy", "no-referrer");
	if (!rq->is_cacheable)
		http_reply_header(rq->exchange, "Cache-Control", "no-store");
	if (content_type != NULL)
		http_reply_header(rq->exchange, "Content-Type", content_type);
}

void
request_record(struct request *rq, int status)
{
	const int64_t took_us = now_us() - rq->started_us;

	metric_request(rq->server->page, router_index(rq->route), status, took_us);
	access_log_request(rq, status, took_us);
}

enum step
request_reply(struct request *rq, int status, const char *content_type)
{
	assert(!rq->answered);
	rq->answered = true;
	request_record(rq, status);
	if (rq->exchange != NULL && rq->is_streaming) {
		http_stream_break(rq->exchange);
		rq->exchange = NULL;
	} else if (rq->exchange != NULL) {
		request_common_headers(rq, content_type);
		http_reply(rq->exchange, status, buffer_text(&rq->reply), rq->reply.length);
		rq->exchange = NULL;
	}
	return STEP_DONE;
}

enum step
request_reply_empty(struct request *rq, int status)
{
	buffer_clear(&rq->reply);
	return request_reply(rq, status, NULL);
}

void
request_header(struct request *rq, const char *name, const char *value)
{
	if (rq->exchange != NULL)
		http_reply_header(rq->exchange, name, value);
}

const char *
request_parameter(struct request *rq, const char *name)
{
	const struct parameters *parameters = &rq->parameters;

	if (parameters->names == NULL)
		return NULL;
	for (int i = 0; parameters->names[i] != NULL; i++) {
		if (strcmp(parameters->names[i], name) == 0)
			return parameters->values[i];
	}
	assert(false && "a parameter that the route does not list");
	return NULL;
}

const char *
request_known_tags(struct request *rq)
{
	const char *header = http_header(rq->exchange, "If-None-Match");
	char *tags = header != NULL ? arena_take(rq->scratch, strlen(header) + 1) : NULL;

	return header != NULL && entity_tags_read(header, true, tags) ? tags : NULL;
}

bool
request_column_is_true(struct request *rq, const char *name)
{
	const char *value = request_column(rq, name);

	return value != NULL && value[0] == 't';
}

void
request_parameter_fault(struct request *rq, const char *name, const char *code, const char *detail)
{
	const char *at = rq->parameters.at;

	request_fault(rq, at != NULL ? arena_printf(rq->scratch, "%s/%s", at, name) : name, code, detail);
}
