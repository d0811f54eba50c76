/*
 * The clock: runs each task when it is due, and sleeps until the next one.
 *
 * A notification is only a nudge: it brings forward the tasks that follow from what
 * somebody just did, at most once a second each. Everything else comes by its period.
 */
#include "tasks.h"

#include "clock.h"
#include "config.h"
#include "deadlines.h"
#include "digest.h"
#include "idle.h"
#include "queries.h"
#include "shared_page.h"
#include "subject.h"
#include "supervisor.h"
#include "worker.h"

#define MINUTE_MS 60000
#define NUDGE_SPACING_MS 1000

static bool purge_outbox(struct worker *worker);
static bool purge_sessions(struct worker *worker);
static bool purge_throttles(struct worker *worker);
static bool measure_outbox(struct worker *worker);

static const struct task {
	const char *name;
	bool (*run)(struct worker *worker);	/* true: there may be more at once */
	int period_ms;				/* 0: the poll interval */
	bool follows_nudge;
} tasks[] = {
	{ "expire invitations", deadlines_expire_invitations, 0, false },
	{ "release locks", deadlines_release_locks, 0, false },
	{ "finish locks", deadlines_finish_locks, 0, false },
	{ "digest locks", digest_locks, 0, true },
	{ "recompute idleness", idle_recompute, 0, true },
	{ "sweep idle users", idle_sweep, 0, false },
	{ "measure the outbox", measure_outbox, 0, false },
	{ "purge the outbox", purge_outbox, MINUTE_MS, false },
	{ "purge sessions", purge_sessions, MINUTE_MS, false },
	{ "purge throttles", purge_throttles, MINUTE_MS, false },
};
#define TASK_COUNT (sizeof(tasks) / sizeof(tasks[0]))

static bool
purge(struct worker *worker, const struct query *query)
{
	PQclear(worker_query(worker, query, (const char *const[]){ "1000" }));
	return false;
}

static bool purge_outbox(struct worker *worker) { return purge(worker, &query_purge_outbox); }
static bool purge_sessions(struct worker *worker) { return purge(worker, &query_purge_sessions); }
static bool purge_throttles(struct worker *worker) { return purge(worker, &query_purge_throttles); }

static bool
measure_outbox(struct worker *worker)
{
	PGresult *depth = worker_query(worker, &query_outbox_depth, NULL);

	if (depth != NULL) {
		metric_set(worker->page, METRIC_OUTBOX_QUEUED, row_int(depth, 0, "queued"));
		metric_set(worker->page, METRIC_OUTBOX_OLDEST_S, row_int(depth, 0, "oldest_s"));
	}
	PQclear(depth);
	return false;
}

/* Runs what is due; returns for how long nothing will be. */
static int64_t
run_due(struct worker *worker, int64_t *due_ms)
{
	const int poll_ms = worker->config->poll_interval_s * 1000;
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < TASK_COUNT && !supervisor_stopping(); i++) {
		if (due_ms[i] <= clock_monotonic_ms()) {
			while (tasks[i].run(worker) && !supervisor_stopping())
				continue;
			due_ms[i] = clock_monotonic_ms() + (tasks[i].period_ms != 0 ? tasks[i].period_ms : poll_ms);
		}
		if (due_ms[i] < next_ms)
			next_ms = due_ms[i];
	}
	int64_t wait_ms = next_ms - clock_monotonic_ms();
	return wait_ms > 0 ? wait_ms : 0;
}

/* A link that expires before the next round is worth waking for. */
static void
bring_forward_expiry(struct worker *worker, int64_t *due_ms)
{
	PGresult *next = worker_query(worker, &query_deadline_next, NULL);

	if (next != NULL && PQntuples(next) > 0 && row_text(next, 0, "wait_ms") != NULL) {
		int64_t at_ms = clock_monotonic_ms() + row_int(next, 0, "wait_ms") + 1;
		if (at_ms < due_ms[0])
			due_ms[0] = at_ms;
	}
	PQclear(next);
}

static void
follow_nudge(int64_t *due_ms, int64_t *nudged_ms)
{
	const int64_t now_ms = clock_monotonic_ms();
	const int64_t soon_ms = *nudged_ms + NUDGE_SPACING_MS > now_ms ? *nudged_ms + NUDGE_SPACING_MS : now_ms;

	for (size_t i = 0; i < TASK_COUNT; i++) {
		if (tasks[i].follows_nudge && due_ms[i] > soon_ms)
			due_ms[i] = soon_ms;
	}
	if (soon_ms == now_ms)
		*nudged_ms = now_ms;
}

int
tasks_run(const struct config *config, struct shared_page *page, int child)
{
	int64_t due_ms[TASK_COUNT] = { 0 }, nudged_ms = 0;
	struct worker worker;

	worker_open(&worker, config, page, child, "clock");
	while (!supervisor_stopping()) {
		int64_t wait_ms = run_due(&worker, due_ms);
		bring_forward_expiry(&worker, due_ms);
		if (due_ms[0] - clock_monotonic_ms() < wait_ms)
			wait_ms = due_ms[0] - clock_monotonic_ms();
		if (wait_ms > 0 && !supervisor_stopping()
			&& database_wait(worker.database, OUTBOX_CHANNEL, wait_ms))
			follow_nudge(due_ms, &nudged_ms);
	}
	worker_close(&worker);
	return 0;
}
