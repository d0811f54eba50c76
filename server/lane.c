/*
 * lane: see lane.h. Owns the waiting rooms, chooses connections, and decides what
 * becomes of jobs that come back without an answer.
 *
 * A job is in exactly one place: in `waiting`, in `returned` (to be sent again in a
 * moment), or with a connection. One tick of 100 ms, while any job is open, looks
 * after all that waits too long; no job has a timer of its own.
 */
#include "lane.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "conninfo.h"
#include "connection.h"
#include "database.h"
#include "job.h"
#include "log.h"
#include "memory.h"
#include "queries.h"
#include "resolver.h"
#include "shared_page.h"

_Static_assert(METRIC_LANES == LANE_COUNT, "each lane has its metrics");

#define LANE_MAGIC 0x6c616e65u
#define LANES_MAGIC 0x6c616e73u

#define TICK_MS 100
#define BRIDGE_MS 1000			/* waiting for a connection that is down */
#define RESEND_AFTER_MS 20		/* by then a server that stops has closed all connections */
#define PATIENCE_MS 5000		/* waiting for one that is busy */
#define NOTIFY_INTERVAL_MS 10

/* A lane's bounds: jobs in flight on each connection, and jobs that wait for one.
 * Eight reads to a sync were measured at twice the throughput of one, for a third of
 * the CPU time; more gained nothing. */
static const struct lane_kind {
	const char *name, *application_name;
	int depth;
	int segment_jobs;
	int room;
	int statement_timeout_ms;
	const char *more_options;
} lane_kinds[LANE_COUNT] = {
	/* Rows by their keys: the first plan is as good as any. */
	[LANE_READ] = { "read", "rollcall-server/read", 512, 8, 512, 10000,
		" -c plan_cache_mode=force_generic_plan" },
	[LANE_WRITE] = { "write", "rollcall-server/write", 1, 1, 256, 10000,
		" -c plan_cache_mode=force_generic_plan" },
	/* Lists: a plan that knows its values is worth more than one kept. */
	[LANE_SLOW] = { "slow", "rollcall-server/slow", 1, 1, 64, 5000,
		" -c plan_cache_mode=force_custom_plan -c enable_seqscan=on" },
};

struct lane_state {
	uint32_t magic;
	struct lanes *lanes;
	enum lane which;
	const struct lane_kind *kind;
	struct connection_settings settings;
	struct connection **connections;
	int connection_count;
	struct job_queue waiting;
	int waiting_count;
	struct job_queue returned;	/* reads of lost connections, soon to be sent again */
	struct event *resend;
	int64_t down_since_ms;		/* 0: some connection is up */
};

struct lanes {
	uint32_t magic;
	struct event_base *base;
	struct shared_page *page;
	int child;
	struct conninfo *info;
	struct resolver *resolver;
	struct lane_state states[LANE_COUNT];
	struct event *tick;		/* pending while any job is open */
	struct event *notify;
	int64_t notified_ms;
	int64_t next_complaint_ms;
	int open_jobs;
	bool is_closing;
};

static struct lane_state *
lane_from(void *context)
{
	struct lane_state *lane = context;

	assert(lane->magic == LANE_MAGIC);
	return lane;
}

static struct lanes *
lanes_from(void *context)
{
	struct lanes *lanes = context;

	assert(lanes->magic == LANES_MAGIC);
	return lanes;
}

static void
set_timer(struct event *timer, int64_t ms)
{
	const struct timeval delay = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(timer, &delay);
}

/* ---- Jobs that come and go ---- */

static void
count(struct lane_state *lane, enum metric metric, int amount)
{
	metric_child_add(lane->lanes->page, metric, lane->which, lane->lanes->child, amount);
}

/* A connection whose sync is still to be sent, for one sync more; else the one
 * with the least to do. NULL: all are full or down. */
static struct connection *
pick_connection(const struct lane_state *lane)
{
	struct connection *best = NULL;

	for (int i = 0; i < lane->connection_count; i++) {
		struct connection *c = lane->connections[i];

		if (!connection_is_up(c) || connection_load(c) >= lane->kind->depth)
			continue;
		if (connection_is_open(c))
			return c;
		if (best == NULL || connection_load(c) < connection_load(best))
			best = c;
	}
	return best;
}

