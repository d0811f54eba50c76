/*
 * Goes from page to page. What a row rests on may stand on the same page: then it waits, and
 * the next page begins with it, while all others go on. Those that are dealt with by then are not
 * found again.
 */
#include "import_pages.h"

#include <stdio.h>

#include "queries.h"
#include "subject.h"
#include "supervisor.h"

/* The statistics are refreshed after the first page, and whenever as much again was written
 * this many times over. */
#define GROWTH 8

/* Where the next page begins. */
struct cursor {
	char row[24];		/* "": at the beginning */
	bool is_over;		/* there was nothing left */
	long done;		/* rows, of this run */
	long refresh_at;
};

/* Those that go together; the first always does. Returns how many; *stays: the first that waits,
 * or the end. */
static int
choose(const struct import_stage *stage, const PGresult *found, int places[IMPORT_PAGE_ROWS], int *stays)
{
	struct arena *arena = arena_create();
	struct seen *seen = seen_create(arena);
	int count = 0;

	*stays = PQntuples(found);
	for (int i = 0; i < PQntuples(found); i++) {
		if (!stage->rests(seen, found, i))
			places[count++] = i;
		else if (*stays == PQntuples(found))
			*stays = i;
	}
	seen_free(&seen);
	arena_free(&arena);
	return count;
}

static enum job_progress
run_page(struct import_work *work, const struct import_stage *stage, const PGresult *found, struct cursor *cursor)
{
	int places[IMPORT_PAGE_ROWS], stays;
	struct import_page page = { work, found, places, choose(stage, found, places, &stays) };
	const enum job_progress progress = stage->run(&page);
	const long next = stays < PQntuples(found) ? row_int(found, stays, "row") - stage->direction : row_int(found, stays - 1, "row");

	snprintf(cursor->row, sizeof(cursor->row), "%ld", next);
	cursor->done += page.count;
	job_lease_count_rows(work->lease, page.count);
	return progress;
}

/* Others' statements read what this job writes, by plans for what was there before. It is no
 * fault when it comes to nothing: autovacuum does the same a little later. */
static void
refresh_statistics(struct import_work *work, struct cursor *cursor)
{
	if (cursor->done < cursor->refresh_at)
		return;
	cursor->refresh_at = cursor->done * GROWTH;
	PQclear(worker_query(work->lease->worker, &query_schema_refresh_statistics, NULL));
}

static enum job_progress
run_next(struct import_work *work, const struct import_stage *stage, struct cursor *cursor)
{
	struct job_lease *lease = work->lease;
	PGresult *found = worker_query(lease->worker, stage->next, (const char *const[]){ lease->org_id, lease->id,
		*cursor->row != '\0' ? cursor->row : NULL, AS_TEXT(IMPORT_PAGE_ROWS) });
	enum job_progress progress = found != NULL ? JOB_GOES_ON : JOB_IS_LATER;

	cursor->is_over = found != NULL && PQntuples(found) == 0;
	if (found != NULL && !cursor->is_over)
		progress = run_page(work, stage, found, cursor);
	PQclear(found);
	refresh_statistics(work, cursor);
	return progress;
}

enum job_end
import_stage_run(struct job_lease *lease, const struct import_stage *stage)
{
	struct import_work work;
	struct cursor cursor = { .refresh_at = IMPORT_PAGE_ROWS };
	enum job_progress progress = JOB_GOES_ON;
	enum job_end end;
	bool is_there;

	if (import_work_open(&work, lease, stage->state, stage->as_actor, &is_there) != JOB_GOES_ON)
		return JOB_LATER;
	if (!is_there)
		return import_work_drop(lease);
	while (progress == JOB_GOES_ON && !cursor.is_over && !supervisor_stopping())
		progress = run_next(&work, stage, &cursor);
	end = progress == JOB_GOES_ON && !cursor.is_over
		? JOB_STOPPED
		: import_work_end(&work, progress, stage->done, stage->tells);
	import_work_close(&work);
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
