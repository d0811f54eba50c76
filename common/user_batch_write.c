/*
 * Writes what was decided of many operations together, and settles what became of each.
 *
 * What is always true: a round leaves somebody who can administer, for all who can no more
 * stand behind one gate; an operation has succeeded when its row came back from the
 * statement that writes it, and only then.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "queries.h"
#include "user_batch_priv.h"
#include "user_case.h"
#include "user_creation.h"
#include "user_editing.h"

#define ATTEMPTS_MAX 5

static bool
reduces_administrators(struct operation *operation)
{
	const struct user_case *the = user_case_of(&operation->pr);

	return operation->kind != OPERATION_CREATE && (the->takes_administrator || the->transition.reduces_administrators);
}

/* Whether somebody can administer when he and those before him in the batch no longer do. */
static bool
leaves_administrator(const struct user_batch *batch, struct operation *operation)
{
	const char *administrators = proposal_value(&operation->pr, 0, "administrators");

	return administrators == NULL || strtol(administrators, NULL, 10) > batch->reducers + 1;
}

static void
write_operation(struct operation *operation, struct user_writing *writing)
{
	struct proposal *own = &operation->pr;
	struct user_case *the = user_case_of(own);

	operation->is_in_batch = true;
	switch (operation->kind) {
	case OPERATION_CREATE:
		user_create_write(own, writing);
		return;
	case OPERATION_UPDATE:
		operation->is_in_batch = user_edit_write(own, writing);
		operation->changes_nothing = !operation->is_in_batch;
		if (operation->changes_nothing)
			operation_succeed(operation);
		return;
	default:
		the->details.password_hash = own->password_hash;
		transition_batch_add(writing->batch, &the->subject, &the->transition, &the->details);
	}
}

/* Who cannot go with those before him waits for the next round; where there is none, he is
 * the one too many. */
static bool
fits(struct user_batch *batch, struct operation *operation)
{
	if (!reduces_administrators(operation))
		return true;
	if (!leaves_administrator(batch, operation)) {
		if (batch->is_atomic || batch->reducers == 0)
			operation_refuse(operation, PROBLEM_LAST_ADMINISTRATOR, NULL);
		return false;
	}
	batch->reducers++;
	return true;
}

static int
fill(struct user_batch *batch, struct user_writing *writing)
{
	int in_batch = 0;

	batch->reducers = 0;
	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		operation->is_in_batch = operation->is_edited = operation->is_moved = false;
		if (operation->is_over || in_batch == batch->limit || !fits(batch, operation))
			continue;
		write_operation(operation, writing);
		in_batch += operation->is_in_batch;
	}
	return in_batch;
}

void
user_batch_try(struct user_batch *batch)
{
	struct user_writing writing;

	user_writing_open(&writing, batch->origin);
	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		if (operation->is_over)
			continue;
		write_operation(operation, &writing);
		if (!operation->is_over)
			operation_succeed(operation);
	}
	user_writing_discard(&writing);
}

static struct statement
keep_whole(const struct user_batch *batch)
{
	const char **params = arena_take(batch->origin->scratch, sizeof(*params) * 2);
	struct buffer ids = BUFFER_INIT;

	buffer_putc(&ids, '{');
	for (int i = 0; i < batch->count; i++) {
		if (batch->operations[i].is_in_batch)
			buffer_printf(&ids, "%s%s", ids.length > 1 ? "," : "", operation_subject(&batch->operations[i]));
	}
	buffer_putc(&ids, '}');
	params[0] = batch->origin->org_id;
	params[1] = proposal_take_text(batch->origin, &ids);
	return (struct statement){ &query_user_batch_keep_whole, params };
}

int
user_batch_write(struct user_batch *batch, struct statement *statements)
{
	struct user_writing writing;

	user_writing_open(&writing, batch->origin);
	writing.leaves_out_taken = true;
	batch->is_sent = fill(batch, &writing) > 0 && !(batch->is_atomic && user_batch_has_failed(batch));
	if (!batch->is_sent) {
		user_writing_discard(&writing);
		return 0;
	}
	int count = user_writing_take(&writing, batch->origin, statements);
	if (batch->is_atomic)
		statements[count++] = keep_whole(batch);
	return count;
}

