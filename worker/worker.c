/*
 * What the worker's children have in common. After an error nothing is lost: the rows
 * are still due, and the next round finds them.
 */
#include "worker.h"

#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "queries.h"
#include "service.h"
#include "uuid.h"

/* A sweep of a thousand rows may take its time; a hung one must not take for ever. */
#define STATEMENT_TIMEOUT_MS 30000

void
worker_open(struct worker *worker, const struct config *config, struct shared_page *page,
	int child, const char *role)
{
	char host[32] = "", application[64], id[UUID_TEXT_SIZE];

	*worker = (struct worker){ .config = config, .page = page, .child = child };
	gethostname(host, sizeof(host) - 1);
	uuid_make_text(id);
	snprintf(worker->name, sizeof(worker->name), "%s/%d/%s", host, (int)getpid(), id + 24);
	snprintf(application, sizeof(application), "rollcall-worker/%s", role);
	worker->database = database_create(config->database_url, application, STATEMENT_TIMEOUT_MS);
	database_count(worker->database, page);
	service_await_schema(worker->database);
}

bool
worker_open_beside(struct worker *beside, const struct worker *worker)
{
	*beside = *worker;
	beside->database = database_create_beside(worker->database);
	if (database_connect(beside->database))
		return true;
	worker_close(beside);
	return false;
}

void
worker_close(struct worker *worker)
{
	database_free(&worker->database);
}

PGresult *
worker_query(struct worker *worker, const struct query *query, const char *const *params)
{
	struct database_result result = database_run(worker->database, query, params);

	if (result.status == DATABASE_OK)
		return result.rows;
	worker->task_failed = true;
	PQclear(result.rows);
	return NULL;
}

int
worker_transition(struct worker *worker, struct transition_batch *batch)
{
	PGresult *moved = worker_query(worker, &query_user_transition,
		transition_batch_params(batch, transition_actor_system));
	int count = moved != NULL ? PQntuples(moved) : -1;

	PQclear(moved);
	worker->task_rows += count > 0 ? count : 0;
	if (count > 0)
		database_notify(worker->database, OUTBOX_CHANNEL);
	return count;
}
