/*
 * What an orchestrator asks. Ready means: the database answers and its schema fits
 * this program. A warning does not make it unready: it is for the operator.
 */
#include "health.h"

#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "subject.h"

static enum step
health(struct request *rq)
{
	buffer_puts(&rq->reply, "{\"status\":\"ok\"}");
	return request_reply(rq, 200, "application/json");
}

request_step *const health_steps[] = { health, NULL };

/* The migrations that this program knows, as a PostgreSQL array. */
static const char *
known_migrations(struct request *rq)
{
	struct buffer out = BUFFER_INIT;

	for (int i = 0; i < migration_count; i++)
		buffer_printf(&out, "%c%d", i == 0 ? '{' : ',', migrations[i].version);
	buffer_putc(&out, '}');
	const char *known = arena_copy(rq->scratch, buffer_text(&out));
	buffer_free(&out);
	return known;
}

static enum step
ready_ask(struct request *rq)
{
	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_schema_state, (const char *const[]){ known_migrations(rq) } },
		{ &query_audit_months_ahead, NULL },
	}, 2);
}

static enum step
ready(struct request *rq)
{
	const int newest = migrations[migration_count - 1].version;
	const long months = row_int(rq->results[1], 0, "months");
	struct buffer *out = &rq->reply;

	if (row_int(rq->result, 0, "missing") > 0 || row_int(rq->result, 0, "incompatible_below") > newest)
		return request_problem_detail(rq, PROBLEM_UNAVAILABLE, NULL,
			"The database's schema does not fit this program: run rollcall-server migrate of the newer release.");
	buffer_putc(out, '{');
	json_write_string_member(out, "status", "ready");
	json_write_int_member(out, "audit_months_ahead", months);
	if (months < 3)
		json_write_string_member(out, "warning", "The audit has partitions for less than three months: run rollcall-server migrate.");
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/json");
}

request_step *const ready_steps[] = { ready_ask, ready, NULL };
