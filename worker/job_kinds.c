/*
 * The table of kinds of jobs.
 */
#include "job_kinds.h"

#include "export.h"
#include "imports.h"
#include "queries.h"
#include "selection.h"

const struct job_kind job_kinds[] = {
	{ "import_parse", import_parse_run, &query_import_give_up, NULL, METRIC_JOB_IMPORT_PARSE },
	{ "import_apply", import_apply_run, &query_import_give_up, &query_import_tell, METRIC_JOB_IMPORT_APPLY },
	{ "import_undo", import_undo_run, &query_import_give_up, NULL, METRIC_JOB_IMPORT_UNDO },
	{ "export", export_run, &query_export_give_up, NULL, METRIC_JOB_EXPORT },
	{ "selection", selection_run, &query_selection_give_up, NULL, METRIC_JOB_SELECTION },
};
const int job_kind_count = sizeof(job_kinds) / sizeof(job_kinds[0]);
