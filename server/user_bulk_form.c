/*
 * The body of a bulk: its envelope, and the form of each operation.
 *
 * A wrong envelope is refused as a whole; what is wrong with one operation is that one's
 * own outcome. Each becomes the request that it would be alone: its body is what is left
 * without op, id and if_version.
 */
#include "user_bulk.h"

#include <string.h>

#include "user_batch.h"
#include "user_bulk_priv.h"

#define OPERATIONS_WITH_PASSWORD_MAX 50

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
static const char *
take_id(struct proposal *own, enum operation_kind kind, struct json_object *body)
{
	struct json_object *value = NULL;
	const char *id = NULL;

	if (kind == OPERATION_CREATE)
		return NULL;
	if (!json_object_object_get_ex(body, "id", &value) || value == NULL)
		proposal_fault(own, "/id", "required", "This is needed.");
	else if (!json_object_is_type(value, json_type_string))
		proposal_fault(own, "/id", "wrong_type", "This is a text.");
	else
		id = arena_copy(own->scratch, json_object_get_string(value));
	json_object_object_del(body, "id");
	return id;
}

static const char *
take_version(struct proposal *own, enum operation_kind kind, struct json_object *body)
{
	struct json_object *value = NULL;
	const char *version = NULL;

	if (kind == OPERATION_CREATE || !json_object_object_get_ex(body, "if_version", &value))
		return NULL;
	if (!json_object_is_type(value, json_type_int))
		proposal_fault(own, "/if_version", "wrong_type", "This is a whole number.");
	else
		version = arena_copy(own->scratch, json_object_get_string(value));
	json_object_object_del(body, "if_version");
	return version;
}

static void
take_operation(struct user_batch *batch, int place, struct json_object *body)
{
	struct proposal *own = &batch->operations[place].pr;
	const enum operation_kind kind = (enum operation_kind)kind_of(json_member(body, "op"));

	own->scratch = batch->origin->scratch;
	json_object_object_del(body, "op");
	const char *id = take_id(own, kind, body);
	const char *version = take_version(own, kind, body);
	user_batch_propose(batch, place, kind, body, id, version);
	user_batch_check_form(batch, place);
}

enum step
user_bulk_begin(struct request *rq)
{
	struct json_object *list = json_member(rq->body, "operations");
	const bool is_list = json_object_is_type(list, json_type_array);
	const size_t count = is_list ? json_object_array_length(list) : 0;

	if (rq->data != NULL)	/* another round */
		return STEP_NEXT;
	if (is_list)
		check_envelope(rq, list, count);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	rq->data = user_batch_create(&rq->proposal, (int)count, json_member_bool(rq->body, "atomic", false));
	for (size_t i = 0; i < count; i++)
		take_operation(rq->data, (int)i, json_object_array_get_idx(list, i));
	return STEP_NEXT;
}
