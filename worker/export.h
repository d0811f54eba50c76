/*
 * export: the job that makes a file of an organization's users.
 */
#ifndef ROLLCALL_EXPORT_H
#define ROLLCALL_EXPORT_H

#include "jobs.h"

enum job_end export_run(struct job_lease *lease);

#endif
