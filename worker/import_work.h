/*
 * import_work: what every stage of an import begins with: the import, as whom it works, and
 * what its columns mean.
 */
#ifndef ROLLCALL_IMPORT_WORK_H
#define ROLLCALL_IMPORT_WORK_H

#include "import_columns.h"
#include "job_batch.h"
#include "jobs.h"
#include "policy.h"

struct import_work {
	struct job_lease *lease;
	struct job_maker maker;			/* who uploaded it, or, of undoing, who asked for that */
	struct policy policy;
	const char *charset_wanted;		/* NULL: it is guessed */
	long size;
	bool invites;
	struct import_columns columns;		/* without a mapping before the file was read */
	struct field_definitions *definitions;	/* as the decisions know them, for all pages; in the lease's arena */
	const char *problem;			/* why the stage stops: JSON, in the lease's arena */
};

/* Reads all of it; *is_there: it has not been purged, and is in the state of the stage.
 * `as_actor`: as who asked for this stage. */
enum job_progress import_work_open(struct import_work *work, struct job_lease *lease, const char *state, bool as_actor,
	bool *is_there) __attribute__((warn_unused_result));
void import_work_close(struct import_work *work);
/* Of one that is not there: the job goes. */
enum job_end import_work_drop(struct job_lease *lease) __attribute__((warn_unused_result));

/* Begins a batch of so many rows, as the maker. */
void import_work_batch(struct import_work *work, struct job_batch *batch, job_batch_frame *frame, void *context, int count);

/* {code, detail}, to be kept as the import's problem. */
void import_work_fail(struct import_work *work, const char *code, const char *detail);
/* The end of a run: the state that the import has from then on, or what has stopped it. `tells`: the
 * maker is told by mail. */
enum job_end import_work_end(struct import_work *work, enum job_progress progress, const char *state, bool tells)
	__attribute__((warn_unused_result));

#endif
