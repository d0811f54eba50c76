/*
 * Goes from page to page, two at a time where the stage can: while the database writes one, the
 * next is read and decided, and written by a connection of its own.
 *
 * What is always true: a row goes when all that it rests on has landed. One that rests on a row of
 * the same page, or of the page under way, waits; all others go on, both pages land, and the next page
 * begins with it. Those that are dealt with by then are not found again. And what is written again,
 * because somebody else was quicker, is written while nothing else is under way: two pages that want
 * the same new position would wait for each other for ever.
 */
#include "import_pages.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "queries.h"
#include "subject.h"
#include "supervisor.h"

/* The statistics are refreshed after the first page, and whenever as much again was written
 * this many times over. */
#define GROWTH 8

_Static_assert(JOB_CONNECTIONS == 2, "beside a page there is one other at most");

/* A connection, and the page that is under way on it. */
struct flight {
	struct worker worker;		/* of the second; the first has the job's own */
	struct job_lease lease;
	struct import_work work;
	struct import_page page;
	struct arena *arena;
	struct seen *seen;		/* what other rows may rest on; NULL: nothing is under way */
};

struct run {
	const struct import_stage *stage;
	struct import_work work;	/* as each flight begins with it, and for when all have landed */
	struct flight flights[JOB_CONNECTIONS];
	int flight_count;
	int turn;			/* the flight that goes next */
	bool has_tried;			/* to open the second */
	char behind_row[24];		/* where the next page begins; "": at the beginning */
	bool is_over;			/* there was nothing left */
	bool is_awaited;		/* a row waits until all have landed */
	long done;			/* rows, of this run */
	long refresh_at;
};

/* ---- Flights. */

static void
open_flight(struct run *run, struct worker *worker)
{
	struct flight *flight = &run->flights[run->flight_count++];

	flight->lease = *run->work.lease;
	flight->lease.worker = worker;
	flight->work = run->work;
	flight->work.lease = &flight->lease;
	flight->page.work = &flight->work;
}

/* A file of one page needs no second connection; where there is none to be had, the pages go one by one. */
static void
open_second(struct run *run)
{
	struct worker *worker = &run->flights[1].worker;

	if (run->stage->land == NULL || run->has_tried || run->done < IMPORT_PAGE_ROWS)
		return;
	run->has_tried = true;
	if (!worker_open_beside(worker, run->work.lease->worker))
		return;
	open_flight(run, worker);
	for (int i = 0; i < run->flight_count; i++)
		run->flights[i].lease.is_shared = true;
}

static void
close_flights(struct run *run)
{
	for (int i = 1; i < run->flight_count; i++)
		worker_close(&run->flights[i].worker);
}

static void
forget_rows(struct flight *flight)
{
	seen_free(&flight->seen);
	arena_free(&flight->arena);
}

/* They call each other: a page that has begun to land is under way no more, so there is an end to it. */
static enum job_progress land_all(struct run *run);

static enum job_progress
finish(struct run *run, struct flight *flight, enum job_progress progress)
{
	const bool is_shared = flight->lease.is_shared;

	/* It is written again, alone: then its transactions prolong the lease. */
	if (progress == JOB_GOES_ON && flight->page.is_open) {
		progress = land_all(run);
		flight->lease.is_shared = false;
	}
	progress = run->stage->finish(&flight->page, progress);
	flight->lease.is_shared = is_shared;
	return progress;
}

static enum job_progress
land(struct run *run, struct flight *flight)
{
	const struct import_stage *stage = run->stage;
	enum job_progress progress = JOB_GOES_ON;

	if (flight->seen == NULL)
		return JOB_GOES_ON;
	forget_rows(flight);
	if (stage->land != NULL)
		progress = finish(run, flight, stage->land(&flight->page));
	if (flight->lease.held_at_ms > run->work.lease->held_at_ms)
		run->work.lease->held_at_ms = flight->lease.held_at_ms;
	run->done += flight->page.count;
	job_lease_count_rows(run->work.lease, flight->page.count);
	return progress;
}

/* What one comes to does not keep the others in the air; the first that went wrong counts. */
static enum job_progress
land_all(struct run *run)
{
	enum job_progress progress = JOB_GOES_ON;

	for (int i = 0; i < run->flight_count; i++) {
		const enum job_progress landed = land(run, &run->flights[i]);
		progress = progress == JOB_GOES_ON ? landed : progress;
	}
	return progress;
}

/* ---- Pages. */

/* The rows that the other page has under way. */
static const struct seen *
under_way_beside(const struct run *run, const struct flight *flight)
{
	const struct flight *other = &run->flights[flight == &run->flights[0]];

	return other->seen;
}

/* Those that go together. Returns the first that waits, or the end. */
static int
choose(const struct run *run, struct flight *flight)
{
	struct import_page *page = &flight->page;
	const struct seen *under_way = under_way_beside(run, flight);
	const int end = PQntuples(page->found);
	int stays = end;

	flight->arena = arena_create();
	flight->seen = seen_create(flight->arena);
	page->count = 0;
	for (int i = 0; i < end; i++) {
		if (!run->stage->rests(flight->seen, under_way, page->found, i))
			page->places[page->count++] = i;
		else if (stays == end)
			stays = i;
	}
	return stays;
}

