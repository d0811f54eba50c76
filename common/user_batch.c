/*
 * What an operation is, how its form is checked, and how it is decided.
 */
#include "user_batch.h"

#include "user_batch_priv.h"
#include "user_case.h"
#include "user_creation.h"
#include "user_editing.h"
#include "user_moving.h"

static const struct body_field no_fields[] = { { 0 } };

const struct operation_type operation_types[] = {
	[OPERATION_CREATE] = { "create", 201, user_create_fields, user_create_decisions, NULL, true },
	[OPERATION_UPDATE] = { "update", 200, user_edit_fields, user_edit_decisions, NULL, true },
	[OPERATION_ACTIVATE] = { "activate", 200, user_activate_fields, user_activate_decisions, NULL, true },
	[OPERATION_INACTIVATE] = { "inactivate", 200, user_inactivate_fields, user_inactivate_decisions, NULL, false },
	[OPERATION_INVITE] = { "invite", 202, no_fields, user_invite_decisions, "users:invite", false },
};
const int operation_type_count = sizeof(operation_types) / sizeof(operation_types[0]);

struct user_batch *
user_batch_create(struct proposal *origin, int count, bool is_atomic)
{
	struct user_batch *batch = arena_take(origin->scratch, sizeof(*batch));

	batch->origin = origin;
	batch->is_atomic = is_atomic;
	batch->count = count;
	batch->limit = OPERATIONS_MAX;
	batch->operations = arena_take(origin->scratch, sizeof(*batch->operations) * (size_t)(count + 1));
	batch->definitions = arena_take(origin->scratch, sizeof(*batch->definitions));
	batch->definitions->arena = origin->scratch;
	return batch;
}

void
user_batch_propose(struct user_batch *batch, int place, enum operation_kind kind, struct json_object *body,
	const char *user_id, const char *if_version)
{
	struct operation *operation = &batch->operations[place];
	struct proposal *own = &operation->pr;

	operation->kind = kind;
	operation->user_id = user_id;
	own->scratch = batch->origin->scratch;
	own->org_id = batch->origin->org_id;
	own->id = batch->origin->id;
	own->ip = batch->origin->ip;
	own->is_import = batch->origin->is_import;
	own->invites = batch->origin->invites;
	own->restores = batch->origin->restores;
	own->is_one_of_many = true;
	own->body = body;
	own->if_match = if_version;
	form_check(own, body, "", operation_types[kind].fields);
	operation->form_faults = own->fault_count;
}

void
user_batch_check_form(struct user_batch *batch, int place)
{
	struct operation *operation = &batch->operations[place];

	if (operation->kind == OPERATION_CREATE)
		return;
	if (operation->user_id == NULL || (operation->form_faults > 0 && !operation_types[operation->kind].defers_faults)) {
		operation_refuse(operation, PROBLEM_INVALID_BODY, NULL);
		return;
	}
	if (!uuid_parse(operation->user_id, &operation->uuid)) {
		operation_refuse(operation, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	for (int i = 0; i < place; i++) {
		const struct operation *before = &batch->operations[i];
		if (before->kind != OPERATION_CREATE && before->user_id != NULL && uuid_equal(&before->uuid, &operation->uuid)) {
			proposal_fault(&operation->pr, "/id", "duplicate_id", "There is an operation on this id before.");
			operation_refuse(operation, PROBLEM_DUPLICATE_ID, NULL);
			return;
		}
	}
}

/* The outcome of one. */

static void
close_operation(struct operation *operation)
{
	operation->is_over = true;
	operation->status = problem_text(operation->pr.problem)->status;
}

void
operation_refuse(struct operation *operation, enum problem problem, const char *detail)
{
	(void)proposal_refuse(&operation->pr, problem, NULL, detail);
	close_operation(operation);
}

void
operation_succeed(struct operation *operation)
{
	operation->is_over = true;
	operation->status = operation_types[operation->kind].status;
}

const char *
operation_subject(const struct operation *operation)
{
	if (operation->user_id != NULL || operation->pr.data == NULL)
		return operation->user_id;
	return user_case_of(&operation->pr)->subject.id;
}

/* Deciding. */

static void
check_taken(struct operation *operation)
{
	const bool writes_email = operation->kind == OPERATION_CREATE
		|| (operation->kind == OPERATION_UPDATE && user_edit_takes_address(&operation->pr));

	if (operation->is_taken_email && writes_email)
		operation_refuse(operation, PROBLEM_EMAIL_TAKEN, NULL);
	else if (operation->is_taken_username)
		operation_refuse(operation, PROBLEM_USERNAME_TAKEN, NULL);
	else if (operation->is_taken_external_id)
		operation_refuse(operation, PROBLEM_EXTERNAL_ID_TAKEN, NULL);
	else if (operation->is_taken_role_name)
		operation_refuse(operation, PROBLEM_NAME_TAKEN, NULL);
}

/* As it would be alone: between loading and writing nothing waits. */
static void
decide(struct user_batch *batch, struct operation *operation)
{
	const struct operation_type *type = &operation_types[operation->kind];
	struct proposal *own = &operation->pr;

	own->caller = batch->origin->caller;
	own->fault_count = operation->form_faults;
	own->data = NULL;
	if ((type->permission != NULL && !proposal_require(own, type->permission, "a link is mailed"))
		|| !proposal_decide(own, type->decisions))
		close_operation(operation);
	else
		check_taken(operation);
}

bool
user_batch_has_failed(const struct user_batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		if (batch->operations[i].pr.problem != PROBLEM_NONE)
			return true;
	}
	return false;
}

void
user_batch_apply_nothing(struct user_batch *batch)
{
	for (int i = 0; batch->is_atomic && user_batch_has_failed(batch) && i < batch->count; i++) {
		if (batch->operations[i].pr.problem == PROBLEM_NONE)
			operation_refuse(&batch->operations[i], PROBLEM_NOT_APPLIED, NULL);
	}
}

void
user_batch_decide(struct user_batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		if (!batch->operations[i].is_over)
			decide(batch, &batch->operations[i]);
	}
	user_batch_apply_nothing(batch);
}
