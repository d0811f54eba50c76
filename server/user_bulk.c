/*
 * Many operations on users in one request, and an outcome for each: a batch (user_batch.h),
 * driven in rounds:
 *
 *     load -> decide -> hash -> write -> settle -> (again, with who lost) -> reply
 */
#include "user_bulk.h"

#include "idempotency.h"
#include "user_batch.h"
#include "user_bulk_priv.h"

_Static_assert(BATCH_STATEMENTS_MAX < JOB_STATEMENTS_MAX, "a round is one job, with what keeps its key");

static enum step
bulk_load(struct request *rq)
{
	struct statement statements[BATCH_FACTS];
	struct user_batch *batch = rq->data;

	/* Who asks was read anew in this round. */
	user_batch_load(batch, statements);
	return request_queries(rq, LANE_SLOW, statements, BATCH_FACTS);
}

static enum step
bulk_decide(struct request *rq)
{
	user_batch_take_facts(rq->data, rq->results);
	user_batch_decide(rq->data);
	return STEP_NEXT;
}

/* Hashing: one after the other, through the one place that a request has. */

static struct operation *
next_to_hash(struct user_batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		if (!operation->is_over && operation->pr.password_hash == NULL && proposal_text(&operation->pr, "password") != NULL)
			return operation;
	}
	return NULL;
}

static enum step
bulk_hash(struct request *rq)
{
	struct operation *operation = next_to_hash(rq->data);
	enum step step;

	rq->hash = NULL;
	if (operation == NULL)
		return STEP_NEXT;
	step = request_reserve_hash(rq);
	return step == STEP_NEXT ? request_hash_password(rq, proposal_text(&operation->pr, "password")) : step;
}

extern request_step *const bulk_hash_steps[];

static enum step
bulk_take_hash(struct request *rq)
{
	struct operation *operation = next_to_hash(rq->data);

	if (rq->hash == NULL)
		return STEP_NEXT;
	operation->pr.password_hash = rq->hash->hash;
	return request_continue(rq, bulk_hash_steps);
}

static enum step
bulk_write(struct request *rq)
{
	struct statement statements[BATCH_STATEMENTS_MAX];
	const int count = user_batch_write(rq->data, statements);

	return count > 0 ? request_attempt(rq, LANE_WRITE, statements, count) : STEP_NEXT;
}

/* What became of each, as it is answered and kept. */

/* One that is still open is one that could not be done, as far as is known. */
static void
write_open(struct buffer *out, const struct operation *operation)
{
	struct proposal undone = { .scratch = operation->pr.scratch };

	(void)proposal_refuse(&undone, PROBLEM_UNAVAILABLE, NULL, "It was not done. Send it again, in a request of its own.");
	json_write_int_member(out, "status", problem_text(undone.problem)->status);
	json_write_name(out, "problem");
	proposal_write_problem(&undone, out);
}

static void
write_outcome(struct buffer *out, int index, const struct operation *operation)
{
	const bool failed = operation->pr.problem != PROBLEM_NONE;
	const char *id = failed ? operation->user_id : operation_subject(operation);

	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_int_member(out, "index", index);
	if (!operation->is_over) {
		write_open(out, operation);
		buffer_putc(out, '}');
		return;
	}
	json_write_int_member(out, "status", operation->status);
	if (id != NULL)
		json_write_string_member(out, "id", id);
	if (failed) {
		json_write_name(out, "problem");
		proposal_write_problem(&operation->pr, out);
	}
	buffer_putc(out, '}');
}

static void
write_outcomes(struct request *rq)
{
	const struct user_batch *batch = rq->data;
	int failed = 0;

	buffer_clear(&rq->reply);
	buffer_puts(&rq->reply, "{\"items\":[");
	for (int i = 0; i < batch->count; i++) {
		write_outcome(&rq->reply, i, &batch->operations[i]);
		failed += !batch->operations[i].is_over || batch->operations[i].pr.problem != PROBLEM_NONE;
	}
	buffer_putc(&rq->reply, ']');
	json_write_int_member(&rq->reply, "succeeded", batch->count - failed);
	json_write_int_member(&rq->reply, "failed", failed);
	buffer_putc(&rq->reply, '}');
}

static enum batch_outcome
outcome_of(const struct request *rq)
{
	switch (rq->outcome) {
	case JOB_OK: return BATCH_WRITTEN;
	case JOB_CONFLICT: return BATCH_CONFLICT;
	case JOB_CONSTRAINT: return BATCH_CONSTRAINT;
	case JOB_ERROR: return BATCH_FAILED;
	default: return BATCH_UNAVAILABLE;
	}
}

static enum step
bulk_settle(struct request *rq)
{
	if (rq->key_is_taken)
		return request_again(rq);
	const enum problem problem = user_batch_settle(rq->data, outcome_of(rq), rq->violated, rq->results, rq->result_count);

	if (problem != PROBLEM_NONE)
		return request_problem(rq, problem);
	if (!user_batch_is_open(rq->data))
		return STEP_NEXT;
	/* The next round may never come: who gets no answer, and asks again, hears what was done. */
	if (idempotency_keeps_answer(rq)) {
		write_outcomes(rq);
		idempotency_keep_so_far(rq);
	}
	return request_again(rq);
}

/* The reply. */

static enum step
bulk_tell(struct request *rq)
{
	write_outcomes(rq);
	return idempotency_keep_answer(rq);
}

static enum step
bulk_reply(struct request *rq)
{
	return request_reply(rq, 200, "application/json");
}

request_step *const bulk_hash_steps[] = {
	bulk_hash, bulk_take_hash, bulk_write, bulk_settle, idempotency_ask, idempotency_take, bulk_tell, bulk_reply, NULL
};

request_step *const user_bulk_steps[] = {
	user_bulk_begin, bulk_load, bulk_decide, bulk_hash, bulk_take_hash, bulk_write, bulk_settle,
	idempotency_ask, idempotency_take, bulk_tell, bulk_reply, NULL
};
