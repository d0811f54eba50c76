/*
 * One job child: claim a job, run it by the table of kinds, and again.
 *
 * At least once, and what a transaction of the job says is said once: the fence is in
 * job_lease.c. A job that ends with "later" comes again after a while that grows; one that
 * does so too often, or kills its child each time, is given up, and what it worked on says
 * that it failed.
 */
#include "jobs.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "job_kinds.h"
#include "job_lease.h"
#include "log.h"
#include "priority.h"
#include "queries.h"
#include "shared_page.h"
#include "supervisor.h"
#include "uuid.h"
#include "worker.h"

/* With the back-off of sql/queries/jobs.sql: three quarters of an hour. */
#define ATTEMPTS_MAX 20
#define NICENESS 5	/* ours, and that of who parses for us: requests and mails go first */

struct jobs {
	struct worker worker;
	struct buffer kinds;	/* those that we know, as an array */
	bool holds_remnant;	/* what was not heard of as given back */
};

/* The same as that of the one before us in this place. */
static void
take_name(struct worker *worker, const char *run_id)
{
	snprintf(worker->name, sizeof(worker->name), "%s/%d", run_id, worker->child);
}

static void
list_kinds(struct buffer *out)
{
	buffer_putc(out, '{');
	for (int i = 0; i < job_kind_count; i++)
		buffer_printf(out, "%s%s", i > 0 ? "," : "", job_kinds[i].kind);
	buffer_putc(out, '}');
}

/* What the one before us died with, or we could not give back when the database was gone, needs
 * not wait for the end of its lease. */
static void
free_remnant(struct jobs *jobs)
{
	PGresult *freed = worker_query(&jobs->worker, &query_job_free, (const char *const[]){ jobs->worker.name });

	jobs->holds_remnant = freed == NULL;
	PQclear(freed);
}

static const struct job_kind *
find_kind(const char *kind)
{
	for (int i = 0; i < job_kind_count; i++) {
		if (strcmp(job_kinds[i].kind, kind) == 0)
			return &job_kinds[i];
	}
	return NULL;	/* never: no other is claimed */
}

static void
count_end(struct job_lease *lease, const struct job_kind *kind, enum job_outcome outcome)
{
	metric_add_by(lease->worker->page, METRIC_JOBS, (int)kind->metric, (int)outcome, 1);
}

static enum job_end
give_up(struct job_lease *lease, const struct job_kind *kind)
{
	static const char problem[] = "{\"code\":\"unavailable\",\"detail\":\"It was tried many times, and something"
		" that it needs was never there. Try it again later.\"}";
	char mail_id[UUID_TEXT_SIZE];
	const struct statement last_words[] = {
		{ kind->give_up, (const char *const[]){ lease->org_id, lease->id, problem } },
		{ kind->tell, (const char *const[]){ lease->org_id, lease->id, mail_id } },
	};
	PGresult *results[2] = { NULL };
	enum database_status status;

	log_error("gave up a job: it failed too often", "kind", kind->kind, "id", lease->id, NULL);
	uuid_make_text(mail_id);
	status = job_lease_finish(lease, last_words, kind->tell != NULL ? 2 : 1, results);
	for (int i = 0; i < 2; i++)
		PQclear(results[i]);
	if (status != DATABASE_OK)
		return JOB_LATER;
	count_end(lease, kind, JOB_OUTCOME_GIVEN_UP);
	return JOB_ENDED;
}

static enum job_end
run_kind(struct job_lease *lease, const struct job_kind *kind)
{
	struct shared_page *page = lease->worker->page;
	const int64_t began_ns = clock_monotonic_ns();

	metric_child_add(page, METRIC_JOBS_RUNNING, 0, lease->worker->child, 1);
	const enum job_end end = kind->run(lease);
	metric_child_add(page, METRIC_JOBS_RUNNING, 0, lease->worker->child, -1);
	metric_observe(page, METRIC_JOB_DURATION, (int)kind->metric, (clock_monotonic_ns() - began_ns) / 1000);
	count_end(lease, kind, end == JOB_ENDED ? JOB_OUTCOME_ENDED
		: end == JOB_LATER ? JOB_OUTCOME_LATER
				   : JOB_OUTCOME_STOPPED);
	if (end == JOB_LATER)
		log_warn("could not end a job: it is tried again", "kind", kind->kind, "id", lease->id, NULL);
	return end;
}

static void
run_claimed(struct jobs *jobs, const PGresult *claimed, int64_t claimed_at_ms)
{
	struct worker *worker = &jobs->worker;
	const struct job_kind *kind = find_kind(row_text(claimed, 0, "kind"));
	struct job_lease lease = {
		.worker = worker, .kind = kind->kind, .org_id = row_text(claimed, 0, "org_id"),
		.id = row_text(claimed, 0, "id"), .attempts = (int)row_int(claimed, 0, "attempts"),
		.held_at_ms = claimed_at_ms, .arena = arena_create(),
	};
	enum job_end end;

	child_busy_set(worker->page, worker->child, clock_monotonic_ms());
	end = lease.attempts > ATTEMPTS_MAX ? give_up(&lease, kind) : run_kind(&lease, kind);
	if (end != JOB_ENDED)
		jobs->holds_remnant = !job_lease_release(&lease, end == JOB_STOPPED);
	child_busy_set(worker->page, worker->child, 0);
	arena_free(&lease.arena);
	malloc_trim(0);	/* a large file was in pieces that libc would keep */
}

/* True when there was something to do. */
static bool
work(struct jobs *jobs)
{
	const int64_t asked_at_ms = clock_monotonic_ms();
	PGresult *claimed = worker_query(&jobs->worker, &query_job_claim,
		(const char *const[]){ jobs->worker.name, AS_TEXT(JOB_LEASE_S), buffer_text(&jobs->kinds) });
	const bool has_job = claimed != NULL && PQntuples(claimed) > 0;

	if (has_job)
		run_claimed(jobs, claimed, asked_at_ms);
	PQclear(claimed);
	return has_job;
}

static int64_t
wait_ms(struct jobs *jobs)
{
	int64_t until_due_ms = jobs->worker.config->poll_interval_s * 1000;
	PGresult *next = worker_query(&jobs->worker, &query_job_next, (const char *const[]){ buffer_text(&jobs->kinds) });

	if (next != NULL && row_text(next, 0, "wait_ms") != NULL && row_int(next, 0, "wait_ms") < until_due_ms)
		until_due_ms = row_int(next, 0, "wait_ms");
	PQclear(next);
	return until_due_ms;
}

int
jobs_run(const struct config *config, struct shared_page *page, const char *run_id, int child)
{
	struct jobs jobs = { .kinds = BUFFER_INIT };

	priority_lower(NICENESS);
	worker_open(&jobs.worker, config, page, child, "job");
	database_plan_for_values(jobs.worker.database);
	take_name(&jobs.worker, run_id);
	list_kinds(&jobs.kinds);
	jobs.holds_remnant = true;
	while (!supervisor_stopping()) {
		if (jobs.holds_remnant)
			free_remnant(&jobs);
		if (work(&jobs))
			continue;
		/* At least a little: an empty claim beside a due row is one that another holds. */
		int64_t ms = wait_ms(&jobs);
		if (!supervisor_stopping())
			(void)database_wait(jobs.worker.database, OUTBOX_CHANNEL, ms > 50 ? ms : 50);
	}
	buffer_free(&jobs.kinds);
	worker_close(&jobs.worker);
	return 0;
}
