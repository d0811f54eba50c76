/*
 * worker: what each child of the worker holds: configuration, its connection, memory.
 */
#ifndef ROLLCALL_WORKER_H
#define ROLLCALL_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "memory.h"
#include "transition.h"

struct config;
struct shared_page;

/* A number that is defined, as the text that a query takes. */
#define TEXT_OF(number) #number
#define AS_TEXT(number) TEXT_OF(number)

struct worker {
	const struct config *config;
	struct shared_page *page;
	struct database *database;
	int child;		/* place in the shared page */
	/* Of the clock's task in hand: */
	int64_t task_rows;	/* what it has moved or removed so far, */
	bool task_failed;	/* and whether a query came to nothing */
	char name[64];		/* who holds a lease: host, process, a random part */
};

/* Returns when the database is there and its schema fits, or on SIGTERM. */
void worker_open(struct worker *worker, const struct config *config, struct shared_page *page,
	int child, const char *role);
/* The same worker on a connection more. False, logged: there is none to be had. */
bool worker_open_beside(struct worker *beside, const struct worker *worker) __attribute__((warn_unused_result));
void worker_close(struct worker *worker);

/* Rows of a query without a reason to fail; NULL, logged already, otherwise. */
PGresult *worker_query(struct worker *worker, const struct query *query, const char *const *params);
/* Runs a batch of transitions and nudges the senders. How many users moved; -1 when it
 * failed. A user whose version moved is left out: the next sweep sees him again. */
int worker_transition(struct worker *worker, struct transition_batch *batch);

#endif