static void
wait_in_room(struct lane_state *lane, struct job *job)
{
	job->waits_since_ms = clock_monotonic_ms();
	TAILQ_INSERT_TAIL(&lane->waiting, job, link);
	lane->waiting_count++;
	count(lane, METRIC_LANE_WAITING, 1);
}

static void
leave_room(struct lane_state *lane, struct job *job)
{
	TAILQ_REMOVE(&lane->waiting, job, link);
	lane->waiting_count--;
	count(lane, METRIC_LANE_WAITING, -1);
}

static void
lane_send(struct lane_state *lane, struct connection *connection, struct job *job)
{
	count(lane, METRIC_LANE_IN_FLIGHT, 1);
	connection_send(connection, job);
}

/* Why a job came to nothing, for the metrics. */
static void
count_fault(struct lane_state *lane, enum job_status status)
{
	static const enum database_fault faults[] = {
		[JOB_CONSTRAINT] = DATABASE_FAULT_CONSTRAINT, [JOB_CONFLICT] = DATABASE_FAULT_CONFLICT,
		[JOB_BUSY] = DATABASE_FAULT_BUSY, [JOB_LOST] = DATABASE_FAULT_LOST, [JOB_ERROR] = DATABASE_FAULT_OTHER,
	};

	if (status != JOB_OK)
		metric_add_by(lane->lanes->page, METRIC_DATABASE_ERRORS, (int)faults[status], 0, 1);
}

static void
lane_complete(struct lane_state *lane, struct job *job)
{
	lane->lanes->open_jobs--;
	metric_observe(lane->lanes->page, METRIC_LANE_DURATION, lane->which,
		(clock_monotonic_ns() - job->submitted_ns) / 1000);
	count_fault(lane, job->result.status);
	if (job->result.status == JOB_OK && job->notifies)
		lanes_notify_soon(lane->lanes);
	job_complete(&job);
}

static void
lane_dispatch(struct lane_state *lane)
{
	struct connection *connection;
	struct job *job;

	while ((job = TAILQ_FIRST(&lane->waiting)) != NULL
		&& (connection = pick_connection(lane)) != NULL) {
		leave_room(lane, job);
		lane_send(lane, connection, job);
	}
}

/* A write on a lost connection may have committed: nobody but its client can know
 * whether to send it again. A read is sent once more for each outage: one that is lost
 * again with a connection of the time before met the same outage, for connections do
 * not all die in one moment. Lost with one that was made since, it may be the cause. */
static bool
may_resend(const struct job *job)
{
	return !job->writes && (job->lost_ms == 0 || job->connected_ms <= job->lost_ms);
}

static void
lane_on_job(void *context, struct job *job, enum job_fate fate)
{
	struct lane_state *lane = lane_from(context);

	count(lane, METRIC_LANE_IN_FLIGHT, -1);
	if (fate == JOB_ANSWERED) {
		lane_complete(lane, job);
	} else if (lane->lanes->is_closing || (fate == JOB_UNANSWERED && !may_resend(job))) {
		job_fail(job, NULL, NULL);
		lane_complete(lane, job);
	} else if (fate == JOB_DISPLACED) {
		job_reset(job);
		job->alone = true;
		wait_in_room(lane, job);
		lane_dispatch(lane);
	} else {
		job_reset(job);
		if (job->lost_ms == 0)
			job->lost_ms = clock_monotonic_ms();
		TAILQ_INSERT_TAIL(&lane->returned, job, link);
		if (!evtimer_pending(lane->resend, NULL))
			set_timer(lane->resend, RESEND_AFTER_MS);
	}
}

static void
lane_on_resend(evutil_socket_t fd, short what, void *context)
{
	struct lane_state *lane = lane_from(context);
	struct job *job;

	(void)fd;
	(void)what;
	while ((job = TAILQ_FIRST(&lane->returned)) != NULL) {
		TAILQ_REMOVE(&lane->returned, job, link);
		wait_in_room(lane, job);
	}
	lane_dispatch(lane);
}

