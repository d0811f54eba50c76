/*
 * The maker of a job as a caller, as if he asked at this moment.
 */
#include "job_caller.h"

#include <string.h>

#include "queries.h"
#include "subject.h"

enum job_caller_state
job_caller_read(struct job_lease *lease, const char *kind, const char *id, struct arena *arena, struct caller *caller)
{
	PGresult *rows = worker_query(lease->worker, &query_job_caller, (const char *const[]){ lease->org_id, kind, id });
	const bool is_there = rows != NULL && PQntuples(rows) > 0;

	if (is_there)
		*caller = (struct caller){
			.kind = strcmp(kind, "user") == 0 ? CALLER_USER : CALLER_API_KEY,
			.id = arena_copy(arena, id),
			.role_id = row_copy(arena, rows, 0, "role_id"),
			.admin_epoch = row_copy(arena, rows, 0, "admin_epoch"),
			.language = row_copy(arena, rows, 0, "language"),
			.permissions = permission_set_parse(arena, row_text(rows, 0, "permissions")),
		};
	const enum job_caller_state state = rows == NULL ? JOB_CALLER_UNKNOWN : is_there ? JOB_CALLER_THERE : JOB_CALLER_GONE;
	PQclear(rows);
	return state;
}
