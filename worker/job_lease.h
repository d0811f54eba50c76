/*
 * job_lease: one job in the hands of one worker, and the transactions that rest on it.
 *
 * A job (table rollcall.job) is claimed with a lease that its holder prolongs with every
 * transaction; or, where several are under way at a time, proves with each of them and prolongs
 * between them. What is always true: nothing is written for a job by somebody who does not
 * hold it; a job that is done is gone in the transaction of its last words. So whatever is
 * written in one transaction with its own progress happens exactly once, however
 * often a worker is killed.
 */
#ifndef ROLLCALL_JOB_LEASE_H
#define ROLLCALL_JOB_LEASE_H

#include "worker.h"

struct job_lease {
	struct worker *worker;
	const char *kind;		/* "import_parse", ... */
	const char *org_id, *id;	/* what it works on */
	int attempts;			/* this one among them */
	int64_t held_at_ms;		/* when it was claimed or prolonged last; monotonic */
	int64_t sent_at_ms;		/* when the transaction in hand was sent */
	bool is_shared;			/* by several connections: then a transaction proves it and does not prolong it */
	struct arena *arena;		/* lives as long as the job is in hand */
};

/* From the last transaction on; then somebody else may have the job. */
#define JOB_LEASE_S 60
#define JOB_LEASE_KEEP_MS 10000
#define JOB_STATEMENTS_MAX_TOGETHER 12
/* So often a transaction is tried that meets locks of others, each time for DATABASE_LOCK_TIMEOUT_MS; then
 * the job waits longer. */
#define JOB_CONFLICTS_MAX 5

/* Runs the statements in one transaction, if the lease is still held; it is prolonged with
 * them, unless it is shared. DATABASE_CONFLICT when it is lost, and otherwise as database_run_together, which
 * also says what becomes of `results`. NOTIFY follows the commit where a query asks for it.
 * (A conflict of another kind looks the same: job_lease_hold tells them apart.) */
enum database_status job_lease_write(struct job_lease *lease, const struct statement *statements, int count,
	PGresult **results) __attribute__((warn_unused_result));
/* The same in two steps, as database_send_together; NOTIFY follows when it is collected. */
enum database_status job_lease_send(struct job_lease *lease, const struct statement *statements, int count)
	__attribute__((warn_unused_result));
enum database_status job_lease_collect(struct job_lease *lease, const struct statement *statements, int count,
	PGresult **results) __attribute__((warn_unused_result));
/* The same, as the last of all: the job is gone with it. */
enum database_status job_lease_finish(struct job_lease *lease, const struct statement *statements, int count,
	PGresult **results) __attribute__((warn_unused_result));
/* Prolongs it (a shared one is proved), where no transaction does for a while. False: it is lost, or
 * nobody can say. */
bool job_lease_hold(struct job_lease *lease) __attribute__((warn_unused_result));
/* Whether it was held last JOB_LEASE_KEEP_MS ago. */
bool job_lease_is_due(const struct job_lease *lease);
/* Prolongs it once it is due: for whatever is silent for long, to be called as often as one
 * likes; not for a shared one. */
bool job_lease_keep(struct job_lease *lease) __attribute__((warn_unused_result));
/* Counts rows that are done, for the metrics. */
void job_lease_count_rows(struct job_lease *lease, int rows);

/* For who claims: gives it back, to be run after a while, or (`stopped`) by whoever comes
 * first. Of a lease that is lost nothing. False: the database did not hear it. */
bool job_lease_release(struct job_lease *lease, bool stopped) __attribute__((warn_unused_result));

#endif
