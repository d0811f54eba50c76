/*
 * The body of a bulk: its envelope, and the form of each operation.
 *
 * A wrong envelope is refused as a whole; what is wrong with one operation is that one's
 * own outcome. Each becomes the request that it would be alone: its body is what is left
 * without op, id and if_version.
 */
#include "user_bulk.h"

#include <string.h>

#include "user_bulk_priv.h"

const struct body_field user_bulk_fields[] = {
	{ "atomic", BODY_BOOL },
	{ "operations", BODY_LIST, .is_required = true },
	{ 0 },
};

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
		operation_refuse(operation, PROBLEM_INVALID_BODY, NULL);
		return;
	}
	if (!uuid_parse(operation->user_id, &operation->uuid)) {
		operation_refuse(operation, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	for (int i = 0; i < place; i++) {
		const struct operation *before = &bulk->operations[i];
		if (before->kind != OPERATION_CREATE && before->user_id != NULL && uuid_equal(&before->uuid, &operation->uuid)) {
			request_fault(&operation->rq, "/id", "duplicate_id", "There is an operation on this id before.");
			operation_refuse(operation, PROBLEM_DUPLICATE_ID, NULL);
			return;
		}
	}
}

enum step
user_bulk_begin(struct request *rq)
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
