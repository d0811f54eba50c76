/*
 * Roles: made, edited, copied, deleted.
 *
 * What is always true: nobody gives a role what he does not hold, nor touches one that
 * holds more than he; and whatever becomes of a role, an active user is left who
 * administers. A change that takes an administrator's word from a role is gated by
 * admin_epoch, and so is every change of an administrator's own role (user_edit.c): of
 * two that would leave nobody together, the second decides again. Users keep their
 * versions when their role is edited; who is moved to another role is edited himself.
 */
#include "roles.h"

#include <string.h>

#include "changes.h"
#include "list.h"
#include "reply.h"
#include "subject.h"
#include "user_steps.h"

/* As many go to another role in one statement, at some 0.4 ms each (their indexes): the
 * gate is held for so long, and statement_timeout is far. */
#define MOVED_MAX 5000

const struct body_field role_edit_fields[] = {
	{ "name", BODY_NAME },
	{ "permissions", BODY_PERMISSIONS },
	{ "color", BODY_COLOR, .is_nullable = true },
	{ "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field role_copy_fields[] = {
	{ "name", BODY_NAME, .is_required = true },
	{ 0 },
};

const char *const role_remove_parameters[] = { "move_to", NULL };

const struct resource roles = {
	.path = "/v1/roles",
	.list = &query_role_list, .count = &query_role_count, .get = &query_role_get,
	.create = &query_role_create, .edit = &query_role_edit, .remove = &query_role_remove,
};

struct role_case {
	struct resource_case the;	/* first: the steps of resource.h work here too */
	struct permission_set held, wanted;
	const char *move_to;		/* NULL: nowhere */
	bool leaves_no_administrator;
};

static enum step
check_making(struct request *rq, bool custom_roles, const struct permission_set *permissions)
{
	return role_check_making(&rq->proposal, custom_roles, permissions) ? STEP_NEXT : request_answer_refusal(rq);
}

/* Make. */

static enum step
role_create_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_role_load, (const char *const[]){ rq->org_id, NULL, NULL, NULL });
}

static enum step
role_create_check(struct request *rq)
{
	const struct permission_set wanted = role_take_permissions(&rq->proposal, rq->body);

	return check_making(rq, request_column_is_true(rq, "custom_roles"), &wanted);
}

request_step *const role_create_steps[] = {
	role_create_load, role_create_check, resource_create, resource_reply_created, NULL
};

/* Edit. */

/* The set as PostgreSQL reads it; its words need no quotes. */
static const char *
permission_array(struct request *rq, const struct permission_set *set)
{
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	for (size_t i = 0; i < set->count; i++)
		buffer_printf(&out, "%s%s", i > 0 ? "," : "", set->words[i]);
	buffer_putc(&out, '}');
	return request_take_text(rq, &out);
}

/* The role, and what the change rests on; whoever moves is asked for by a third. */
static enum step
role_load(struct request *rq)
{
	struct role_case *the = arena_take(rq->scratch, sizeof(*the));
	const char *words = NULL;

	rq->data = the;
	if (request_has(rq, "permissions")) {
		the->wanted = role_take_permissions(&rq->proposal, rq->body);
		words = permission_array(rq, &the->wanted);
	}
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ &query_role_get, (const char *const[]){ rq->org_id, rq->path_values[0] } },
		{ &query_role_load, (const char *const[]){ rq->org_id, rq->path_values[0], words, NULL } },
	}, 2);
}

/* Roles may be changed here, and this one holds no more than the caller. */
static enum step
role_take(struct request *rq)
{
	const enum step step = resource_take(rq);
	const PGresult *facts = rq->results[1];
	struct role_case *the = rq->data;

	if (step != STEP_NEXT)
		return step;
	the->held = permission_set_parse(rq->scratch, row_text(facts, 0, "role_permissions"));
	the->leaves_no_administrator = row_is_true(facts, 0, "leaves_no_administrator");
	if (row_is_true(facts, 0, "custom_roles") && !permission_set_contains(&rq->caller.permissions, &the->held))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"This role holds permissions that you do not hold.");
	return check_making(rq, row_is_true(facts, 0, "custom_roles"), &the->wanted);
}

static bool
loses(const struct role_case *the, const char *word)
{
	return permission_set_has(&the->held, word) && !permission_set_has(&the->wanted, word);
}

static enum step
role_edit_record(struct request *rq)
{
	const struct role_case *the = rq->data;
	const struct statement get = { &query_role_get, (const char *const[]){ rq->org_id, the->the.id } };
	const bool is_gated = request_has(rq, "permissions") && (loses(the, "users:write") || loses(the, "roles:write"));
	const char *changes = changes_of(rq->scratch, the->the.before, rq->body);

	if (the->leaves_no_administrator)
		return request_problem(rq, PROBLEM_LAST_ADMINISTRATOR);
	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_SLOW, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_role_edit, (const char *const[]){ rq->org_id, the->the.id, the->the.version, changes_json(rq->scratch, rq->body),
			is_gated ? rq->caller.admin_epoch : NULL, request_new_id(rq), request_actor(rq), changes } },
		get,
	}, 2);
}

request_step *const role_edit_steps[] = { role_load, role_take, role_edit_record, reply_ok, NULL };

/* Copy: a new role of another name that holds the same. */