/* What became of it. */

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sets a flag of everybody whose id the rows have. */
static void
mark(struct user_batch *batch, const PGresult *rows, bool of_edits)
{
	const size_t count = (size_t)PQntuples(rows);
	const char **ids = arena_take(batch->origin->scratch, sizeof(*ids) * (count + 1));

	for (size_t i = 0; i < count; i++)
		ids[i] = row_text(rows, (int)i, "id");
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		if (!operation->is_in_batch)
			continue;
		const char *const *id = &user_case_of(&operation->pr)->subject.id;
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
settle_written(struct user_batch *batch, PGresult *const *results, int count)
{

	for (int i = 0; i < count; i++) {
		if (PQfnumber(results[i], "session_epoch") >= 0)
			mark(batch, results[i], false);
		else if (PQnfields(results[i]) == 1 && PQfnumber(results[i], "id") == 0)
			mark(batch, results[i], true);
	}
	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		if (!operation->is_in_batch)
			continue;
		if (operation->is_edited || operation->is_moved) {
			operation_succeed(operation);
			batch->is_written = true;
		} else {
			lose(operation);
		}
	}
	batch->limit = batch->limit * 2 < OPERATIONS_MAX ? batch->limit * 2 : OPERATIONS_MAX;
}

/* Of an atomic request whoever was left out fails all of it, and it does not say who: maybe two
 * of its own want the same name. */
static void
settle_lost(struct user_batch *batch)
{
	batch->among_themselves = batch->among_themselves || batch->is_atomic;
	for (int i = 0; i < batch->count; i++) {
		if (batch->operations[i].is_in_batch)
			lose(&batch->operations[i]);
	}
}

/* A violated constraint fails the whole statement, and does not say whose it was. A second
 * look at what each of them wants finds most; for what it does not find, the batch is halved
 * until he stands alone. An atomic request has nobody to stand alone. */
static void
settle_constraint(struct user_batch *batch, const char *violated)
{
	struct operation *last = NULL;
	const char *detail;
	int in_batch = 0;

	for (int i = 0; i < batch->count; i++) {
		if (batch->operations[i].is_in_batch) {
			last = &batch->operations[i];
			in_batch++;
		}
	}
	batch->among_themselves = true;
	if (batch->constraints++ == 0 && in_batch > 1)
		return;
	if (batch->is_atomic ? batch->constraints < ATTEMPTS_MAX : in_batch > 1) {
		batch->limit = batch->is_atomic ? batch->limit : in_batch / 2;
		return;
	}
	enum problem problem = problem_of_constraint(violated, &detail);
	if (problem == PROBLEM_NONE)
		log_error("could not keep a constraint", "constraint", violated, "request_id", batch->origin->id, NULL);
	operation_refuse(last, problem != PROBLEM_NONE ? problem : PROBLEM_INTERNAL, detail);
}

/* What was written before stands, and is told; the rest is not. */
static enum problem
settle_failure(struct user_batch *batch, enum problem problem)
{
	if (!batch->is_written)
		return problem;
	for (int i = 0; i < batch->count; i++) {
		if (!batch->operations[i].is_over)
			operation_refuse(&batch->operations[i], problem, NULL);
	}
	return PROBLEM_NONE;
}

static enum problem
settle(struct user_batch *batch, enum batch_outcome outcome, const char *violated, PGresult *const *results, int count)
{
	switch (outcome) {
	case BATCH_WRITTEN:
		settle_written(batch, results, count);
		return PROBLEM_NONE;
	case BATCH_CONFLICT:
		settle_lost(batch);
		return PROBLEM_NONE;
	case BATCH_CONSTRAINT:
		settle_constraint(batch, violated);
		return PROBLEM_NONE;
	case BATCH_UNAVAILABLE:
		return settle_failure(batch, PROBLEM_UNAVAILABLE);
	default:
		return settle_failure(batch, PROBLEM_INTERNAL);
	}
}

enum problem
user_batch_settle(struct user_batch *batch, enum batch_outcome outcome, const char *violated, PGresult *const *results, int count)
{
	const enum problem problem = batch->is_sent ? settle(batch, outcome, violated, results, count) : PROBLEM_NONE;

	user_batch_apply_nothing(batch);
	return problem;
}

bool
user_batch_is_open(const struct user_batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		if (!batch->operations[i].is_over)
			return true;
	}
	return false;
}
