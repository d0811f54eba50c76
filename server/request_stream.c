/*
 * Answers in pieces: the steps of a piece run again and again, each time that the client has
 * taken the one before.
 *
 * Once an answer has begun, nothing but its end or a broken connection can say that something
 * is wrong. So a piece for which the database has no room, or is not there for a moment, is
 * asked for again after a pause; only when that goes on for long the connection breaks.
 */
#include "request_priv.h"

#include <event2/event.h>
#include <stdlib.h>

#include "log.h"
#include "prologue.h"
#include "route.h"

/* A quarter of a second, a half, ...: sixteen seconds in all, besides what the waiting in the lane and
 * for locks takes each time. */
#define PAUSE_MS 250
#define PAUSES_MAX 6

static void
taken(void *context)
{
	struct request *rq = request_from(context);

	rq->waits_for_client = false;
	request_run(rq);
}

/* False: *step is the answer. */
static bool
begin_stream(struct request *rq, const char *content_type, enum step *step)
{
	if (rq->exchange == NULL) {
		*step = request_reply_empty(rq, 499);
		return false;
	}
	if (rq->is_streaming)
		return true;
	if (!http_stream_has_room(rq->exchange)) {
		*step = request_problem_later(rq, PROBLEM_UNAVAILABLE, 5);
		return false;
	}
	request_common_headers(rq, content_type);
	http_stream_begin(rq->exchange, 200);
	rq->is_streaming = true;
	return true;
}

static enum step
end_stream(struct request *rq)
{
	rq->answered = true;
	request_record(rq, 200);
	http_stream_end(rq->exchange);
	rq->exchange = NULL;
	return STEP_DONE;
}

enum step
request_stream(struct request *rq, const char *content_type)
{
	enum step step;

	if (!begin_stream(rq, content_type, &step))
		return step;
	if (!http_stream_wants_body(rq->exchange))
		return end_stream(rq);
	request_clear_results(rq);
	rq->position = prologue_step_count;
	rq->pauses = 0;
	if (rq->reply.length == 0)
		return STEP_NEXT;
	http_stream_write(rq->exchange, rq->reply.data, rq->reply.length, taken);
	buffer_clear(&rq->reply);
	rq->waits_for_client = true;
	return STEP_WAIT;
}

/* Behind the last piece there is nothing but the end. */
static enum step
stream_end(struct request *rq)
{
	return rq->exchange != NULL ? end_stream(rq) : request_reply_empty(rq, 499);
}

enum step
request_stream_last(struct request *rq, const char *content_type)
{
	static request_step *const end_steps[] = { stream_end, NULL };

	request_continue(rq, end_steps);
	return request_stream(rq, content_type);
}

/* ---- What is not there for now. */

static void
pause_is_over(evutil_socket_t fd, short what, void *context)
{
	struct request *rq = request_from(context);

	(void)fd;
	(void)what;
	rq->position = prologue_step_count;
	request_run(rq);
}

/* Longer each time. */
static enum step
pause_stream(struct request *rq)
{
	const int ms = PAUSE_MS << rq->pauses++;
	const struct timeval delay = { ms / 1000, ms % 1000 * 1000 };

	if (rq->pause == NULL)
		rq->pause = evtimer_new(rq->server->base, pause_is_over, rq);
	if (rq->pause == NULL)
		abort();
	log_info("paused an answer: the database is busy or away", "route", rq->route->path, "request_id", rq->id, NULL);
	evtimer_add(rq->pause, &delay);
	return STEP_WAIT;
}

enum step
request_unavailable(struct request *rq)
{
	if (rq->is_streaming && rq->exchange != NULL && rq->pauses < PAUSES_MAX)
		return pause_stream(rq);
	return request_problem_later(rq, PROBLEM_UNAVAILABLE, 1);
}

/* Of a client whom a request waits for, or while it pauses, nothing else will ever tell it. */
void
request_client_gone(void *request)
{
	struct request *rq = request_from(request);

	rq->exchange = NULL;
	if (rq->waits_for_client || (rq->pause != NULL && evtimer_pending(rq->pause, NULL)))
		request_finish(rq, request_reply_empty(rq, 499));
}
