/*
 * database: one blocking connection, for loops that may wait.
 *
 * Owns connecting (with the settings that every connection of Rollcall has),
 * preparing each query at its first use, and telling apart what a failure means.
 * A prepared query belongs to the connection: a new one forgets them all.
 * Nothing is ever sent twice, and PostgreSQL's DETAIL is never logged: it quotes
 * the values of rows.
 */
#include "database_priv.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "log.h"
#include "memory.h"
#include "shared_page.h"

#define CONNECT_TIMEOUT_S "5"
#define TCP_USER_TIMEOUT_MS "15000"
#define KEEPALIVES_IDLE_S "30"

struct database *
database_create(const char *url, const char *application_name, int statement_timeout_ms)
{
	struct database *database = xcalloc(1, sizeof(*database));
	PQconninfoOption *parts = PQconninfoParse(url, NULL);

	/* libpq's own message would quote the text, password and all. */
	if (parts == NULL)
		die("could not read the database's connection string: it is malformed");
	PQconninfoFree(parts);
	database->url = xstrdup(url);
	database->application_name = xstrdup(application_name);
	database->statement_timeout_ms = statement_timeout_ms;
	database->prepared = xcalloc((size_t)query_count + 1, sizeof(*database->prepared));
	return database;
}

struct database *
database_create_beside(const struct database *database)
{
	struct database *beside = database_create(database->url, database->application_name, database->statement_timeout_ms);

	beside->page = database->page;
	beside->plans_for_values = database->plans_for_values;
	return beside;
}

void
database_disconnect(struct database *database)
{
	PQfinish(database->connection);
	database->connection = NULL;
	memset(database->prepared, 0, (size_t)query_count * sizeof(*database->prepared));
	free(database->listening);
	database->listening = NULL;
}

void
database_count(struct database *database, struct shared_page *page)
{
	database->page = page;
}

void
database_plan_for_values(struct database *database)
{
	database->plans_for_values = true;
}

void
database_free(struct database **database)
{
	if (*database == NULL)
		return;
	database_disconnect(*database);
	free((*database)->url);
	free((*database)->application_name);
	free((*database)->prepared);
	free(*database);
	*database = NULL;
}

/* libpq's messages are several lines; a log line is one. */
static char *
one_line(const char *text)
{
	char *line = xstrdup(text);

	for (char *at = line; *at != '\0'; at++)
		if (*at == '\n' || *at == '\t')
			*at = ' ';
	for (size_t length = strlen(line); length > 0 && line[length - 1] == ' '; length--)
		line[length - 1] = '\0';
	return line;
}

char *
database_options(const char *url, int statement_timeout_ms)
{
	struct buffer options = BUFFER_INIT;
	PQconninfoOption *given = PQconninfoParse(url, NULL);

	/* pg_catalog comes first without being named; public holds the extensions.
	 * Plans are kept for as long as the connection: one that was made while a table
	 * was small must not read all of it when it is large, so nothing is read whole
	 * that an index leads to. Compiling a plan takes longer than any of ours runs. */
	buffer_printf(&options, "-c search_path=rollcall,public -c lock_timeout=%d -c statement_timeout=%d"
		" -c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c enable_seqscan=off -c jit=off",
		DATABASE_LOCK_TIMEOUT_MS, statement_timeout_ms);
	/* What the operator says in the connection string comes last, and wins. */
	for (const PQconninfoOption *option = given; option != NULL && option->keyword != NULL; option++)
		if (strcmp(option->keyword, "options") == 0 && option->val != NULL)
			buffer_printf(&options, " %s", option->val);
	PQconninfoFree(given);
	return buffer_take(&options);
}

/* The connection string may set what stands before it, and not what stands after. */
static PGconn *
open_connection(const struct database *database)
{
	char *options = database_options(database->url, database->statement_timeout_ms);
	const char *const keywords[] = {
		"connect_timeout", "tcp_user_timeout", "keepalives_idle", "target_session_attrs",
		"dbname", "application_name", "client_encoding", "options", NULL,
	};
	const char *const values[] = {
		CONNECT_TIMEOUT_S, TCP_USER_TIMEOUT_MS, KEEPALIVES_IDLE_S, "read-write",
		database->url, database->application_name, "UTF8", options, NULL,
	};
	PGconn *connection = PQconnectdbParams(keywords, values, 1);

	free(options);
	return connection;
}

/* Notices tell of what a migration skipped; DETAIL and HINT stay out. */
static void
log_notice(void *context, const PGresult *notice)
{
	const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	(void)context;
	log_debug("notice from the database", "notice", message, NULL);
}

