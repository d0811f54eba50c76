/*
 * connection: one pipelined connection to PostgreSQL, which keeps itself alive.
 *
 * It connects (names resolved off the loop, 5 s, then back-off from 50 ms to 2 s),
 * prepares each statement the first time that a job uses it, sends jobs, collects
 * their results in order, and hands each job back exactly once, from the event
 * loop. What is always true:
 *
 * - Jobs travel in segments; a segment ends in a sync and is one transaction. Jobs
 *   that write have a segment of their own. Reads that are submitted in the same
 *   turn of the loop share one, up to `segment_jobs`: libpq 15 makes one write(2) of
 *   each sync, and PostgreSQL one of each answer to it.
 * - A job is not complete before its sync: a commit can fail.
 * - Read interest is always armed; while output is pending it waits for read and
 *   write, drains input, and flushes again.
 *
 * Which job goes where, how many, and what becomes of those that come back without
 * an answer, is the lane's affair.
 */
#ifndef ROLLCALL_CONNECTION_H
#define ROLLCALL_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "job.h"

struct conninfo;
struct connection;
struct event_base;
struct resolver;
struct shared_page;

#define SEGMENT_JOBS_MAX 16

enum job_fate {
	JOB_ANSWERED,		/* its result says how */
	JOB_UNANSWERED,		/* the connection was lost: it may have run or not */
	JOB_DISPLACED,		/* not run: a job before it in its segment failed */
};

/* What the connections of a lane have in common; outlives them. */
struct connection_settings {
	struct event_base *base;
	const struct conninfo *info;
	struct resolver *resolver;
	struct shared_page *page;
	int child, lane;		/* for the metrics */
	const char *name;		/* of the lane */
	const char *application_name;
	char *options;			/* libpq's keyword: settings of the session */
	int segment_jobs;		/* at most SEGMENT_JOBS_MAX */
	int64_t *next_complaint_ms;	/* when a failure to connect may be logged again */

	void *owner;
	/* The job is the owner's again. */
	void (*on_job)(void *owner, struct job *job, enum job_fate fate);
	/* Came up, or has a place again. */
	void (*on_ready)(void *owner);
	void (*on_down)(void *owner);
};

struct connection *connection_create(const struct connection_settings *settings);
/* Hands its jobs back as JOB_UNANSWERED. Not inside one of its callbacks. */
void connection_free(struct connection **connection);

bool connection_is_up(const struct connection *connection);
/* Jobs sent and not yet answered. */
int connection_load(const struct connection *connection);
/* Whether one more read would share a sync that is still to be sent. */
bool connection_is_open(const struct connection *connection);
/* Takes the job. Only while up. */
void connection_send(struct connection *connection, struct job *job);
/* To be called now and then: gives a connection up that has owed an answer for 15 s. */
void connection_check(struct connection *connection, int64_t now_ms);

#endif
