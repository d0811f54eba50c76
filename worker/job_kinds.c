/*
 * The table of kinds of jobs.
 */
#include "job_kinds.h"

#include "export.h"
#include "queries.h"

const struct job_kind job_kinds[] = {
	{ "export", export_run, &query_export_give_up, METRIC_JOBS_EXPORT },
	{ 0 },
};
const int job_kind_count = sizeof(job_kinds) / sizeof(job_kinds[0]) - 1;
