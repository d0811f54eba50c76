/*
 * job: see job.h. What a SQLSTATE means to a caller is the table below, the only
 * place; what may be logged of an error is decided here too.
 */
#include "job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"

/* Prefixes of SQLSTATEs, first match. What stands nowhere is JOB_ERROR. */
static const struct {
	const char *prefix;
	enum job_status status;
} meanings[] = {
	{ "23", JOB_CONSTRAINT },
	{ "40001", JOB_CONFLICT },
	{ "40P01", JOB_CONFLICT },
	{ "22012", JOB_CONFLICT },	/* our own: not all of it came to pass (user_batch_keep_whole) */
	{ "53", JOB_BUSY },		/* connections, memory, disk: insufficient */
	{ "55P03", JOB_BUSY },
	{ "57014", JOB_BUSY },
	{ "08", JOB_LOST },
	{ "57P", JOB_LOST },		/* shut down, crashed, starting, terminated */
	{ "25006", JOB_LOST },		/* read only: the server became a standby */
	{ "26000", JOB_LOST },		/* someone deallocated what we had prepared */
	{ "0A000", JOB_LOST },		/* a migration changed what a prepared statement
					 * returns; a new connection prepares it anew */
};

static size_t
params_size(const struct statement *statement)
{
	size_t size = (size_t)statement->query->param_count * sizeof(char *);

	for (int i = 0; i < statement->query->param_count; i++)
		if (statement->params[i] != NULL)
			size += strlen(statement->params[i]) + 1;
	return size;
}

/* All arrays first, then all texts, so that the arrays are aligned. */
static void
copy_params(struct job *job, const struct statement *statements)
{
	const char **params = (const char **)(job + 1);
	int total = 0;
	char *text;

	for (int i = 0; i < job->count; i++)
		total += statements[i].query->param_count;
	text = (char *)(params + total);
	for (int i = 0; i < job->count; i++) {
		job->statements[i] = (struct statement){ statements[i].query, params };
		for (int k = 0; k < statements[i].query->param_count; k++, params++) {
			if (statements[i].params[k] == NULL) {
				*params = NULL;
				continue;
			}
			*params = text;
			text = stpcpy(text, statements[i].params[k]) + 1;
		}
	}
}

struct job *
job_create(const struct statement *statements, int count, job_callback *callback, void *context)
{
	size_t size = sizeof(struct job);
	struct job *job;

	assert(count > 0 && count <= JOB_STATEMENTS_MAX);
	for (int i = 0; i < count; i++)
		size += params_size(&statements[i]);
	job = xmalloc(size);
	*job = (struct job){ .count = count, .callback = callback, .context = context };
	copy_params(job, statements);
	for (int i = 0; i < count; i++) {
		job->writes |= (statements[i].query->flags & QUERY_WRITES) != 0;
		job->notifies |= (statements[i].query->flags & QUERY_NOTIFIES) != 0;
	}
	job->alone = job->writes;
	job->result.rows = job->rows;
	return job;
}

static void
clear_rows(struct job *job)
{
	for (int i = 0; i < job->count; i++) {
		PQclear(job->rows[i]);
		job->rows[i] = NULL;
	}
	job->result.count = 0;
}

static void
job_free(struct job **job)
{
	if (*job == NULL)
		return;
	clear_rows(*job);
	free(*job);
	*job = NULL;
}

void
job_reset(struct job *job)
{
	clear_rows(job);
	job->answered = 0;
	job->was_displaced = false;
	job->result = (struct job_result){ .status = JOB_OK, .rows = job->rows };
}

static enum job_status
classify(const char *sqlstate)
{
	/* Without a SQLSTATE it is libpq that speaks, of the connection. */
	if (sqlstate[0] == '\0')
		return JOB_LOST;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) == 0)
			return meanings[i].status;
	return JOB_ERROR;
}

static void
copy_field(char *out, size_t size, const PGresult *failed, int field)
{
	const char *text = failed != NULL ? PQresultErrorField(failed, field) : NULL;
	size_t length = text != NULL ? strnlen(text, size - 1) : 0;

	if (length > 0)
		memcpy(out, text, length);
	out[length] = '\0';
}

/* PostgreSQL's own words stay out, for they may quote e-mail addresses; but what it
 * says of a statement that does not fit the schema (class 42) holds no values. */
static void
log_failure(const struct job_result *result, const PGresult *failed)
{
	const char *constraint = result->constraint[0] != '\0' ? result->constraint : NULL;
	const char *reason = strncmp(result->sqlstate, "42", 2) == 0
		? PQresultErrorField(failed, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (result->status == JOB_ERROR)
		log_error("could not run query", "query", result->query, "sqlstate", result->sqlstate,
			"constraint", constraint, "reason", reason, NULL);
	else if (result->status == JOB_BUSY)
		log_warn("could not run query in time", "query", result->query,
			"sqlstate", result->sqlstate, NULL);
}

void
job_fail(struct job *job, const char *query, const PGresult *failed)
{
	struct job_result *result = &job->result;

	if (result->status != JOB_OK)
		return;
	clear_rows(job);
	result->query = query;
	copy_field(result->sqlstate, sizeof(result->sqlstate), failed, PG_DIAG_SQLSTATE);
	copy_field(result->constraint, sizeof(result->constraint), failed, PG_DIAG_CONSTRAINT_NAME);
	result->status = classify(result->sqlstate);
	log_failure(result, failed);
}

void
job_take(struct job *job, PGresult *rows)
{
	ExecStatusType status = PQresultStatus(rows);

	assert(job->answered < job->count);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		job->rows[job->answered++] = rows;
		job->result.count++;
		return;
	}
	/* PGRES_PIPELINE_ABORTED follows a failure and adds nothing to it. */
	if (status != PGRES_PIPELINE_ABORTED)
		job_fail(job, job->statements[job->answered].query->name, rows);
	PQclear(rows);
	job->answered++;
}

PGresult *
job_result_take(struct job_result *result, int statement)
{
	PGresult *rows;

	assert(statement >= 0 && statement < result->count);
	rows = result->rows[statement];
	result->rows[statement] = NULL;
	return rows;
}

void
job_complete(struct job **job)
{
	(*job)->callback((*job)->context, &(*job)->result);
	job_free(job);
}
