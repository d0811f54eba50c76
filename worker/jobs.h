/*
 * jobs: what a job child does: claims a job, runs it, and again.
 */
#ifndef ROLLCALL_JOBS_H
#define ROLLCALL_JOBS_H

struct config;
struct job_lease;
struct shared_page;

/* A job child that prolongs no lease for longer hangs, and is killed. */
#define JOB_DEADLINE_S 120

/* How a run ended. */
enum job_end {
	JOB_ENDED,	/* it is done, or failed for good, and said so: job_lease_finish */
	JOB_LATER,	/* something was not there (database, memory): again, after a while */
	JOB_STOPPED,	/* SIGTERM, or the lease is lost: whoever has it next goes on */
};

/* It goes on where the one before it stopped: what it has done is in its rows. It asks
 * supervisor_stopping() between its transactions. What fails may always be JOB_LATER: of
 * a lease that is lost nothing is released. */
typedef enum job_end job_run(struct job_lease *lease);

/* Runs until SIGTERM; returns the exit code. `run_id` names this run of the program, and is
 * the same in all of its children: a child knows by it what the one died with whose place
 * (`child`) it takes. */
int jobs_run(const struct config *config, struct shared_page *page, const char *run_id, int child);

#endif
