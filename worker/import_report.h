/*
 * import_report: the report of an import that came as a workbook, as a workbook.
 */
#ifndef ROLLCALL_IMPORT_REPORT_H
#define ROLLCALL_IMPORT_REPORT_H

#include "database.h"

struct job_lease;

/* For the job of an import, when a stage is done and before its state says so (nobody is given
 * the report before that): makes the report of the rows as they are and puts it in the place
 * of the one before. Does nothing where the file was no workbook. DATABASE_OK: done; or there
 * is none, because a workbook cannot hold it, or there is no room for its temporary files: the
 * route then answers CSV. Otherwise as job_lease_write; called again, it begins anew.
 * DATABASE_ERROR also when the worker stops. */
enum database_status import_report_write(struct job_lease *lease) __attribute__((warn_unused_result));

#endif
