/*
 * Many operations on users in one request, and an outcome for each.
 *
 * An operation is the request that it would be alone: the same fields, the same steps decide
 * it, the same statements write it, so nothing is allowed or refused here that is not there.
 * Only the reading and the writing are done for all of them together, in rounds:
 *
 *     load -> decide -> hash -> write -> settle -> (again, with who lost) -> reply
 *
 * What is always true: an operation that fails fails alone, unless the request is atomic;
 * then all of it stands in one transaction, or nothing does. Who lost against somebody at
 * the same moment (a version, a name, the epoch of administrators) is read and decided
 * again, five times at most; the others stand.
 */
#include "user_bulk.h"

#include "user_actions.h"
#include "user_bulk_priv.h"
#include "user_edit.h"
#include "users.h"

static const struct body_field no_fields[] = { { 0 } };

const struct operation_type operation_types[] = {
	[OPERATION_CREATE] = { "create", 201, user_create_fields, user_create_decisions, NULL, true },
	[OPERATION_UPDATE] = { "update", 200, user_edit_fields, user_edit_decisions, NULL, true },
	[OPERATION_ACTIVATE] = { "activate", 200, user_activate_fields, user_activate_decisions, NULL, true },
	[OPERATION_INACTIVATE] = { "inactivate", 200, user_inactivate_fields, user_inactivate_decisions, NULL, false },
	[OPERATION_INVITE] = { "invite", 202, no_fields, user_invite_decisions, "users:invite", false },
};
const int operation_type_count = sizeof(operation_types) / sizeof(operation_types[0]);

/* The outcome of one. */

/* Takes up what the operation's own request was answered. */
static void
close_operation(struct operation *operation)
{
	struct request *own = &operation->rq;

	operation->is_over = true;
	operation->status = own->status;
	operation->problem = arena_copy(own->scratch, buffer_text(&own->reply));
	buffer_free(&own->reply);
}

void
operation_refuse(struct operation *operation, enum problem problem, const char *detail)
{
	request_problem_detail(&operation->rq, problem, NULL, detail);
	close_operation(operation);
}

void
operation_succeed(struct operation *operation)
{
	operation->is_over = true;
	operation->status = operation_types[operation->kind].status;
}

/* Deciding. */

static void
check_taken(struct operation *operation)
{
	const bool writes_email = operation->kind == OPERATION_CREATE
		|| (operation->kind == OPERATION_UPDATE && user_edit_takes_address(&operation->rq));

	if (operation->is_taken_email && writes_email)
		operation_refuse(operation, PROBLEM_EMAIL_TAKEN, NULL);
	else if (operation->is_taken_username)
		operation_refuse(operation, PROBLEM_USERNAME_TAKEN, NULL);
	else if (operation->is_taken_external_id)
		operation_refuse(operation, PROBLEM_EXTERNAL_ID_TAKEN, NULL);
}

/* The steps of its route, one after the other: between loading and writing none waits. */
static void
decide(struct request *rq, struct operation *operation)
{
	const struct operation_type *type = &operation_types[operation->kind];
	struct request *own = &operation->rq;
	enum step step = STEP_NEXT;

	own->caller = rq->caller;
	own->org_id = rq->org_id;
	own->fault_count = operation->form_faults;
	own->data = NULL;
	own->hash = operation->hash;
	if (type->permission != NULL)
		step = user_require(own, type->permission, "a link is mailed");
	for (request_step *const *next = type->decisions; *next != NULL && step == STEP_NEXT; next++)
		step = (*next)(own);
	if (step == STEP_DONE)
		close_operation(operation);
	else
		check_taken(operation);
}

bool
user_bulk_has_failed(const struct bulk *bulk)
{
	for (int i = 0; i < bulk->count; i++) {
		if (bulk->operations[i].problem != NULL)
			return true;
	}
	return false;
}

void
user_bulk_apply_nothing(struct bulk *bulk)
{
	for (int i = 0; bulk->is_atomic && user_bulk_has_failed(bulk) && i < bulk->count; i++) {
		if (bulk->operations[i].problem == NULL)
			operation_refuse(&bulk->operations[i], PROBLEM_NOT_APPLIED, NULL);
	}
}

static enum step
bulk_decide(struct request *rq)
{
	struct bulk *bulk = rq->data;

	user_bulk_share(rq, bulk);
	for (int i = 0; i < bulk->count; i++) {
		if (!bulk->operations[i].is_over)
			decide(rq, &bulk->operations[i]);
	}
	user_bulk_apply_nothing(bulk);
	return STEP_NEXT;
}

/* Hashing: one after the other, through the one place that a request has. */

static struct operation *
next_to_hash(struct bulk *bulk)
{
	for (int i = 0; i < bulk->count; i++) {
		struct operation *operation = &bulk->operations[i];
		if (!operation->is_over && operation->hash == NULL && request_text(&operation->rq, "password") != NULL)
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
	return step == STEP_NEXT ? request_hash_password(rq, request_text(&operation->rq, "password")) : step;
}

extern request_step *const bulk_hash_steps[];

static enum step
bulk_take_hash(struct request *rq)
{
	struct operation *operation = next_to_hash(rq->data);

	if (rq->hash == NULL)
		return STEP_NEXT;
	operation->hash = operation->rq.hash = rq->hash;
	return request_continue(rq, bulk_hash_steps);
}

/* The reply. */

static void
write_outcome(struct buffer *out, int index, const struct operation *operation)
{
	const char *id = operation->user_id;

	if (id == NULL && operation->problem == NULL)
		id = user_case((struct request *)(uintptr_t)&operation->rq)->subject.id;
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_int_member(out, "index", index);
	json_write_int_member(out, "status", operation->status);
	if (id != NULL)
		json_write_string_member(out, "id", id);
	if (operation->problem != NULL) {
		json_write_name(out, "problem");
		buffer_puts(out, operation->problem);
	}
	buffer_putc(out, '}');
}

static enum step
bulk_reply(struct request *rq)
{
	const struct bulk *bulk = rq->data;
	int failed = 0;

	buffer_clear(&rq->reply);
	buffer_puts(&rq->reply, "{\"items\":[");
	for (int i = 0; i < bulk->count; i++) {
		write_outcome(&rq->reply, i, &bulk->operations[i]);
		failed += bulk->operations[i].problem != NULL;
	}
	buffer_putc(&rq->reply, ']');
	json_write_int_member(&rq->reply, "succeeded", bulk->count - failed);
	json_write_int_member(&rq->reply, "failed", failed);
	buffer_putc(&rq->reply, '}');
	return request_reply(rq, 200, "application/json");
}

request_step *const bulk_hash_steps[] = { bulk_hash, bulk_take_hash, user_bulk_write, user_bulk_settle, bulk_reply, NULL };

request_step *const user_bulk_steps[] = {
	user_bulk_begin, user_bulk_load, bulk_decide, bulk_hash, bulk_take_hash, user_bulk_write, user_bulk_settle, bulk_reply, NULL
};
