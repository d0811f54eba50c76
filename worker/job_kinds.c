/*
 * The table of kinds of jobs.
 */
#include "job_kinds.h"

#include "queries.h"
#include "selection.h"

const struct job_kind job_kinds[] = {
	{ "selection", selection_run, &query_selection_give_up, METRIC_JOBS_SELECTION },
};
const int job_kind_count = sizeof(job_kinds) / sizeof(job_kinds[0]);