static void
lane_on_ready(void *context)
{
	struct lane_state *lane = lane_from(context);

	if (lane->down_since_ms != 0)
		log_info("lane is up", "lane", lane->kind->name, NULL);
	lane->down_since_ms = 0;
	lane_dispatch(lane);
}

static bool
has_connection_up(const struct lane_state *lane)
{
	for (int i = 0; i < lane->connection_count; i++)
		if (connection_is_up(lane->connections[i]))
			return true;
	return false;
}

static void
lane_on_down(void *context)
{
	struct lane_state *lane = lane_from(context);

	if (has_connection_up(lane))
		return;
	log_warn("lane is down", "lane", lane->kind->name, NULL);
	lane->down_since_ms = clock_monotonic_ms();
}

/* ---- Time ---- */

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
lane_expire(struct lane_state *lane, int64_t now_ms)
{
	bool is_down = lane->down_since_ms != 0;
	struct job_queue expired = TAILQ_HEAD_INITIALIZER(expired);
	struct job *job, *next;

	for (job = TAILQ_FIRST(&lane->waiting); job != NULL; job = next) {
		int64_t since_ms = is_down ? later(job->waits_since_ms, lane->down_since_ms) : job->waits_since_ms;

		next = TAILQ_NEXT(job, link);
		if (now_ms - since_ms < (is_down ? BRIDGE_MS : PATIENCE_MS))
			continue;
		leave_room(lane, job);
		TAILQ_INSERT_TAIL(&expired, job, link);
	}
	while ((job = TAILQ_FIRST(&expired)) != NULL) {
		TAILQ_REMOVE(&expired, job, link);
		job_fail(job, NULL, NULL);
		lane_complete(lane, job);
	}
}

static void
lanes_on_tick(evutil_socket_t fd, short what, void *context)
{
	struct lanes *lanes = lanes_from(context);
	int64_t now_ms = clock_monotonic_ms();

	(void)fd;
	(void)what;
	for (int i = 0; i < LANE_COUNT; i++) {
		struct lane_state *lane = &lanes->states[i];

		for (int k = 0; k < lane->connection_count; k++)
			connection_check(lane->connections[k], now_ms);
		lane_expire(lane, now_ms);
	}
	if (lanes->open_jobs > 0)
		set_timer(lanes->tick, TICK_MS);
}

/* ---- Submitting ---- */

bool
lane_submit(struct lanes *lanes, enum lane which, const struct statement *statements,
	int statement_count, job_callback *callback, void *context)
{
	struct lane_state *lane;
	struct connection *connection = NULL;
	struct job *job;

	if (lanes == NULL || lanes->is_closing)
		return false;
	lane = &lanes->states[which];
	/* Nobody overtakes those who wait. */
	if (TAILQ_EMPTY(&lane->waiting))
		connection = pick_connection(lane);
	if (connection == NULL && lane->waiting_count >= lane->kind->room) {
		metric_add_by(lanes->page, METRIC_LANE_FULL, which, 0, 1);
		return false;
	}
	job = job_create(statements, statement_count, callback, context);
	job->submitted_ns = clock_monotonic_ns();
	if (lanes->open_jobs++ == 0 && !evtimer_pending(lanes->tick, NULL))
		set_timer(lanes->tick, TICK_MS);
	if (connection != NULL)
		lane_send(lane, connection, job);
	else
		wait_in_room(lane, job);
	return true;
}

/* ---- Notifications ---- */

static void
notified(void *context, struct job_result *result)
{
	struct lanes *lanes = lanes_from(context);

	/* One that was lost costs a poll period of the worker's, no more. */
	if (result->status == JOB_OK)
		metric_add(lanes->page, METRIC_NOTIFICATIONS, 1);
}

static void
lanes_on_notify(evutil_socket_t fd, short what, void *context)
{
	struct lanes *lanes = lanes_from(context);
	const struct statement statement = { &query_outbox_notify, NULL };

	(void)fd;
	(void)what;
	lanes->notified_ms = clock_monotonic_ms();
	if (!lane_submit(lanes, LANE_WRITE, &statement, 1, notified, lanes))
		log_debug("could not notify: the write lane is full", NULL);
}

