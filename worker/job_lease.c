/*
 * The fence of a job: the first statement of each transaction is about the job's own row.
 *
 * It fails where name or attempts of the lease no longer match, and all that stands behind
 * it with it. A pipeline sends it together with the rest, so it costs no round trip.
 */
#include "job_lease.h"

#include <assert.h>
#include <stdio.h>

#include "clock.h"
#include "queries.h"
#include "shared_page.h"

/* The supervisor sees that the child goes on. */
static void
mark_progress(struct job_lease *lease)
{
	child_busy_set(lease->worker->page, lease->worker->child, clock_monotonic_ms());
}

static bool
wants_nudge(const struct statement *statements, int count)
{
	for (int i = 0; i < count; i++) {
		if ((statements[i].query->flags & QUERY_NOTIFIES) != 0)
			return true;
	}
	return false;
}

/* A fence takes org_id, id, worker, attempts, and one more if it is to prolong. */
static enum database_status
send_behind(struct job_lease *lease, const struct query *fence, const struct statement *statements, int count)
{
	struct worker *worker = lease->worker;
	struct statement all[JOB_STATEMENTS_MAX_TOGETHER + 1];
	char attempts[16];

	assert(count >= 0 && count <= JOB_STATEMENTS_MAX_TOGETHER);
	mark_progress(lease);
	lease->sent_at_ms = clock_monotonic_ms();
	snprintf(attempts, sizeof(attempts), "%d", lease->attempts);
	all[0] = (struct statement){ fence,
		(const char *const[]){ lease->org_id, lease->id, worker->name, attempts, AS_TEXT(JOB_LEASE_S) } };
	for (int i = 0; i < count; i++)
		all[i + 1] = statements[i];
	return database_send_together(worker->database, all, count + 1);
}

static enum database_status
collect_behind(struct job_lease *lease, const struct query *fence, const struct statement *statements, int count,
	PGresult **results)
{
	struct worker *worker = lease->worker;
	struct statement all[JOB_STATEMENTS_MAX_TOGETHER + 1] = { { fence, NULL } };
	PGresult *all_results[JOB_STATEMENTS_MAX_TOGETHER + 1];
	enum database_status status;

	for (int i = 0; i < count; i++)
		all[i + 1] = statements[i];
	status = database_collect_together(worker->database, all, count + 1, all_results);
	PQclear(all_results[0]);
	for (int i = 0; i < count; i++)
		results[i] = all_results[i + 1];
	if (status == DATABASE_OK && !lease->is_shared)
		lease->held_at_ms = lease->sent_at_ms;
	if (status == DATABASE_OK && wants_nudge(statements, count))
		database_notify(worker->database, OUTBOX_CHANNEL);
	mark_progress(lease);
	return status;
}

static enum database_status
write_behind(struct job_lease *lease, const struct query *fence, const struct statement *statements, int count,
	PGresult **results)
{
	const enum database_status status = send_behind(lease, fence, statements, count);

	if (status == DATABASE_OK)
		return collect_behind(lease, fence, statements, count, results);
	for (int i = 0; i < count; i++)
		results[i] = NULL;
	return status;
}

/* Two transactions that prolong one lease would wait for each other. */
static const struct query *
fence_of(const struct job_lease *lease)
{
	return lease->is_shared ? &query_job_prove : &query_job_hold;
}

enum database_status
job_lease_send(struct job_lease *lease, const struct statement *statements, int count)
{
	return send_behind(lease, fence_of(lease), statements, count);
}

enum database_status
job_lease_collect(struct job_lease *lease, const struct statement *statements, int count, PGresult **results)
{
	return collect_behind(lease, fence_of(lease), statements, count, results);
}

enum database_status
job_lease_write(struct job_lease *lease, const struct statement *statements, int count, PGresult **results)
{
	return write_behind(lease, fence_of(lease), statements, count, results);
}

enum database_status
job_lease_finish(struct job_lease *lease, const struct statement *statements, int count, PGresult **results)
{
	return write_behind(lease, &query_job_finish, statements, count, results);
}

bool
job_lease_hold(struct job_lease *lease)
{
	return write_behind(lease, fence_of(lease), NULL, 0, NULL) == DATABASE_OK;
}

bool
job_lease_is_due(const struct job_lease *lease)
{
	return clock_monotonic_ms() - lease->held_at_ms >= JOB_LEASE_KEEP_MS;
}

bool
job_lease_keep(struct job_lease *lease)
{
	return !job_lease_is_due(lease) || job_lease_hold(lease);
}

void
job_lease_count_rows(struct job_lease *lease, int rows)
{
	metric_add(lease->worker->page, METRIC_JOB_ROWS, rows);
}

bool
job_lease_release(struct job_lease *lease, bool stopped)
{
	char attempts[16];
	PGresult *released;

	snprintf(attempts, sizeof(attempts), "%d", lease->attempts);
	released = worker_query(lease->worker, &query_job_release, (const char *const[]){ lease->org_id, lease->id,
		lease->worker->name, attempts, stopped ? "true" : "false" });
	PQclear(released);
	return released != NULL;
}
