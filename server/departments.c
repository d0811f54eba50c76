/*
 * Departments: the tree in which people work, as deep as an organization likes.
 *
 * What is always true: following parents ends at a root. Who moves a department has
 * looked at the whole tree, and his move is written only while no other has been since:
 * organization.structure_epoch is read with the look and gates the write. A department
 * with somebody or something in it is not deleted: what a deletion looks at may change
 * before it, so the foreign keys have the last word.
 */
#include "departments.h"

#include <string.h>

#include "changes.h"
#include "reply.h"
#include "route.h"
#include "subject.h"

const struct body_field department_create_fields[] = {
	{ "name", BODY_NAME, .is_required = true },
	{ "parent_id", BODY_ID, .is_nullable = true },
	{ "path", BODY_READ_ONLY }, { "departments", BODY_READ_ONLY }, { "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field department_edit_fields[] = {
	{ "name", BODY_NAME },
	{ "parent_id", BODY_ID, .is_nullable = true },
	{ "path", BODY_READ_ONLY }, { "departments", BODY_READ_ONLY },
	{ "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct resource departments = {
	.path = "/v1/departments",
	.list = &query_department_list, .count = &query_department_count, .get = &query_department_get,
	.create = &query_department_create, .remove = &query_department_remove,
};

struct department_editing {
	struct resource_case the;	/* first: resource_take fills it */
	const char *structure_epoch;	/* that the decision saw; NULL: it does not move */
};

/* Looks at the second row of what a department and its parent were loaded with. */
static void
find_parent_faults(struct request *rq, const PGresult *rows)
{
	if (body_id(rq, "parent_id") == NULL)
		return;
	if (!row_is_true(rows, 0, "parent_exists"))
		request_fault(rq, "/parent_id", "unknown_id", "There is no department with this id.");
	else if (row_is_true(rows, 0, "makes_circle"))
		request_fault(rq, "/parent_id", "invalid", "A department cannot be moved into itself or below itself.");
}

static enum step
department_create_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_department_parent,
		(const char *const[]){ rq->org_id, NULL, body_id(rq, "parent_id") });
}

static enum step
department_create_check(struct request *rq)
{
	find_parent_faults(rq, rq->results[0]);
	return request_answer_faults(rq);
}

request_step *const department_create_steps[] = {
	department_create_load, department_create_check, resource_create, resource_reply_created, NULL
};

static enum step
department_edit_load(struct request *rq)
{
	rq->data = arena_take(rq->scratch, sizeof(struct department_editing));
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ &query_department_get, (const char *const[]){ rq->org_id, rq->path_values[0] } },
		{ &query_department_parent, (const char *const[]){ rq->org_id, rq->path_values[0], body_id(rq, "parent_id") } },
	}, 2);
}

/* To become a root, too, is a move: the tree that others look at changes. */
static enum step
department_edit_check(struct request *rq)
{
	struct department_editing *edit = rq->data;

	if (request_has(rq, "parent_id"))
		edit->structure_epoch = arena_copy(rq->scratch, row_text(rq->results[1], 0, "structure_epoch"));
	find_parent_faults(rq, rq->results[1]);
	return request_answer_faults(rq);
}

static enum step
department_edit(struct request *rq)
{
	const struct department_editing *edit = rq->data;
	const char *changes = changes_of(rq->scratch, edit->the.before, rq->body);
	const struct statement get = { &query_department_get, (const char *const[]){ rq->org_id, edit->the.id } };

	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_SLOW, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_department_edit, (const char *const[]){ rq->org_id, edit->the.id, edit->the.version, changes_json(rq->scratch, rq->body),
			edit->structure_epoch, request_new_id(rq), request_actor(rq), changes } },
		get,
	}, 2);
}

request_step *const department_edit_steps[] = {
	department_edit_load, resource_take, department_edit_check, department_edit, reply_ok, NULL
};

static enum step
department_remove_check(struct request *rq)
{
	const long users = row_int(rq->result, 0, "users"), below = row_int(rq->result, 0, "departments");

	if (users == 0 && below == 0)
		return STEP_NEXT;
	return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, arena_printf(rq->scratch,
		"In this department are %ld users and %ld departments. Move them first.", users, below));
}

request_step *const department_remove_steps[] = {
	resource_get, resource_take, department_remove_check, resource_remove, reply_no_content, NULL
};