static enum job_progress
send_page(struct run *run, struct flight *flight)
{
	const PGresult *found = flight->page.found;
	const int stays = choose(run, flight);
	enum job_progress progress = JOB_GOES_ON;

	run->is_awaited = stays < PQntuples(found);
	snprintf(run->behind_row, sizeof(run->behind_row), "%ld", run->is_awaited
		? row_int(found, stays, "row") - run->stage->direction
		: row_int(found, stays - 1, "row"));
	if (flight->page.count > 0)
		progress = run->stage->send(&flight->page);
	if (flight->page.count == 0 || progress != JOB_GOES_ON)
		forget_rows(flight);
	return progress;
}

static enum job_progress
send_next(struct run *run, struct flight *flight)
{
	const struct job_lease *lease = &flight->lease;
	PGresult *found = worker_query(lease->worker, run->stage->next, (const char *const[]){ lease->org_id, lease->id,
		*run->behind_row != '\0' ? run->behind_row : NULL, AS_TEXT(IMPORT_PAGE_ROWS) });
	enum job_progress progress = found != NULL ? JOB_GOES_ON : JOB_IS_LATER;

	run->is_over = found != NULL && PQntuples(found) == 0;
	flight->page.found = found;
	if (found != NULL && !run->is_over)
		progress = send_page(run, flight);
	flight->page.found = NULL;
	PQclear(found);
	return progress;
}

/* ---- From page to page. */

/* Others' statements read what this job writes, by plans for what was there before. It is no
 * fault when it comes to nothing: autovacuum does the same a little later. */
static void
refresh_statistics(struct run *run)
{
	if (run->done < run->refresh_at)
		return;
	run->refresh_at = run->done * GROWTH;
	PQclear(worker_query(run->work.lease->worker, &query_schema_refresh_statistics, NULL));
}

/* A moment without anything under way. */
static enum job_progress
interlude(struct run *run)
{
	const enum job_progress progress = land_all(run);

	run->is_awaited = false;
	if (progress != JOB_GOES_ON)
		return progress;
	refresh_statistics(run);
	open_second(run);
	return job_lease_keep(run->work.lease) ? JOB_GOES_ON : JOB_IS_LATER;
}

static enum job_progress
run_next(struct run *run)
{
	struct flight *flight = &run->flights[run->turn];
	enum job_progress progress = land(run, flight);

	if (progress == JOB_GOES_ON && (run->is_awaited || run->done >= run->refresh_at || job_lease_is_due(run->work.lease)))
		progress = interlude(run);
	run->turn = (run->turn + 1) % run->flight_count;
	return progress == JOB_GOES_ON ? send_next(run, flight) : progress;
}

/* Through all of it, or as far as it goes. */
static enum job_progress
run_pages(struct run *run)
{
	enum job_progress progress = JOB_GOES_ON, landed;

	open_flight(run, run->work.lease->worker);
	while (progress == JOB_GOES_ON && !run->is_over && !supervisor_stopping())
		progress = run_next(run);
	landed = land_all(run);
	close_flights(run);
	return progress == JOB_GOES_ON ? landed : progress;
}

enum job_end
import_stage_run(struct job_lease *lease, const struct import_stage *stage)
{
	struct run run = { .stage = stage, .refresh_at = IMPORT_PAGE_ROWS };
	enum job_progress progress;
	enum job_end end;
	bool is_there;

	if (import_work_open(&run.work, lease, stage->state, stage->as_actor, &is_there) != JOB_GOES_ON)
		return JOB_LATER;
	if (!is_there)
		return import_work_drop(lease);
	progress = run_pages(&run);
	end = progress == JOB_GOES_ON && !run.is_over
		? JOB_STOPPED
		: import_work_end(&run.work, progress, stage->done, stage->tells);
	import_work_close(&run.work);
	return end;
}

struct statement
import_statement(struct import_work *work, struct job_batch *batch, const struct query *query, struct buffer *items)
{
	const char **params = arena_take(batch->origin.scratch, sizeof(*params) * 3);

	params[0] = work->lease->org_id;
	params[1] = work->lease->id;
	params[2] = arena_printf(batch->origin.scratch, "{%s}", buffer_text(items));
	buffer_free(items);
	return (struct statement){ query, params };
}

enum job_progress
import_write_rows(struct import_work *work, struct job_batch *batch, const struct query *query, struct buffer *items)
{
	enum database_status status = DATABASE_CONFLICT;

	if (items->length == 0)
		return JOB_GOES_ON;
	const struct statement statement = import_statement(work, batch, query, items);
	for (int attempt = 0; attempt < JOB_CONFLICTS_MAX && status == DATABASE_CONFLICT; attempt++) {
		PGresult *result = NULL;
		if (attempt > 0 && !job_lease_hold(work->lease))
			break;
		status = job_lease_write(work->lease, &statement, 1, &result);
		PQclear(result);
	}
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
}
