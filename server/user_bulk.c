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

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "route.h"
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

const struct body_field user_bulk_fields[] = {
	{ "atomic", BODY_BOOL },
	{ "operations", BODY_LIST, .is_required = true },
	{ 0 },
};

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

static void
refuse(struct operation *operation, enum problem problem, const char *detail)
{
	request_problem_detail(&operation->rq, problem, NULL, detail);
	close_operation(operation);
}

static void
succeed(struct operation *operation)
{
	operation->is_over = true;
	operation->status = operation_types[operation->kind].status;
}

/* The envelope. */

static int
kind_of(struct json_object *value)
{
	const char *word = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";

	for (int kind = 0; kind < operation_type_count; kind++) {
		if (strcmp(operation_types[kind].word, word) == 0)
			return kind;
	}
	return -1;
}

static void
find_envelope_fault(struct request *rq, struct json_object *body, size_t place)
{
	const char *pointer = arena_printf(rq->scratch, "/operations/%zu/op", place);
	struct json_object *op;

	if (!json_object_is_type(body, json_type_object))
		request_fault(rq, arena_printf(rq->scratch, "/operations/%zu", place), "wrong_type", "An operation is an object.");
	else if (!json_object_object_get_ex(body, "op", &op) || op == NULL)
		request_fault(rq, pointer, "required", "This is needed.");
	else if (!json_object_is_type(op, json_type_string))
		request_fault(rq, pointer, "wrong_type", "This is a text.");
	else if (kind_of(op) < 0)
		request_fault(rq, pointer, "invalid", "It is create, update, activate, inactivate or invite.");
}

static void
check_envelope(struct request *rq, struct json_object *list, size_t count)
{
	int with_password = 0;

	if (count > OPERATIONS_MAX) {
		request_fault(rq, "/operations", "too_long", "At most 1000 operations.");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *body = json_object_array_get_idx(list, i);
		find_envelope_fault(rq, body, i);
		if (json_object_is_type(body, json_type_object) && json_member_string(body, "password") != NULL)
			with_password++;
	}
	if (with_password > OPERATIONS_WITH_PASSWORD_MAX)
		request_fault(rq, "/operations", "too_long", "At most 50 operations with a password.");
}

/* Whom it is about. A text that is no id is one that nobody has, as in a path. */
static void
take_id(struct operation *operation)
{
	struct json_object *value = NULL;
	const bool is_given = json_object_object_get_ex(operation->body, "id", &value) && value != NULL;

	if (operation->kind == OPERATION_CREATE)
		return;
	if (!is_given)
		request_fault(&operation->rq, "/id", "required", "This is needed.");
	else if (!json_object_is_type(value, json_type_string))
		request_fault(&operation->rq, "/id", "wrong_type", "This is a text.");
	else
		operation->user_id = arena_copy(operation->rq.scratch, json_object_get_string(value));
	json_object_object_del(operation->body, "id");
}

static void
take_version(struct operation *operation)
{
	struct json_object *value = NULL;

	if (operation->kind == OPERATION_CREATE || !json_object_object_get_ex(operation->body, "if_version", &value))
		return;
	if (!json_object_is_type(value, json_type_int))
		request_fault(&operation->rq, "/if_version", "wrong_type", "This is a whole number.");
	else
		operation->rq.if_match = arena_copy(operation->rq.scratch, json_object_get_string(value));
	json_object_object_del(operation->body, "if_version");
}

/* The request that it would be alone. */
static void
begin(struct request *rq, struct operation *operation)
{
	struct request *own = &operation->rq;

	own->magic = rq->magic;
	own->server = rq->server;
	own->route = rq->route;
	own->scratch = rq->scratch;
	own->id = rq->id;
	own->ip = rq->ip;
	own->is_operation = true;
}

static void
take_operation(struct request *rq, struct operation *operation, struct json_object *body)
{
	begin(rq, operation);
	operation->kind = (enum operation_kind)kind_of(json_member(body, "op"));
	operation->body = body;
	operation->rq.body = body;
	json_object_object_del(body, "op");
	take_id(operation);
	take_version(operation);
	operation->rq.path_values[0] = operation->user_id;
	body_check_object(&operation->rq, body, "", operation_types[operation->kind].fields);
	operation->form_faults = operation->rq.fault_count;
}

