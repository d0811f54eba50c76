/*
 * lane: non-blocking access to PostgreSQL for one server process.
 *
 * Three lanes (DESIGN.md §7), each some connections in pipeline mode: `read`
 * pipelines deep on few connections, `write` keeps one job in flight on each of
 * many, `slow` is for lists and search. A lane is bounded: past its bound a job is
 * refused at once.
 *
 * Everybody is authenticated on `read`, and behind what is sent there: nothing on it may
 * grow with the organization. It finds rows by their keys, as many as the request names.
 * Whatever counts users, or looks for one among them, is for `slow`.
 *
 * A job is one or more statements before one sync: one implicit transaction, one
 * round trip. Every accepted job completes exactly once, never inside lane_submit:
 * with rows, with an error, or with a lost connection. A read on a lost connection
 * is sent again, once to a connection made since; a write never is (it may have
 * committed). While a lane has no connection, jobs wait for one, a second at most: a
 * restart of PostgreSQL is bridged. Callbacks run in the event loop; they may submit,
 * but not free the lanes.
 */
#ifndef ROLLCALL_LANE_H
#define ROLLCALL_LANE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "query.h"

struct config;
struct event_base;
struct shared_page;
struct lanes;

enum lane { LANE_READ, LANE_WRITE, LANE_SLOW, LANE_COUNT };

#define JOB_STATEMENTS_MAX 10

enum job_status {
	JOB_OK,			/* rows[i] holds the rows of statement i */
	JOB_CONSTRAINT,		/* class 23: `constraint` names it */
	JOB_CONFLICT,		/* 40001, 40P01: decide again */
	JOB_BUSY,		/* 55P03 lock_timeout, 57014 statement_timeout, class 53: 503 */
	JOB_LOST,		/* connection lost, or never had: 503 */
	JOB_ERROR,		/* anything else, logged already: 500 */
};

struct job_result {
	enum job_status status;
	int count;		/* of rows; 0 unless JOB_OK */
	PGresult **rows;	/* cleared after the callback, unless job_result_take took them */
	const char *query;	/* name of the statement that failed; NULL when none did */
	char sqlstate[6];
	char constraint[64];	/* "" when none */
};

typedef void job_callback(void *context, struct job_result *result);

/* Hands the rows of one statement over; the caller clears them. */
PGresult *job_result_take(struct job_result *result, int statement);

/* ROLLCALL_DB_* count for all processes together: each takes its share, rounded
 * down, and at least one connection a lane. Connecting starts at once and goes on
 * by itself, with back-off. */
struct lanes *lanes_create(struct event_base *base, const struct config *config,
	struct shared_page *page, int child);
/* Every job still open completes with JOB_LOST. */
void lanes_free(struct lanes **lanes);

/* Copies the parameters. False when the lane is full, or has no connection and its
 * waiting room is full, or there are no lanes any more (NULL): the caller answers 503; the callback will not come. */
bool lane_submit(struct lanes *lanes, enum lane lane, const struct statement *statements,
	int count, job_callback *callback, void *context) __attribute__((warn_unused_result));

/* NOTIFY after commits, at most once in 10 ms (DESIGN.md §2.6). Jobs whose query
 * has QUERY_NOTIFIES do this by themselves when they complete with JOB_OK. */
void lanes_notify_soon(struct lanes *lanes);

#endif
