/*
 * The clock: runs each task when it is due, and sleeps until the next one.
 *
 * A notification is only a nudge: it brings forward the tasks that follow from what
 * somebody just did, at most once a second each. Everything else comes by its period.
 */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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
static bool measure_slowly(struct worker *worker);

enum { EXPIRE_INVITATIONS };	/* the one task that is named elsewhere */

static const struct task {
	const char *name;			/* labels its metrics */
	bool (*run)(struct worker *worker);	/* true: there may be more at once */
	int period_ms;				/* 0: the poll interval */
	bool follows_nudge;
} tasks[] = {
	[EXPIRE_INVITATIONS] = { "expire_invitations", deadlines_expire_invitations, 0, false },
	{ "release_locks", deadlines_release_locks, 0, false },
	{ "finish_locks", deadlines_finish_locks, 0, false },
	{ "digest_locks", digest_locks, 0, true },
	{ "recompute_idleness", idle_recompute, 0, true },
	{ "sweep_idle_users", idle_sweep, 0, false },
	{ "take_delivery_reports", bounces_take, 0, false },
	{ "measure_outbox", measure_outbox, 0, false },
	{ "measure_jobs", measure_jobs, 0, false },
	{ "measure_slowly", measure_slowly, MINUTE_MS, false },
	{ "purge_outbox", purge_outbox, MINUTE_MS, false },
	{ "purge_sessions", purge_sessions, MINUTE_MS, false },
	{ "purge_throttles", purge_throttles, MINUTE_MS, false },
	{ "purge_deletions", purge_deletions, MINUTE_MS, false },
	{ "purge_idempotency", purge_idempotency, MINUTE_MS, false },
	{ "purge_audit_values", purge_audit_values, MINUTE_MS, false },
	/* In this order: what hangs on one before it. */
	{ "expire_imports", purge_imports_expire, MINUTE_MS, false },
	{ "purge_import_files", purge_import_files, MINUTE_MS, false },
	{ "purge_import_rows", purge_import_rows, MINUTE_MS, false },
	{ "purge_imports", purge_imports, MINUTE_MS, false },
	{ "purge_export_files", purge_export_files, MINUTE_MS, false },
	{ "purge_exports", purge_exports, MINUTE_MS, false },
	{ "purge_selection_users", purge_selection_users, MINUTE_MS, false },
	{ "purge_selections", purge_selections, MINUTE_MS, false },
};
#define TASK_COUNT (sizeof(tasks) / sizeof(tasks[0]))

static bool
purge_some(struct worker *worker, const struct query *query, const char *limit)
{
	PGresult *done = worker_query(worker, query, (const char *const[]){ limit });
	const bool may_have_more = done != NULL && strcmp(PQcmdTuples(done), limit) == 0;

	worker->task_rows += done != NULL ? strtol(PQcmdTuples(done), NULL, 10) : 0;
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
	static const struct { enum outbox_part part; const char *count, *oldest_s; } parts[] = {
		{ OUTBOX_LEASED, "leased", "leased_oldest_s" },
		{ OUTBOX_DUE, "due", "due_oldest_s" },
		{ OUTBOX_LATER, "later", "later_oldest_s" },
	};
	PGresult *depth = worker_query(worker, &query_outbox_depth, NULL);

	if (depth != NULL) {
		metric_set(worker->page, METRIC_OUTBOX_QUEUED, row_int(depth, 0, "queued"));
		metric_set(worker->page, METRIC_OUTBOX_OLDEST_S, row_int(depth, 0, "oldest_s"));
	}
	for (size_t i = 0; depth != NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
		metric_set_by(worker->page, METRIC_OUTBOX_MAILS, (int)parts[i].part, row_int(depth, 0, parts[i].count));
		metric_set_by(worker->page, METRIC_OUTBOX_MAILS_OLDEST_S, (int)parts[i].part, row_int(depth, 0, parts[i].oldest_s));
	}
	PQclear(depth);
	return false;
}

/* What changes slowly, and costs more to find out. */
static bool
measure_slowly(struct worker *worker)
{
	PGresult *undelivered = worker_query(worker, &query_outbox_undelivered, NULL);
	PGresult *audit = worker_query(worker, &query_audit_months_ahead, NULL);
	PGresult *braked = worker_query(worker, &query_idle_braked, NULL);
	PGresult *keys = worker_query(worker, &query_doctor_expiring_keys, NULL);

	if (undelivered != NULL) {
		metric_set_by(worker->page, METRIC_OUTBOX_MAILS, OUTBOX_FAILED, row_int(undelivered, 0, "failed"));
		metric_set_by(worker->page, METRIC_OUTBOX_MAILS, OUTBOX_BOUNCED, row_int(undelivered, 0, "bounced"));
	}
	if (audit != NULL)
		metric_set(worker->page, METRIC_AUDIT_MONTHS, row_int(audit, 0, "months"));
	if (braked != NULL)
		metric_set(worker->page, METRIC_IDLE_BRAKED, row_int(braked, 0, "braked"));
	if (keys != NULL)
		metric_set(worker->page, METRIC_KEYS_EXPIRING, row_int(keys, 0, "keys"));
	PQclear(undelivered);
	PQclear(audit);
	PQclear(braked);
	PQclear(keys);
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

static void
run_task(struct timetable *table, size_t i)
{
	struct shared_page *page = table->worker.page;
	const int64_t began_ns = clock_monotonic_ns();

	table->worker.task_rows = 0;
	table->worker.task_failed = false;
	while (tasks[i].run(&table->worker) && !supervisor_stopping())
		continue;
	metric_observe(page, METRIC_TASK_DURATION, (int)i, (clock_monotonic_ns() - began_ns) / 1000);
	metric_add_by(page, METRIC_TASK_ROWS, (int)i, 0, table->worker.task_rows);
	if (!table->worker.task_failed)
		metric_set_by(page, METRIC_TASK_LAST_RUN, (int)i, (int64_t)time(NULL));
}

/* Runs what is due. */
static void
run_due(struct timetable *table)
{
	const int poll_ms = table->worker.config->poll_interval_s * 1000;

	for (size_t i = 0; i < TASK_COUNT && !supervisor_stopping(); i++) {
		if (table->due_ms[i] > clock_monotonic_ms())
			continue;
		run_task(table, i);
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

void
tasks_name(struct shared_page *page)
{
	static const char *names[TASK_COUNT];

	for (size_t i = 0; i < TASK_COUNT; i++)
		names[i] = tasks[i].name;
	shared_page_name_tasks(page, names, (int)TASK_COUNT);
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
