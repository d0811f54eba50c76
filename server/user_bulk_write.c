/*
 * Writes what was decided of many operations together, and settles what became of each.
 *
 * What is always true: a batch leaves somebody who can administer, for all who can no more
 * stand behind one gate; an operation has succeeded when its row came back from the
 * statement that writes it, and only then.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "route.h"
#include "user_bulk_priv.h"
#include "user_edit.h"
#include "users.h"

static bool
makes_role(struct operation *operation)
{
	return operation->kind == OPERATION_CREATE && user_create_makes_role(&operation->rq);
}

static bool
reduces_administrators(struct operation *operation)
{
	const struct user_case *the = user_case(&operation->rq);

	return operation->kind != OPERATION_CREATE && (the->takes_administrator || the->transition.reduces_administrators);
}

/* Whether somebody can administer when he and those before him in the batch no longer do. */
static bool
leaves_administrator(const struct bulk *bulk, struct operation *operation)
{
	const char *administrators = request_value(&operation->rq, 0, "administrators");

	return administrators == NULL || strtol(administrators, NULL, 10) > bulk->reducers + 1;
}

static void
write_operation(struct operation *operation, struct user_writing *writing)
{
	struct request *own = &operation->rq;
	struct user_case *the = user_case(own);

	operation->is_in_batch = true;
	switch (operation->kind) {
	case OPERATION_CREATE:
		user_create_write(own, writing);
		return;
	case OPERATION_UPDATE:
		operation->is_in_batch = user_edit_write(own, writing);
		if (!operation->is_in_batch)
			operation_succeed(operation);
		return;
	default:
		if (operation->hash != NULL)
			the->details.password_hash = operation->hash->hash;
		transition_batch_add(writing->batch, &the->subject, &the->transition, &the->details);
	}
}

/* Who cannot go with those before him waits for the next round; where there is none, he is
 * the one too many. Roles are made by a statement each: a few at a time. */
static bool
fits(struct bulk *bulk, struct operation *operation, const struct user_writing *writing)
{
	if (makes_role(operation) && writing->role_count == WRITING_ROLES_MAX) {
		if (bulk->is_atomic)
			operation_refuse(operation, PROBLEM_STATE_CONFLICT, "An atomic request makes two roles at most: make them before.");
		return false;
	}
	if (!reduces_administrators(operation))
		return true;
	if (!leaves_administrator(bulk, operation)) {
		if (bulk->is_atomic || bulk->reducers == 0)
			operation_refuse(operation, PROBLEM_LAST_ADMINISTRATOR, NULL);
		return false;
	}
	bulk->reducers++;
	return true;
}

static int
fill(struct bulk *bulk, struct user_writing *writing)
{
	int in_batch = 0;

	bulk->reducers = 0;
	for (int i = 0; i < bulk->count; i++) {
		struct operation *operation = &bulk->operations[i];
		operation->is_in_batch = operation->is_edited = operation->is_moved = false;
		if (operation->is_over || in_batch == bulk->limit || !fits(bulk, operation, writing))
			continue;
		write_operation(operation, writing);
		in_batch += operation->is_in_batch;
	}
	return in_batch;
}

static struct statement
keep_whole(struct request *rq, const struct bulk *bulk)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 2);
	struct buffer ids = BUFFER_INIT;

	buffer_putc(&ids, '{');
	for (int i = 0; i < bulk->count; i++) {
		if (bulk->operations[i].is_in_batch)
			buffer_printf(&ids, "%s%s", ids.length > 1 ? "," : "", user_case(&bulk->operations[i].rq)->subject.id);
	}
	buffer_putc(&ids, '}');
	params[0] = rq->org_id;
	params[1] = arena_copy(rq->scratch, buffer_text(&ids));
	buffer_free(&ids);
	return (struct statement){ &query_user_bulk_keep_whole, params };
}

enum step
user_bulk_write(struct request *rq)
{
	struct statement statements[WRITING_STATEMENTS_MAX + 1];
	struct bulk *bulk = rq->data;
	struct user_writing writing;

	user_writing_open(&writing, rq);
	writing.leaves_out_taken = true;
	bulk->is_sent = fill(bulk, &writing) > 0 && !(bulk->is_atomic && user_bulk_has_failed(bulk));
	if (!bulk->is_sent) {
		user_writing_discard(&writing);
		return STEP_NEXT;
	}
	int count = user_writing_take(&writing, rq, statements);
	if (bulk->is_atomic)
		statements[count++] = keep_whole(rq, bulk);
	return request_attempt(rq, LANE_WRITE, statements, count);
}

