/*
 * What an orchestrator asks. Ready means: the database answers and its schema fits
 * this program. A warning does not make it unready: it is for the operator.
 */
#include "health.h"

#include "schema.h"
#include "subject.h"

static enum step
health(struct request *rq)
{
	buffer_puts(&rq->reply, "{\"status\":\"ok\"}");
	return request_reply(rq, 200, "application/json");
}

request_step *const health_steps[] = { health, NULL };

static enum step
ready_ask(struct request *rq)
{
	struct buffer known = BUFFER_INIT;
	enum step step;

	schema_known_versions(&known);
	step = request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_schema_state, (const char *const[]){ buffer_text(&known) } },
		{ &query_audit_months_ahead, NULL },
	}, 2);
	buffer_free(&known);
	return step;
}

static enum step
ready(struct request *rq)
{
	const long months = row_int(rq->results[1], 0, "months");
	struct buffer *out = &rq->reply;
	char detail[256];

	if (schema_judge(rq->result, detail, sizeof(detail)) != SCHEMA_FITS) {
		request_header(rq, "Retry-After", "5");
		return request_problem_detail(rq, PROBLEM_UNAVAILABLE, NULL,
			arena_printf(rq->scratch, "The database does not fit this program: %s.", detail));
	}
	buffer_putc(out, '{');
	json_write_string_member(out, "status", "ready");
	json_write_int_member(out, "audit_months_ahead", months);
	if (months < 3)
		json_write_string_member(out, "warning", "The audit has partitions for less than three months: run rollcall-server migrate.");
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/json");
}

request_step *const ready_steps[] = { ready_ask, ready, NULL };