static enum step
role_copy_fill(struct request *rq)
{
	static const char *const copied[] = { "permissions", "color" };
	const struct role_case *the = rq->data;
	const char *reason;
	struct json_object *source = json_parse(the->the.before, strlen(the->the.before), &reason);

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		json_object_object_add(rq->body, copied[i], json_object_get(json_member(source, copied[i])));
	json_object_put(source);
	return STEP_NEXT;
}

request_step *const role_copy_steps[] = {
	role_load, role_take, role_copy_fill, resource_create, resource_reply_created, NULL
};

/* Delete: when nobody has it, or once everybody who has it is moved. */

static enum step
role_remove_load(struct request *rq)
{
	struct role_case *the = arena_take(rq->scratch, sizeof(*the));
	const char *id = rq->path_values[0], *limit = arena_printf(rq->scratch, "%d", MOVED_MAX + 1);
	struct uuid from, to;

	rq->data = the;
	rq->faults_in_query = true;
	the->move_to = list_read_id(rq, "move_to");
	if (the->move_to != NULL && uuid_parse(id, &from) && uuid_parse(the->move_to, &to) && uuid_equal(&from, &to))
		request_fault(rq, "move_to", "invalid", "This is the role that is to be deleted.");
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ &query_role_get, (const char *const[]){ rq->org_id, id } },
		{ &query_role_load, (const char *const[]){ rq->org_id, id, NULL, the->move_to } },
		{ &query_role_users, (const char *const[]){ rq->org_id, id, the->move_to, limit } },
	}, the->move_to != NULL ? 3 : 2);
}

static enum step
check_target(struct request *rq)
{
	const PGresult *facts = rq->results[1];
	const struct permission_set wanted = permission_set_parse(rq->scratch, row_text(facts, 0, "move_to_permissions"));

	if (row_text(facts, 0, "move_to_id") == NULL) {
		request_fault(rq, "move_to", "unknown_id", "There is no role with this id.");
		return request_answer_faults(rq);
	}
	if (!proposal_holds(&rq->proposal, row_text(facts, 0, "default_permissions"), &wanted))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"You cannot move users to a role that holds what you do not hold.");
	return STEP_NEXT;
}

/* Nobody touches a user who holds more than he, one by one or all together. */
static enum step
check_users(struct request *rq)
{
	const PGresult *facts = rq->results[1], *users = rq->results[2];
	const bool blocks = strcmp(row_text(facts, 0, "required_fields"), "block") == 0;
	int lacking = 0;

	if (PQntuples(users) > MOVED_MAX)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			arena_printf(rq->scratch, "More than %d users have this role: give some of them another one first.", MOVED_MAX));
	for (int i = 0; i < PQntuples(users); i++) {
		const struct permission_set own = permission_set_parse(rq->scratch, row_text(users, i, "own_permissions"));
		if (!proposal_holds(&rq->proposal, row_text(facts, 0, "default_permissions"), &own))
			return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
				"A user of this role holds permissions that you do not hold.");
		lacking += row_is_true(users, i, "lacks_fields");
	}
	if (blocks && lacking > 0)
		return request_problem_detail(rq, PROBLEM_REFUSED_BY_POLICY, "required_fields",
			arena_printf(rq->scratch, "%d of its users lack a field that the other role requires.", lacking));
	return STEP_NEXT;
}

static enum step
role_remove_check(struct request *rq)
{
	const struct role_case *the = rq->data;
	const long users = row_int(rq->results[0], 0, "users");
	enum step step = STEP_NEXT;

	if (the->move_to == NULL && users > 0)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, arena_printf(rq->scratch,
			"%ld %s this role: give them another one, or name it in move_to.", users, users == 1 ? "user has" : "users have"));
	if (the->move_to != NULL)
		step = check_target(rq);
	if (step == STEP_NEXT && the->move_to != NULL)
		step = check_users(rq);
	if (step == STEP_NEXT && the->leaves_no_administrator)
		return request_problem(rq, PROBLEM_LAST_ADMINISTRATOR);
	return step;
}

/* Those who move, as the decision saw them; each has a line of his own in the audit. */
static const char *
move_rows(struct request *rq)
{
	const PGresult *users = rq->results[2];
	struct buffer out = BUFFER_INIT;
	char audit_id[UUID_TEXT_SIZE];

	buffer_putc(&out, '[');
	for (int i = 0; i < PQntuples(users); i++) {
		uuid_make_text(audit_id);
		json_write_separator(&out);
		buffer_putc(&out, '{');
		json_write_string_member(&out, "id", row_text(users, i, "user_id"));
		json_write_int_member(&out, "version", row_int(users, i, "version"));
		json_write_string_member(&out, "audit_id", audit_id);
		buffer_putc(&out, '}');
	}
	buffer_putc(&out, ']');
	return request_take_text(rq, &out);
}

static enum step
role_remove_record(struct request *rq)
{
	const struct role_case *the = rq->data;
	const char *moves = the->move_to != NULL ? move_rows(rq) : "[]";

	return request_effect(rq, LANE_WRITE, &query_role_remove, (const char *const[]){
		rq->org_id, the->the.id, the->the.version, the->move_to, moves,
		the->move_to != NULL ? rq->caller.admin_epoch : NULL, request_new_id(rq), request_actor(rq) });
}

request_step *const role_remove_steps[] = {
	role_remove_load, role_take, role_remove_check, role_remove_record, reply_no_content, NULL
};
