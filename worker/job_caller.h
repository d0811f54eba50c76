/*
 * job_caller: as whom a job acts.
 */
#ifndef ROLLCALL_JOB_CALLER_H
#define ROLLCALL_JOB_CALLER_H

#include "job_lease.h"
#include "proposal.h"

enum job_caller_state {
	JOB_CALLER_THERE,
	JOB_CALLER_GONE,	/* no longer active, or his key is revoked */
	JOB_CALLER_UNKNOWN,	/* the database did not answer */
};

/* Reads its maker (columns maker_kind, maker_id) with the permissions that he has now; texts
 * live in `arena`. Read anew before each round of a batch: his admin_epoch gates what takes
 * administrators away. */
enum job_caller_state job_caller_read(struct job_lease *lease, const char *kind, const char *id, struct arena *arena,
	struct caller *caller) __attribute__((warn_unused_result));

#endif
