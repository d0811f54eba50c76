/*
 * connection: see connection.h. From the bottom up: connecting, collecting what comes
 * in, sending, giving up.
 *
 * Nothing gives a connection up in the middle of something: connection_spoil notes
 * the fault, and the event that runs last in the turn (or the one at work) loses the
 * connection, when nothing of libpq's is on the stack. From the fault on nothing is
 * sent or collected.
 */
#include "connection.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conninfo.h"
#include "log.h"
#include "memory.h"
#include "resolver.h"
#include "shared_page.h"

#define CONNECTION_MAGIC 0x636f6e6eu

#define CONNECT_TIMEOUT_MS 5000
#define ANSWER_TIMEOUT_MS 15000		/* more than any statement_timeout */
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define STEADY_MS 1000			/* who was up for so long starts back-off anew */
#define COMPLAINT_INTERVAL_MS 5000

/* What is answered by one sync: jobs, or the preparation of a statement. */
struct segment {
	STAILQ_ENTRY(segment) link;
	const struct query *prepares;	/* NULL: jobs */
	bool is_synced;
	int64_t sent_ms;
	int at;				/* the job that is being answered */
	int job_count;
	struct job *jobs[SEGMENT_JOBS_MAX];	/* preparing: the one that needs it */
};
STAILQ_HEAD(segment_queue, segment);

enum connection_state {
	CONNECTION_IDLE,		/* waits for its back-off to end */
	CONNECTION_RESOLVING,
	CONNECTION_CONNECTING,
	CONNECTION_UP,
};

struct connection {
	uint32_t magic;
	const struct connection_settings *settings;
	enum connection_state state;
	PGconn *pg;
	const char *fault;		/* up, but to be given up at the end of the turn */
	char sqlstate[6];		/* with which the server said so, or "" */
	int failures;			/* in a row, for the back-off */
	int first_host;			/* moves on when a host hangs */
	int64_t up_since_ms;
	bool was_up;
	struct event *timer;		/* back-off, or the limit on connecting */
	struct event *readable;		/* connecting: whatever libpq waits for */
	struct event *writable;
	struct event *turn;		/* runs after what this turn of the loop still does */
	bool *prepared;			/* by query->index */
	struct segment_queue segments;	/* in the order of their answers */
	struct segment *open;		/* the last one, while its sync is not sent */
	int load;
};

static struct connection *
connection_from(void *context)
{
	struct connection *c = context;

	assert(c->magic == CONNECTION_MAGIC);
	return c;
}

static void
set_timer(struct connection *c, int64_t ms)
{
	const struct timeval delay = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(c->timer, &delay);
}

