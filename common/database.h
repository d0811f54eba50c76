/*
 * database: blocking access to PostgreSQL, for the worker and the command line.
 * (The server's event loop has lanes of its own: server/lane.h.)
 *
 * A connection is lost and made anew without the caller's doing: a query on a
 * lost connection fails once, the next one reconnects. Nothing is resent.
 */
#ifndef ROLLCALL_DATABASE_H
#define ROLLCALL_DATABASE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "query.h"

struct database;
struct shared_page;

#define DATABASE_LOCK_TIMEOUT_MS 500

/* The settings that every connection of Rollcall starts with, as the value of
 * libpq's keyword `options`: search_path, UTC, ISO dates and intervals, lock_timeout,
 * statement_timeout (0: none), and behind them what the connection string itself
 * says. (UTF-8 goes with client_encoding.) The caller frees it. */
char *database_options(const char *url, int statement_timeout_ms);

/* `url` is a libpq connection string (of several hosts the one that takes writes is
 * used); dies when it is malformed. Connects lazily. */
struct database *database_create(const char *url, const char *application_name,
	int statement_timeout_ms);
/* One more with the same settings. */
struct database *database_create_beside(const struct database *database);
void database_free(struct database **database);
/* From now on what fails, and what is connected anew after a loss, is counted. */
void database_count(struct database *database, struct shared_page *page);
/* From now on each statement is planned for its values, and for tables as they
 * are at that moment: for few statements about much. */
void database_plan_for_values(struct database *database);
/* Connects now if not connected. False, logged, when it cannot. */
bool database_connect(struct database *database) __attribute__((warn_unused_result));

enum database_status {
	DATABASE_OK,
	DATABASE_CONFLICT,	/* 40001, 40P01, 55P03: try again; 22012: a fence of our own */
	DATABASE_CONSTRAINT,	/* class 23: database_violated names it; logged as a warning */
	DATABASE_LOST,		/* connection gone; a write may have committed */
	DATABASE_ERROR,		/* anything else; logged with SQLSTATE and constraint */
};

struct database_result {
	enum database_status status;
	PGresult *rows;			/* NULL unless OK; owned by the caller: PQclear */
	char sqlstate[6];
	char constraint[64];		/* "" when none */
};

/* Runs a prepared query with text parameters (NULL is SQL NULL). */
struct database_result database_run(struct database *database, const struct query *query,
	const char *const *params) __attribute__((warn_unused_result));
/* Several in one transaction (one pipeline segment): all or nothing. Results of
 * statement i at results[i]; the status returned is that of the whole. */
enum database_status database_run_together(struct database *database,
	const struct statement *statements, int count, PGresult **results)
	__attribute__((warn_unused_result));
/* The same in two steps, for who has something else to do meanwhile. Between them the connection
 * is for nothing else; nothing is to be collected of what could not be sent. */
enum database_status database_send_together(struct database *database,
	const struct statement *statements, int count) __attribute__((warn_unused_result));
enum database_status database_collect_together(struct database *database,
	const struct statement *statements, int count, PGresult **results)
	__attribute__((warn_unused_result));
/* The constraint that the last failure was about; "" when none. */
const char *database_violated(const struct database *database);

/* For LISTEN and waiting: waits until a notification on `channel` comes, the
 * time is up, or a signal interrupts. Returns true when notified. Reconnects
 * and listens anew when the connection was lost (and then returns true, for what
 * may have been missed). */
bool database_wait(struct database *database, const char *channel, int64_t timeout_ms);
/* NOTIFY in a transaction of its own, after the commit that it tells of. */
void database_notify(struct database *database, const char *channel);
/* The raw connection, for migrations; connected or NULL. */
PGconn *database_connection(struct database *database);

#define OUTBOX_CHANNEL "rollcall_outbox"

#endif
