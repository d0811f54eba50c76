/*
 * The clock: runs each task when it is due, and sleeps until the next one.
 *
 * A notification is only a nudge: it brings forward the tasks that follow from what
 * somebody just did, at most once a second each. Everything else comes by its period.
 */
#include "tasks.h"

#include <string.h>

#include "bounces.h"
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
#define PURGE_LIMIT "1000"
#define PURGE_FILE_LIMIT "50"	/* of 1 MiB each */
/* A link that is over and could not be dealt with is no reason to hurry. */
#define EXPIRY_RETRY_MS 1000

static bool purge_outbox(struct worker *worker);
static bool purge_sessions(struct worker *worker);
static bool purge_throttles(struct worker *worker);
static bool purge_deletions(struct worker *worker);
static bool purge_idempotency(struct worker *worker);
static bool purge_audit_values(struct worker *worker);
static bool purge_imports_expire(struct worker *worker);
static bool purge_import_files(struct worker *worker);
static bool purge_import_rows(struct worker *worker);
static bool purge_imports(struct worker *worker);
static bool purge_export_files(struct worker *worker);
static bool purge_exports(struct worker *worker);
static bool purge_selection_users(struct worker *worker);
static bool purge_selections(struct worker *worker);
static bool measure_outbox(struct worker *worker);
static bool measure_jobs(struct worker *worker);

enum { EXPIRE_INVITATIONS };	/* the one task that is named elsewhere */

static const struct task {
	const char *name;
	bool (*run)(struct worker *worker);	/* true: there may be more at once */
	int period_ms;				/* 0: the poll interval */
	bool follows_nudge;
} tasks[] = {
	[EXPIRE_INVITATIONS] = { "expire invitations", deadlines_expire_invitations, 0, false },
	{ "release locks", deadlines_release_locks, 0, false },
	{ "finish locks", deadlines_finish_locks, 0, false },
	{ "digest locks", digest_locks, 0, true },
	{ "recompute idleness", idle_recompute, 0, true },
	{ "sweep idle users", idle_sweep, 0, false },
	{ "take delivery reports", bounces_take, 0, false },
	{ "measure the outbox", measure_outbox, 0, false },
	{ "measure the jobs", measure_jobs, 0, false },
	{ "purge the outbox", purge_outbox, MINUTE_MS, false },
	{ "purge sessions", purge_sessions, MINUTE_MS, false },
	{ "purge throttles", purge_throttles, MINUTE_MS, false },
	{ "purge deletions", purge_deletions, MINUTE_MS, false },
	{ "purge keys of requests", purge_idempotency, MINUTE_MS, false },
	{ "empty old values of the audit", purge_audit_values, MINUTE_MS, false },
	/* In this order: what hangs on one before it. */
	{ "expire imports", purge_imports_expire, MINUTE_MS, false },
	{ "purge files of imports", purge_import_files, MINUTE_MS, false },
	{ "purge rows of imports", purge_import_rows, MINUTE_MS, false },
	{ "purge imports", purge_imports, MINUTE_MS, false },
	{ "purge files of exports", purge_export_files, MINUTE_MS, false },
	{ "purge exports", purge_exports, MINUTE_MS, false },
	{ "purge users of selections", purge_selection_users, MINUTE_MS, false },
	{ "purge selections", purge_selections, MINUTE_MS, false },
};
#define TASK_COUNT (sizeof(tasks) / sizeof(tasks[0]))

static bool
purge_some(struct worker *worker, const struct query *query, const char *limit)
{
	PGresult *done = worker_query(worker, query, (const char *const[]){ limit });
	const bool may_have_more = done != NULL && strcmp(PQcmdTuples(done), limit) == 0;

	PQclear(done);
	return may_have_more;
}

static bool
purge(struct worker *worker, const struct query *query)
{
	return purge_some(worker, query, PURGE_LIMIT);
}

