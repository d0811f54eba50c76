/*
 * job_batch: a batch of operations on users (user_batch.h) in a job, round by round.
 *
 * Each round is read, decided as the caller is at that moment, and written in one
 * transaction under the lease, together with what the job's own rows say of it.
 */
#ifndef ROLLCALL_JOB_BATCH_H
#define ROLLCALL_JOB_BATCH_H

#include "job_caller.h"
#include "job_lease.h"
#include "user_batch.h"

/* How a part of a job went: on, or how its run ends. */
enum job_progress {
	JOB_GOES_ON,
	JOB_IS_LATER,		/* something was not there: again, after a while */
	JOB_IS_GONE,		/* the caller is no longer active */
	JOB_IS_FORBIDDEN,	/* or may not do this any more */
};

struct job_batch;
/* What the job itself writes with the round in flight: *before its statements, *behind them;
 * without a query: nothing. */
typedef void job_batch_frame(struct job_batch *batch, struct statement *before, struct statement *behind);

/* As whom a job acts; texts live as long as the job. */
struct job_maker {
	const char *kind, *id;			/* "user", "api_key" */
	const char *ip, *request_id;		/* for the audit; NULL: none */
	const char *const *permissions;		/* that it takes, NULL-ended */
};

/* From columns maker_kind, maker_id (or actor_kind, actor_id, ...: `who`), ip, request_id. */
struct job_maker job_maker_from_row(struct arena *arena, const PGresult *rows, const char *who,
	const char *const *permissions);

/* What is between sending a round and taking its outcome. */
struct job_round {
	bool is_under_way;
	PGresult *facts[BATCH_FACTS];
	struct statement all[BATCH_STATEMENTS_MAX + 2];
	int count;			/* of those; 0: nothing was to be written */
	int first, users;		/* the batch's own among them: where they begin, how many */
};

struct job_batch {
	struct job_lease *lease;
	const struct job_maker *maker;
	job_batch_frame *frame;
	void *context;			/* the frame's */
	struct proposal origin;
	struct user_batch *users;
	struct job_round round;
	int conflicts;
};

/* Begins one of so many operations; what lives with it lives in origin.scratch. */
void job_batch_open(struct job_batch *batch, int count);
void job_batch_close(struct job_batch *batch);
/* Reads the caller anew. */
enum job_progress job_batch_read_caller(struct job_batch *batch) __attribute__((warn_unused_result));
/* Reads what is open and decides it; nothing is written. What was read lives until job_batch_forget. */
enum job_progress job_batch_decide(struct job_batch *batch, PGresult *facts[BATCH_FACTS]) __attribute__((warn_unused_result));
void job_batch_forget(PGresult *facts[BATCH_FACTS]);
/* Rounds, until each operation has its outcome. */
enum job_progress job_batch_run(struct job_batch *batch) __attribute__((warn_unused_result));
/* One round in two steps, between which the database writes: it is sent, if anything is open, and its
 * outcome is taken. Only what was sent is to land. */
enum job_progress job_batch_send(struct job_batch *batch) __attribute__((warn_unused_result));
enum job_progress job_batch_land(struct job_batch *batch) __attribute__((warn_unused_result));

#endif