bool
database_connect(struct database *database)
{
	char *reason;

	if (database->connection != NULL && PQstatus(database->connection) == CONNECTION_OK)
		return true;
	database_disconnect(database);
	database->connection = open_connection(database);
	if (PQstatus(database->connection) == CONNECTION_OK) {
		PQsetNoticeReceiver(database->connection, log_notice, NULL);
		if (database->was_connected && database->page != NULL)
			metric_add(database->page, METRIC_DATABASE_RECONNECTS, 1);
		database->was_connected = true;
		if (database->is_down)
			log_info("connected to the database again", NULL);
		database->is_down = false;
		return true;
	}
	/* Once for each outage; those who wait for its end would fill the log. */
	reason = one_line(PQerrorMessage(database->connection));
	log_event(database->is_down ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		"could not connect to the database", "reason", reason, NULL);
	free(reason);
	database->is_down = true;
	database_disconnect(database);
	return false;
}

PGconn *
database_connection(struct database *database)
{
	return database_connect(database) ? database->connection : NULL;
}

static bool
is_one_of(const char *sqlstate, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strncmp(sqlstate, *list, strlen(*list)) == 0)
			return true;
	return false;
}

static enum database_status
classify(const char *sqlstate, bool is_connected)
{
	/* Serialization failure, deadlock, lock timeout; and our own: a statement divides by
	 * zero where the transaction shall not stand (job_hold). */
	static const char *const conflicts[] = { "40001", "40P01", "55P03", "22012", NULL };
	/* Connection exceptions, shutdowns, and a server that failed over and is
	 * now only a standby: the next connection finds its successor. */
	static const char *const losses[] = { "08", "57P01", "57P02", "57P03", "25006", NULL };

	if (!is_connected || is_one_of(sqlstate, losses))
		return DATABASE_LOST;
	if (is_one_of(sqlstate, conflicts))
		return DATABASE_CONFLICT;
	return strncmp(sqlstate, "23", 2) == 0 ? DATABASE_CONSTRAINT : DATABASE_ERROR;
}

/* What PostgreSQL says is left out where it may quote values: data exceptions and
 * violated constraints. There the SQLSTATE and the constraint's name say enough. */
static const char *
safe_message(const PGresult *result, const char *sqlstate)
{
	static const char *const quoting[] = { "22", "23", "P0", NULL };

	return is_one_of(sqlstate, quoting) ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}

/* A violated constraint is often a race that the caller expects. */
static enum log_level
level_of(enum database_status status)
{
	if (status == DATABASE_CONFLICT)
		return LOG_LEVEL_DEBUG;
	return status == DATABASE_CONSTRAINT ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR;
}

static void
count_fault(const struct database *database, const struct database_result *result)
{
	static const enum database_fault faults[] = {
		[DATABASE_CONFLICT] = DATABASE_FAULT_CONFLICT, [DATABASE_CONSTRAINT] = DATABASE_FAULT_CONSTRAINT,
		[DATABASE_LOST] = DATABASE_FAULT_LOST, [DATABASE_ERROR] = DATABASE_FAULT_OTHER,
	};
	/* Locks and statements that took too long, and no room: the server's lanes call it busy. */
	static const char *const busy[] = { "55P03", "57014", "53", NULL };

	if (database->page != NULL)
		metric_add_by(database->page, METRIC_DATABASE_ERRORS,
			(int)(is_one_of(result->sqlstate, busy) ? DATABASE_FAULT_BUSY : faults[result->status]), 0, 1);
}

/* Takes a failed result (NULL: there was none), logs it, and leaves a connection
 * that the next call can use, or none. */
static struct database_result
fail(struct database *database, const struct query *query, PGresult *failed)
{
	struct database_result result = { .rows = NULL };
	const char *sqlstate = PQresultErrorField(failed, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME);

	strncpy(result.sqlstate, sqlstate != NULL ? sqlstate : "", sizeof(result.sqlstate) - 1);
	strncpy(result.constraint, constraint != NULL ? constraint : "", sizeof(result.constraint) - 1);
	result.status = classify(result.sqlstate, PQstatus(database->connection) == CONNECTION_OK);
	count_fault(database, &result);
	memcpy(database->violated, result.constraint, sizeof(database->violated));
	log_event(level_of(result.status),
		result.status == DATABASE_LOST ? "lost the connection to the database" : "could not run query",
		"query", query->name, "sqlstate", sqlstate, "constraint", constraint,
		"reason", safe_message(failed, result.sqlstate), NULL);
	PQclear(failed);
	/* 0A000: a migration changed what a prepared query returns; a new connection
	 * prepares it anew. */
	if (result.status == DATABASE_LOST || strcmp(result.sqlstate, "0A000") == 0)
		database_disconnect(database);
	return result;
}

