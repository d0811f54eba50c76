/*
 * imports: the three stages of an import: the dry run, applying, undoing.
 */
#ifndef ROLLCALL_IMPORTS_H
#define ROLLCALL_IMPORTS_H

#include "jobs.h"

job_run import_parse_run;	/* parsing -> ready, or failed */
job_run import_apply_run;	/* applying -> applied, or failed where it had to stop */
job_run import_undo_run;	/* undoing -> undone */

#endif