/* The first one goes at once; those within 10 ms of it go together after that. */
void
lanes_notify_soon(struct lanes *lanes)
{
	int64_t due_ms = lanes->notified_ms + NOTIFY_INTERVAL_MS - clock_monotonic_ms();

	if (!lanes->is_closing && !evtimer_pending(lanes->notify, NULL))
		set_timer(lanes->notify, later(due_ms, 0));
}

/* ---- Life ---- */

static char *
lane_options(const char *url, const struct lane_kind *kind)
{
	struct buffer options = BUFFER_INIT;
	char *common = database_options(url, kind->statement_timeout_ms);

	buffer_printf(&options, "%s%s", common, kind->more_options);
	free(common);
	return buffer_take(&options);
}

static void
lane_open(struct lanes *lanes, enum lane which, const char *url, int connections)
{
	struct lane_state *lane = &lanes->states[which];
	const struct lane_kind *kind = &lane_kinds[which];

	lane->magic = LANE_MAGIC;
	lane->lanes = lanes;
	lane->which = which;
	lane->kind = kind;
	lane->down_since_ms = clock_monotonic_ms();
	TAILQ_INIT(&lane->waiting);
	TAILQ_INIT(&lane->returned);
	lane->resend = evtimer_new(lanes->base, lane_on_resend, lane);
	lane->settings = (struct connection_settings){
		.base = lanes->base, .info = lanes->info, .resolver = lanes->resolver,
		.page = lanes->page, .child = lanes->child, .lane = which, .name = kind->name, .application_name = kind->application_name,
		.options = lane_options(url, kind), .segment_jobs = kind->segment_jobs,
		.next_complaint_ms = &lanes->next_complaint_ms,
		.owner = lane, .on_job = lane_on_job, .on_ready = lane_on_ready, .on_down = lane_on_down,
	};
	lane->connection_count = connections > 0 ? connections : 1;
	count(lane, METRIC_LANE_CONNECTIONS, lane->connection_count);
	lane->connections = xcalloc((size_t)lane->connection_count, sizeof(*lane->connections));
	for (int i = 0; i < lane->connection_count; i++)
		lane->connections[i] = connection_create(&lane->settings);
}

struct lanes *
lanes_create(struct event_base *base, const struct config *config, struct shared_page *page, int child)
{
	struct lanes *lanes = xcalloc(1, sizeof(*lanes));

	lanes->magic = LANES_MAGIC;
	lanes->base = base;
	lanes->page = page;
	lanes->child = child;
	lanes->info = conninfo_create(config->database_url);
	lanes->resolver = resolver_create(base, lanes->info);
	lanes->tick = evtimer_new(base, lanes_on_tick, lanes);
	lanes->notify = evtimer_new(base, lanes_on_notify, lanes);
	lane_open(lanes, LANE_READ, config->database_url, config->db_read / config->processes);
	lane_open(lanes, LANE_WRITE, config->database_url, config->db_write / config->processes);
	lane_open(lanes, LANE_SLOW, config->database_url, config->db_slow / config->processes);
	return lanes;
}

static void
lane_close(struct lane_state *lane)
{
	struct job *job;

	/* A callback that asks the lane meanwhile finds only connections that exist. */
	while (lane->connection_count > 0)
		connection_free(&lane->connections[--lane->connection_count]);
	TAILQ_CONCAT(&lane->waiting, &lane->returned, link);
	while ((job = TAILQ_FIRST(&lane->waiting)) != NULL) {
		TAILQ_REMOVE(&lane->waiting, job, link);
		job_fail(job, NULL, NULL);
		lane_complete(lane, job);
	}
	event_free(lane->resend);
	free(lane->connections);
	free(lane->settings.options);
}

void
lanes_free(struct lanes **lanes)
{
	if (*lanes == NULL)
		return;
	(*lanes)->is_closing = true;
	for (int i = 0; i < LANE_COUNT; i++)
		lane_close(&(*lanes)->states[i]);
	event_free((*lanes)->tick);
	event_free((*lanes)->notify);
	resolver_free(&(*lanes)->resolver);
	conninfo_free(&(*lanes)->info);
	free(*lanes);
	*lanes = NULL;
}