/* Faults that leave nothing to look up. */
static void
refuse_form(struct bulk *bulk, int place)
{
	struct operation *operation = &bulk->operations[place];

	if (operation->kind == OPERATION_CREATE)
		return;
	if (operation->user_id == NULL || (operation->form_faults > 0 && !operation_types[operation->kind].defers_faults)) {
		refuse(operation, PROBLEM_INVALID_BODY, NULL);
		return;
	}
	if (!uuid_parse(operation->user_id, &operation->uuid)) {
		refuse(operation, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	for (int i = 0; i < place; i++) {
		const struct operation *before = &bulk->operations[i];
		if (before->kind != OPERATION_CREATE && before->user_id != NULL && uuid_equal(&before->uuid, &operation->uuid)) {
			request_fault(&operation->rq, "/id", "duplicate_id", "There is an operation on this id before.");
			refuse(operation, PROBLEM_DUPLICATE_ID, NULL);
			return;
		}
	}
}

static enum step
bulk_begin(struct request *rq)
{
	struct json_object *list = json_member(rq->body, "operations");
	const bool is_list = json_object_is_type(list, json_type_array);
	const size_t count = is_list ? json_object_array_length(list) : 0;
	struct bulk *bulk;

	if (rq->data != NULL)	/* another round */
		return STEP_NEXT;
	if (is_list)
		check_envelope(rq, list, count);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	rq->data = bulk = arena_take(rq->scratch, sizeof(*bulk));
	bulk->is_atomic = json_member_bool(rq->body, "atomic", false);
	bulk->count = (int)count;
	bulk->limit = OPERATIONS_MAX;
	bulk->operations = arena_take(rq->scratch, sizeof(*bulk->operations) * (count + 1));
	for (size_t i = 0; i < count; i++) {
		take_operation(rq, &bulk->operations[i], json_object_array_get_idx(list, i));
		refuse_form(bulk, (int)i);
	}
	return STEP_NEXT;
}

/* Deciding. */

static void
check_taken(struct operation *operation)
{
	const bool writes_email = operation->kind == OPERATION_CREATE
		|| (operation->kind == OPERATION_UPDATE && user_edit_takes_address(&operation->rq));

	if (operation->is_taken_email && writes_email)
		refuse(operation, PROBLEM_EMAIL_TAKEN, NULL);
	else if (operation->is_taken_username)
		refuse(operation, PROBLEM_USERNAME_TAKEN, NULL);
	else if (operation->is_taken_external_id)
		refuse(operation, PROBLEM_EXTERNAL_ID_TAKEN, NULL);
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

static bool
has_failed(const struct bulk *bulk)
{
	for (int i = 0; i < bulk->count; i++) {
		if (bulk->operations[i].problem != NULL)
			return true;
	}
	return false;
}

/* One failure of an atomic request is the failure of all. */
static void
apply_nothing(struct bulk *bulk)
{
	for (int i = 0; bulk->is_atomic && has_failed(bulk) && i < bulk->count; i++) {
		if (bulk->operations[i].problem == NULL)
			refuse(&bulk->operations[i], PROBLEM_NOT_APPLIED, NULL);
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
	apply_nothing(bulk);
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

/* Writing. */

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
			succeed(operation);
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
			refuse(operation, PROBLEM_STATE_CONFLICT, "An atomic request makes two roles at most: make them before.");
		return false;
	}
	if (!reduces_administrators(operation))
		return true;
	if (!leaves_administrator(bulk, operation)) {
		if (bulk->is_atomic || bulk->reducers == 0)
			refuse(operation, PROBLEM_LAST_ADMINISTRATOR, NULL);
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

static enum step
bulk_write(struct request *rq)
{
	struct statement statements[WRITING_STATEMENTS_MAX + 1];
	struct bulk *bulk = rq->data;
	struct user_writing writing;

	user_writing_open(&writing, rq);
	writing.leaves_out_taken = true;
	bulk->is_sent = fill(bulk, &writing) > 0 && !(bulk->is_atomic && has_failed(bulk));
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
		const char *const *id = &user_case(&operation->rq)->subject.id;
		if (!operation->is_in_batch || bsearch(id, ids, count, sizeof(*ids), compare_ids) == NULL)
			continue;
		*(of_edits ? &operation->is_edited : &operation->is_moved) = true;
	}
}

static void
lose(struct operation *operation)
{
	if (++operation->losses >= ATTEMPTS_MAX)
		refuse(operation, PROBLEM_STATE_CONFLICT, "Others keep changing this at the same moment. Try again.");
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
			succeed(operation);
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
	refuse(last, problem != PROBLEM_NONE ? problem : PROBLEM_INTERNAL, detail);
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
			refuse(&bulk->operations[i], problem, NULL);
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

static enum step
bulk_settle(struct request *rq)
{
	struct bulk *bulk = rq->data;
	enum step step = bulk->is_sent ? settle(rq) : STEP_NEXT;

	if (step != STEP_NEXT)
		return step;
	apply_nothing(bulk);
	return is_open(bulk) ? request_again(rq) : STEP_NEXT;
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

request_step *const bulk_hash_steps[] = { bulk_hash, bulk_take_hash, bulk_write, bulk_settle, bulk_reply, NULL };

request_step *const user_bulk_steps[] = {
	bulk_begin, user_bulk_load, bulk_decide, bulk_hash, bulk_take_hash, bulk_write, bulk_settle, bulk_reply, NULL
};
