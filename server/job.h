/*
 * job: one job of a lane: its statements with copied parameters, the results as
 * they come in, and what an error means. Shared by lane.c and connection.c.
 *
 * A job belongs to exactly one of them: to the lane's waiting room, or to the
 * connection that it was sent on, from connection_send until it comes back.
 */
#ifndef ROLLCALL_JOB_H
#define ROLLCALL_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lane.h"

struct job {
	TAILQ_ENTRY(job) link;		/* of the waiting room */
	int64_t submitted_ns;
	int64_t waits_since_ms;		/* in the waiting room */
	bool writes;			/* some statement does: never sent twice */
	bool notifies;
	bool alone;			/* shares its sync with no other job */
	bool was_displaced;		/* a failure before it in its segment kept it from running */
	int64_t connected_ms;		/* since when the connection that it was sent on is up */
	int64_t lost_ms;		/* when a connection was first lost with it; 0: never */
	int count;
	int answered;			/* statements whose result has come */
	struct statement statements[JOB_STATEMENTS_MAX];
	PGresult *rows[JOB_STATEMENTS_MAX];
	struct job_result result;
	job_callback *callback;
	void *context;
};
TAILQ_HEAD(job_queue, job);

/* One allocation holds the job and its parameters. */
struct job *job_create(const struct statement *statements, int count, job_callback *callback,
	void *context);

/* Takes the result of the next statement, whatever it is. The first failure decides
 * the status; JOB_LOST says that the connection it came from is of no more use. */
void job_take(struct job *job, PGresult *rows);
/* Marks the job failed by what is wrong with `failed` (NULL: no connection). */
void job_fail(struct job *job, const char *query, const PGresult *failed);
/* Forgets what came in, to be sent anew. */
void job_reset(struct job *job);
/* Calls back, then frees. */
void job_complete(struct job **job);

#endif
