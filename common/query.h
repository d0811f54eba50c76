/*
 * query: one SQL statement from sql/queries, as the programs see it.
 *
 * The build turns every `-- name:` block into `const struct query query_NAME`
 * (build/generated/queries.h and .c). C files hold no SQL.
 */
#ifndef ROLLCALL_QUERY_H
#define ROLLCALL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#define QUERY_PARAMS_MAX 40

enum query_flags {
	/* No row means that a version, a guard or admin_epoch moved: decide again. */
	QUERY_VERSIONED = 1 << 0,
	/* May add outbox rows: NOTIFY follows the commit. */
	QUERY_NOTIFIES = 1 << 1,
	/* Changes something: never sent again on a lost connection. */
	QUERY_WRITES = 1 << 2,
	/* Spans organizations: only the worker's claims and sweeps may. */
	QUERY_ALL_ORGANIZATIONS = 1 << 3,
};

struct query {
	const char *name;
	const char *sql;
	int param_count;
	const char *const *params;	/* their names, in order */
	unsigned flags;			/* enum query_flags */
	int index;			/* place in `queries`, for per-connection state */
};

/* One to be run. */
struct statement {
	const struct query *query;
	const char *const *params;	/* query->param_count texts; NULL is SQL NULL */
};

extern const struct query *const queries[];
extern const int query_count;

#endif
