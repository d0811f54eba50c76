/*
 * import_reports: GET /v1/imports/{id}/report.
 */
#ifndef ROLLCALL_IMPORT_REPORTS_H
#define ROLLCALL_IMPORT_REPORTS_H

#include "request.h"

extern request_step *const import_report_steps[];

#endif