static void
end_event(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

/* ---- Giving up ---- */

static void
count_up(const struct connection *c, int amount)
{
	metric_child_add(c->settings->page, METRIC_LANE_CONNECTIONS_UP, c->settings->lane, c->settings->child, amount);
}

static void
disconnect(struct connection *c)
{
	int64_t backoff_ms = BACKOFF_MIN_MS;

	if (c->state == CONNECTION_UP)
		count_up(c, -1);
	end_event(&c->readable);
	end_event(&c->writable);
	PQfinish(c->pg);
	c->pg = NULL;
	c->state = CONNECTION_IDLE;
	for (int i = 0; i < c->failures && backoff_ms < BACKOFF_MAX_MS; i++)
		backoff_ms *= 2;
	c->failures++;
	set_timer(c, backoff_ms < BACKOFF_MAX_MS ? backoff_ms : BACKOFF_MAX_MS);
}

/* libpq's words about connecting name hosts and roles, never values of queries. */
static void
connect_failed(struct connection *c, const char *words)
{
	char reason[512];
	int64_t now_ms = clock_monotonic_ms();
	/* Many connections see the same outage: one speaks for all. */
	bool speaks = now_ms >= *c->settings->next_complaint_ms;

	snprintf(reason, sizeof(reason), "%s", words);
	for (char *at = reason; (at = strpbrk(at, "\n\t")) != NULL;)
		*at = ' ';
	if (speaks)
		*c->settings->next_complaint_ms = now_ms + COMPLAINT_INTERVAL_MS;
	log_event(speaks ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "could not connect to the database",
		"lane", c->settings->name, "reason", reason, NULL);
	disconnect(c);
}

/* A job that has failed has its answer, and changed nothing; of all others nobody
 * knows. */
static void
return_segment(struct connection *c, struct segment *segment)
{
	const struct connection_settings *settings = c->settings;

	for (int i = 0; i < segment->job_count && segment->prepares == NULL; i++) {
		enum job_status status = segment->jobs[i]->result.status;

		settings->on_job(settings->owner, segment->jobs[i],
			status != JOB_OK && status != JOB_LOST ? JOB_ANSWERED : JOB_UNANSWERED);
	}
	free(segment);
}

static void
connection_lose(struct connection *c)
{
	struct segment_queue lost = STAILQ_HEAD_INITIALIZER(lost);
	struct segment *segment;

	log_warn("lost a connection to the database", "lane", c->settings->name,
		"reason", c->fault, "sqlstate", c->sqlstate[0] != '\0' ? c->sqlstate : NULL, NULL);
	if (clock_monotonic_ms() - c->up_since_ms >= STEADY_MS)
		c->failures = 0;
	disconnect(c);
	/* All is in order before the first job comes back: its owner may submit another. */
	STAILQ_CONCAT(&lost, &c->segments);
	c->open = NULL;
	c->load = 0;
	c->fault = NULL;
	c->settings->on_down(c->settings->owner);
	while ((segment = STAILQ_FIRST(&lost)) != NULL) {
		STAILQ_REMOVE_HEAD(&lost, link);
		return_segment(c, segment);
	}
}

/* Callers are in the middle of something; the end of the turn gives it up. */
static void
connection_spoil(struct connection *c, const char *fault, const char *sqlstate)
{
	if (c->fault != NULL)
		return;
	c->fault = fault;
	snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", sqlstate != NULL ? sqlstate : "");
	event_active(c->turn, EV_TIMEOUT, 1);
}

/* ---- Sending ---- */

static void
connection_flush(struct connection *c)
{
	int pending = c->fault == NULL ? PQflush(c->pg) : 0;

	if (pending < 0)
		connection_spoil(c, "could not send", NULL);
	else if (pending > 0)
		event_add(c->writable, NULL);
}

static struct segment *
segment_add(struct connection *c, const struct query *prepares)
{
	struct segment *segment = xcalloc(1, sizeof(*segment));

	segment->prepares = prepares;
	segment->sent_ms = clock_monotonic_ms();
	STAILQ_INSERT_TAIL(&c->segments, segment, link);
	return segment;
}

static void
segment_sync(struct connection *c, struct segment *segment)
{
	if (c->fault == NULL && PQpipelineSync(c->pg) == 0)
		connection_spoil(c, "could not send", NULL);
	segment->is_synced = true;
	connection_flush(c);
}

static void
close_segment(struct connection *c)
{
	struct segment *segment = c->open;

	c->open = NULL;
	if (segment != NULL)
		segment_sync(c, segment);
}

/* In a segment of its own: an error in it ends nobody's transaction. */
static void
prepare(struct connection *c, const struct query *query, struct job *job)
{
	struct segment *segment;

	close_segment(c);
	segment = segment_add(c, query);
	segment->jobs[segment->job_count++] = job;
	if (c->fault == NULL && PQsendPrepare(c->pg, query->name, query->sql, 0, NULL) == 0)
		connection_spoil(c, "could not send", NULL);
	segment_sync(c, segment);
	c->prepared[query->index] = true;
}

void
connection_send(struct connection *c, struct job *job)
{
	assert(c->state == CONNECTION_UP);
	for (int i = 0; i < job->count; i++)
		if (!c->prepared[job->statements[i].query->index])
			prepare(c, job->statements[i].query, job);
	if (job->alone)
		close_segment(c);
	if (c->open == NULL)
		c->open = segment_add(c, NULL);
	c->open->jobs[c->open->job_count++] = job;
	c->load++;
	job->connected_ms = c->up_since_ms;
	for (int i = 0; i < job->count && c->fault == NULL; i++) {
		const struct statement *statement = &job->statements[i];

		if (PQsendQueryPrepared(c->pg, statement->query->name, statement->query->param_count,
			statement->params, NULL, NULL, 0) == 0)
			connection_spoil(c, "could not send", NULL);
	}
	if (job->alone || c->open->job_count >= c->settings->segment_jobs)
		close_segment(c);
	else
		event_active(c->turn, EV_TIMEOUT, 1);
}

bool
connection_is_up(const struct connection *c)
{
	return c->state == CONNECTION_UP && c->fault == NULL;
}

int
connection_load(const struct connection *c)
{
	return c->load;
}

bool
connection_is_open(const struct connection *c)
{
	return c->open != NULL;
}

/* ---- Collecting ---- */

static void
take_prepared(struct connection *c, struct segment *segment, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		job_fail(segment->jobs[0], segment->prepares->name, result);
		connection_spoil(c, "a query could not be prepared", segment->jobs[0]->result.sqlstate);
	}
	PQclear(result);
}

