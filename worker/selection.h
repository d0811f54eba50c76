/*
 * selection: the job that does something to all users of a selection.
 */
#ifndef ROLLCALL_SELECTION_H
#define ROLLCALL_SELECTION_H

#include "jobs.h"

enum job_end selection_run(struct job_lease *lease);

#endif