static bool purge_outbox(struct worker *worker) { return purge(worker, &query_purge_outbox); }
static bool purge_sessions(struct worker *worker) { return purge(worker, &query_purge_sessions); }
static bool purge_throttles(struct worker *worker) { return purge(worker, &query_purge_throttles); }
static bool purge_deletions(struct worker *worker) { return purge(worker, &query_purge_deletions); }
static bool purge_idempotency(struct worker *worker) { return purge(worker, &query_purge_idempotency); }
static bool purge_audit_values(struct worker *worker) { return purge(worker, &query_purge_audit_values); }
static bool purge_imports_expire(struct worker *worker) { return purge(worker, &query_purge_imports_expire); }
static bool purge_import_files(struct worker *worker) { return purge_some(worker, &query_purge_import_files, PURGE_FILE_LIMIT); }
static bool purge_import_rows(struct worker *worker) { return purge(worker, &query_purge_import_rows); }
static bool purge_imports(struct worker *worker) { return purge(worker, &query_purge_imports); }
static bool purge_export_files(struct worker *worker) { return purge_some(worker, &query_purge_export_files, PURGE_FILE_LIMIT); }
static bool purge_exports(struct worker *worker) { return purge(worker, &query_purge_exports); }
static bool purge_selection_users(struct worker *worker) { return purge(worker, &query_purge_selection_users); }
static bool purge_selections(struct worker *worker) { return purge(worker, &query_purge_selections); }

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

static bool
measure_jobs(struct worker *worker)
{
	PGresult *depth = worker_query(worker, &query_job_depth, NULL);

	if (depth != NULL) {
		metric_set(worker->page, METRIC_JOBS_QUEUED, row_int(depth, 0, "queued"));
		metric_set(worker->page, METRIC_JOBS_OLDEST_S, row_int(depth, 0, "oldest_s"));
	}
	PQclear(depth);
	return false;
}

struct timetable {
	struct worker worker;
	int64_t due_ms[TASK_COUNT], ran_ms[TASK_COUNT];
	int64_t nudged_ms;
};

/* Runs what is due. */
static void
run_due(struct timetable *table)
{
	const int poll_ms = table->worker.config->poll_interval_s * 1000;

	for (size_t i = 0; i < TASK_COUNT && !supervisor_stopping(); i++) {
		if (table->due_ms[i] > clock_monotonic_ms())
			continue;
		while (tasks[i].run(&table->worker) && !supervisor_stopping())
			continue;
		table->ran_ms[i] = clock_monotonic_ms();
		table->due_ms[i] = table->ran_ms[i] + (tasks[i].period_ms != 0 ? tasks[i].period_ms : poll_ms);
	}
}

/* For how long nothing will be due. */
static int64_t
wait_ms(const struct timetable *table)
{
	int64_t next_ms = table->due_ms[0];

	for (size_t i = 1; i < TASK_COUNT; i++) {
		if (table->due_ms[i] < next_ms)
			next_ms = table->due_ms[i];
	}
	return next_ms - clock_monotonic_ms();
}

/* A link that expires before the next round is worth waking for. */
static void
bring_forward_expiry(struct timetable *table)
{
	PGresult *next = worker_query(&table->worker, &query_deadline_next, NULL);

	if (next != NULL && PQntuples(next) > 0 && row_text(next, 0, "wait_ms") != NULL) {
		int64_t at_ms = clock_monotonic_ms() + row_int(next, 0, "wait_ms") + 1;
		if (at_ms < table->ran_ms[EXPIRE_INVITATIONS] + EXPIRY_RETRY_MS)
			at_ms = table->ran_ms[EXPIRE_INVITATIONS] + EXPIRY_RETRY_MS;
		if (at_ms < table->due_ms[EXPIRE_INVITATIONS])
			table->due_ms[EXPIRE_INVITATIONS] = at_ms;
	}
	PQclear(next);
}

static void
follow_nudge(struct timetable *table)
{
	const int64_t now_ms = clock_monotonic_ms(), spaced_ms = table->nudged_ms + NUDGE_SPACING_MS;
	const int64_t soon_ms = spaced_ms > now_ms ? spaced_ms : now_ms;

	for (size_t i = 0; i < TASK_COUNT; i++) {
		if (tasks[i].follows_nudge && table->due_ms[i] > soon_ms)
			table->due_ms[i] = soon_ms;
	}
	if (soon_ms == now_ms)
		table->nudged_ms = now_ms;
}

int
tasks_run(const struct config *config, struct shared_page *page, int child)
{
	struct timetable table = { 0 };

	worker_open(&table.worker, config, page, child, "clock");
	while (!supervisor_stopping()) {
		run_due(&table);
		bring_forward_expiry(&table);
		const int64_t ms = wait_ms(&table);
		if (ms > 0 && !supervisor_stopping() && database_wait(table.worker.database, OUTBOX_CHANNEL, ms))
			follow_nudge(&table);
	}
	worker_close(&table.worker);
	return 0;
}