static void
take_rows(struct connection *c, struct segment *segment, PGresult *result)
{
	struct job *job;

	if (segment->at == segment->job_count) {
		/* Every statement succeeded; the commit did not. */
		for (int i = 0; i < segment->job_count; i++)
			job_fail(segment->jobs[i], segment->jobs[i]->statements[0].query->name, result);
		job = segment->jobs[0];
		PQclear(result);
	} else {
		job = segment->jobs[segment->at];
		if (job->answered == 0 && PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
			job->was_displaced = true;
		job_take(job, result);
		if (job->answered == job->count)
			segment->at++;
	}
	if (job->result.status == JOB_LOST)
		connection_spoil(c, "the server gave it up", job->result.sqlstate);
}

static void
segment_finish(struct connection *c, struct segment *segment)
{
	const struct connection_settings *settings = c->settings;

	STAILQ_REMOVE_HEAD(&c->segments, link);
	if (segment->prepares == NULL) {
		c->load -= segment->job_count;
		for (int i = 0; i < segment->job_count; i++)
			settings->on_job(settings->owner, segment->jobs[i],
				segment->jobs[i]->was_displaced ? JOB_DISPLACED : JOB_ANSWERED);
		settings->on_ready(settings->owner);
	}
	free(segment);
}

/* Only segments whose sync is sent: past them libpq has nothing more to say, and
 * PQgetResult would answer NULL for ever. */
static void
connection_collect(struct connection *c)
{
	struct segment *segment;

	while (c->fault == NULL && (segment = STAILQ_FIRST(&c->segments)) != NULL
		&& segment->is_synced && !PQisBusy(c->pg)) {
		PGresult *result = PQgetResult(c->pg);

		if (result == NULL) {
			if (PQstatus(c->pg) == CONNECTION_BAD)
				return;
			continue;	/* between two statements */
		}
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			segment_finish(c, segment);
		} else if (segment->prepares != NULL) {
			take_prepared(c, segment, result);
		} else {
			take_rows(c, segment, result);
		}
	}
}

static void
connection_settle(struct connection *c)
{
	if (c->fault == NULL)
		connection_flush(c);
	if (c->fault != NULL)
		connection_lose(c);
}

/* Readable, or writable while output is pending: either way, in first, then out. */
static void
connection_on_io(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = connection_from(context);
	bool is_alive = PQconsumeInput(c->pg) == 1;

	(void)fd;
	(void)what;
	connection_collect(c);
	if (!is_alive || PQstatus(c->pg) == CONNECTION_BAD)
		connection_spoil(c, "the server closed it", NULL);
	connection_settle(c);
}

static void
connection_on_turn(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = connection_from(context);

	(void)fd;
	(void)what;
	if (c->state != CONNECTION_UP)
		return;
	close_segment(c);
	connection_settle(c);
}

void
connection_check(struct connection *c, int64_t now_ms)
{
	const struct segment *oldest = STAILQ_FIRST(&c->segments);

	if (c->state == CONNECTION_UP && oldest != NULL && now_ms - oldest->sent_ms > ANSWER_TIMEOUT_MS) {
		connection_spoil(c, "no answer in time", NULL);
		connection_settle(c);
	}
}

/* ---- Connecting ---- */

/* Whatever a server or an extension wants to remark may quote values. */
static void
ignore_notice(void *context, const PGresult *notice)
{
	(void)context;
	(void)notice;
}