bool
database_succeeded(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* False: *failure says why. */
static bool
prepare(struct database *database, const struct query *query, struct database_result *failure)
{
	PGresult *result;

	if (!database_connect(database)) {
		*failure = (struct database_result){ .status = DATABASE_LOST };
		return false;
	}
	if (database->plans_for_values || database->prepared[query->index])
		return true;
	result = PQprepare(database->connection, query->name, query->sql, 0, NULL);
	if (!database_succeeded(result)) {
		*failure = fail(database, query, result);
		return false;
	}
	PQclear(result);
	database->prepared[query->index] = true;
	return true;
}

/* A statement without a name is planned each time, for its values. The checks of foreign keys
 * that it brings keep their plans: plan_cache_mode would plan those, too, for every row. */
static bool
send_statement(const struct database *database, const struct query *query, const char *const *params)
{
	PGconn *connection = database->connection;
	const int count = query->param_count;

	return (database->plans_for_values
		? PQsendQueryParams(connection, query->sql, count, NULL, params, NULL, NULL, 0)
		: PQsendQueryPrepared(connection, query->name, count, params, NULL, NULL, 0)) == 1;
}

/* The one result of what was sent alone; NULL: lost. */
static PGresult *
only_result(PGconn *connection)
{
	PGresult *first = PQgetResult(connection), *more;

	while ((more = PQgetResult(connection)) != NULL)
		PQclear(more);
	return first;
}

struct database_result
database_run(struct database *database, const struct query *query, const char *const *params)
{
	struct database_result result;
	PGresult *rows;

	if (!prepare(database, query, &result))
		return result;
	rows = send_statement(database, query, params) ? only_result(database->connection) : NULL;
	if (!database_succeeded(rows))
		return fail(database, query, rows);
	return (struct database_result){ .status = DATABASE_OK, .rows = rows };
}

/* The next result that is not the NULL between two statements; NULL: lost. */
static PGresult *
next_result(PGconn *connection)
{
	PGresult *result = PQgetResult(connection);

	return result != NULL ? result : PQgetResult(connection);
}

static bool
send_all(const struct database *database, const struct statement *statements, int count)
{
	if (PQenterPipelineMode(database->connection) == 0)
		return false;
	for (int i = 0; i < count; i++)
		if (!send_statement(database, statements[i].query, statements[i].params))
			return false;
	return PQpipelineSync(database->connection) == 1;
}

enum database_status
database_send_together(struct database *database, const struct statement *statements, int count)
{
	struct database_result failure;

	/* Before the pipeline: a failure to prepare must not poison it. */
	for (int i = 0; i < count; i++)
		if (!prepare(database, statements[i].query, &failure))
			return failure.status;
	if (send_all(database, statements, count))
		return DATABASE_OK;
	log_error("lost the connection to the database", "query", statements[0].query->name, NULL);
	database_disconnect(database);
	return DATABASE_LOST;
}

/* Up to the sync. Statement `count` stands for the commit, which can fail
 * as well. Only the first failure says why; what follows it was skipped. */
enum database_status
database_collect_together(struct database *database, const struct statement *statements, int count,
	PGresult **results)
{
	PGresult *result, *failed = NULL;
	int at = 0, culprit = 0;

	memset(results, 0, (size_t)count * sizeof(*results));
	while ((result = next_result(database->connection)) != NULL
		&& PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
		if (at < count && database_succeeded(result)) {
			results[at++] = result;
		} else if (failed == NULL) {
			failed = result;
			culprit = at < count ? at : count - 1;
		} else {
			PQclear(result);
		}
	}
	if (result != NULL && failed == NULL && PQexitPipelineMode(database->connection) == 1) {
		PQclear(result);
		return DATABASE_OK;
	}
	for (int i = 0; i < at; i++) {
		PQclear(results[i]);
		results[i] = NULL;
	}
	PQclear(result);
	if (result != NULL && PQexitPipelineMode(database->connection) == 1)
		return fail(database, statements[culprit].query, failed).status;
	/* Without a sync nobody knows what became of it. */
	(void)fail(database, statements[culprit].query, failed);
	database_disconnect(database);
	return DATABASE_LOST;
}

enum database_status
database_run_together(struct database *database, const struct statement *statements,
	int count, PGresult **results)
{
	const enum database_status status = database_send_together(database, statements, count);

	if (status == DATABASE_OK)
		return database_collect_together(database, statements, count, results);
	memset(results, 0, (size_t)count * sizeof(*results));
	return status;
}

const char *
database_violated(const struct database *database)
{
	return database->violated;
}