/* What became of it. */

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sets a flag of everybody whose id the rows have. */
static void
mark(struct request *rq, const PGresult *rows, bool of_edits)
{
	struct bulk *bulk = rq->data;
	const size_t count = (size_t)PQntuples(rows);
	const char **ids = arena_take(rq->scratch, sizeof(*ids) * (count + 1));

	for (size_t i = 0; i < count; i++)
		ids[i] = row_text(rows, (int)i, "id");
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (int i = 0; i < bulk->count; i++) {
		struct operation *operation = &bulk->operations[i];
		if (!operation->is_in_batch)
			continue;
		const char *const *id = &user_case(&operation->rq)->subject.id;
		if (bsearch(id, ids, count, sizeof(*ids), compare_ids) != NULL)
			*(of_edits ? &operation->is_edited : &operation->is_moved) = true;
	}
}

static void
lose(struct operation *operation)
{
	if (++operation->losses >= ATTEMPTS_MAX)
		operation_refuse(operation, PROBLEM_STATE_CONFLICT, "Others keep changing this at the same moment. Try again.");
}

/* An edit stands if it was written: what stands behind it is in the same transaction. */
static void
settle_written(struct request *rq)
{
	struct bulk *bulk = rq->data;

	for (int i = 0; i < rq->result_count; i++) {
		if (PQfnumber(rq->results[i], "session_epoch") >= 0)
			mark(rq, rq->results[i], false);
		else if (PQnfields(rq->results[i]) == 1 && PQfnumber(rq->results[i], "id") == 0)
			mark(rq, rq->results[i], true);
	}
	for (int i = 0; i < bulk->count; i++) {
		struct operation *operation = &bulk->operations[i];
		if (!operation->is_in_batch)
			continue;
		if (operation->is_edited || operation->is_moved) {
			operation_succeed(operation);
			bulk->is_written = true;
		} else {
			lose(operation);
		}
	}
	bulk->limit = bulk->limit * 2 < OPERATIONS_MAX ? bulk->limit * 2 : OPERATIONS_MAX;
}

static void
settle_lost(struct bulk *bulk)
{
	for (int i = 0; i < bulk->count; i++) {
		if (bulk->operations[i].is_in_batch)
			lose(&bulk->operations[i]);
	}
}

/* A violated constraint fails the whole statement, and does not say whose it was. A second
 * look at what each of them wants finds most; for what it does not find, the batch is halved
 * until he stands alone. An atomic request has nobody to stand alone. */
static void
settle_constraint(struct request *rq)
{
	struct bulk *bulk = rq->data;
	struct operation *last = NULL;
	const char *detail;
	int in_batch = 0;

	for (int i = 0; i < bulk->count; i++) {
		if (bulk->operations[i].is_in_batch) {
			last = &bulk->operations[i];
			in_batch++;
		}
	}
	bulk->among_themselves = true;
	if (bulk->constraints++ == 0 && in_batch > 1)
		return;
	if (bulk->is_atomic ? bulk->constraints < ATTEMPTS_MAX : in_batch > 1) {
		bulk->limit = bulk->is_atomic ? bulk->limit : in_batch / 2;
		return;
	}
	enum problem problem = problem_of_constraint(rq->violated, &detail);
	if (problem == PROBLEM_NONE)
		log_error("could not keep a constraint", "constraint", rq->violated, "route", rq->route->path, "request_id", rq->id, NULL);
	operation_refuse(last, problem != PROBLEM_NONE ? problem : PROBLEM_INTERNAL, detail);
}

/* What was written before stands, and is told; the rest is not. */
static enum step
settle_failure(struct request *rq)
{
	const enum problem problem = rq->outcome == JOB_ERROR ? PROBLEM_INTERNAL : PROBLEM_UNAVAILABLE;
	struct bulk *bulk = rq->data;

	if (!bulk->is_written)
		return request_problem(rq, problem);
	for (int i = 0; i < bulk->count; i++) {
		if (!bulk->operations[i].is_over)
			operation_refuse(&bulk->operations[i], problem, NULL);
	}
	return STEP_NEXT;
}

static bool
is_open(const struct bulk *bulk)
{
	for (int i = 0; i < bulk->count; i++) {
		if (!bulk->operations[i].is_over)
			return true;
	}
	return false;
}

static enum step
settle(struct request *rq)
{
	switch (rq->outcome) {
	case JOB_OK:
		settle_written(rq);
		return STEP_NEXT;
	case JOB_CONFLICT:
		settle_lost(rq->data);
		return STEP_NEXT;
	case JOB_CONSTRAINT:
		settle_constraint(rq);
		return STEP_NEXT;
	default:
		return settle_failure(rq);
	}
}

enum step
user_bulk_settle(struct request *rq)
{
	struct bulk *bulk = rq->data;
	enum step step = bulk->is_sent ? settle(rq) : STEP_NEXT;

	if (step != STEP_NEXT)
		return step;
	user_bulk_apply_nothing(bulk);
	return is_open(bulk) ? request_again(rq) : STEP_NEXT;
}