static void
connection_up(struct connection *c)
{
	const struct connection_settings *settings = c->settings;

	evtimer_del(c->timer);
	if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) != 1) {
		connect_failed(c, PQerrorMessage(c->pg));
		return;
	}
	c->readable = event_new(settings->base, PQsocket(c->pg), EV_READ | EV_PERSIST, connection_on_io, c);
	c->writable = event_new(settings->base, PQsocket(c->pg), EV_WRITE, connection_on_io, c);
	event_add(c->readable, NULL);
	memset(c->prepared, 0, (size_t)query_count * sizeof(*c->prepared));
	c->state = CONNECTION_UP;
	count_up(c, 1);
	c->up_since_ms = clock_monotonic_ms();
	if (c->was_up)
		metric_add(settings->page, METRIC_DATABASE_RECONNECTS, 1);
	c->was_up = true;
	log_debug("connected to the database", "lane", settings->name, NULL);
	settings->on_ready(settings->owner);
}

static void connection_on_connect(evutil_socket_t fd, short what, void *context);

/* The socket changes from host to host: the event is made anew at each step. */
static void
await_connect(struct connection *c, short what)
{
	end_event(&c->readable);
	c->readable = event_new(c->settings->base, PQsocket(c->pg), what, connection_on_connect, c);
	event_add(c->readable, NULL);
}

static void
connection_on_connect(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = connection_from(context);

	(void)fd;
	(void)what;
	/* Before libpq closes the socket that it watches. */
	end_event(&c->readable);
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_OK:
		connection_up(c);
		break;
	case PGRES_POLLING_READING:
		await_connect(c, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		await_connect(c, EV_WRITE);
		break;
	default:
		connect_failed(c, PQerrorMessage(c->pg));
	}
}

static void
connection_on_hosts(void *context, const struct host_list *hosts)
{
	struct connection *c = connection_from(context);
	const struct connection_settings *settings = c->settings;

	if (hosts->count == 0) {
		connect_failed(c, hosts->fault);
		return;
	}
	c->pg = conninfo_start(settings->info, hosts, c->first_host, settings->application_name,
		settings->options);
	if (c->pg == NULL || PQstatus(c->pg) == CONNECTION_BAD) {
		connect_failed(c, c->pg != NULL ? PQerrorMessage(c->pg) : "out of memory");
		return;
	}
	PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
	c->state = CONNECTION_CONNECTING;
	set_timer(c, CONNECT_TIMEOUT_MS);
	await_connect(c, EV_WRITE);
}

static void
connection_on_timer(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = connection_from(context);

	(void)fd;
	(void)what;
	if (c->state == CONNECTION_CONNECTING) {
		/* A host that swallows packets would never let the next have its turn. */
		c->first_host = (c->first_host + 1) % HOSTS_MAX;
		connect_failed(c, "no answer in time");
	} else if (c->state == CONNECTION_IDLE) {
		c->state = CONNECTION_RESOLVING;
		resolver_ask(c->settings->resolver, connection_on_hosts, c);
	}
}

struct connection *
connection_create(const struct connection_settings *settings)
{
	struct connection *c = xcalloc(1, sizeof(*c));

	assert(settings->segment_jobs > 0 && settings->segment_jobs <= SEGMENT_JOBS_MAX);
	c->magic = CONNECTION_MAGIC;
	c->settings = settings;
	c->prepared = xcalloc((size_t)query_count, sizeof(*c->prepared));
	c->timer = evtimer_new(settings->base, connection_on_timer, c);
	c->turn = event_new(settings->base, -1, 0, connection_on_turn, c);
	STAILQ_INIT(&c->segments);
	set_timer(c, 0);
	return c;
}

void
connection_free(struct connection **connection)
{
	struct connection *c = *connection;
	struct segment *segment;

	if (c == NULL)
		return;
	resolver_forget(c->settings->resolver, c);
	disconnect(c);
	while ((segment = STAILQ_FIRST(&c->segments)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->segments, link);
		return_segment(c, segment);
	}
	event_free(c->timer);
	event_free(c->turn);
	free(c->prepared);
	free(c);
	*connection = NULL;
}
