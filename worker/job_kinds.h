/*
 * job_kinds: the table of what there is to do for jobs, the one place to register.
 */
#ifndef ROLLCALL_JOB_KINDS_H
#define ROLLCALL_JOB_KINDS_H

#include "jobs.h"
#include "query.h"
#include "shared_page.h"

struct job_kind {
	const char *kind;		/* rollcall.job.kind */
	job_run *run;
	/* (org_id, id, problem): after too many attempts it is said to have failed. */
	const struct query *give_up;
	/* (org_id, id, mail_id): who waits for its end is told by mail; NULL: nobody is. */
	const struct query *tell;
	enum metric_job metric;
};

extern const struct job_kind job_kinds[];
extern const int job_kind_count;

#endif
