/*
 * Upsert by external id: another system says what it knows of one of its people.
 *
 * Who is there is edited, who is not is made, each by the steps that PATCH and POST have:
 * nothing is allowed or checked here that is not there. Members that are absent stay; a
 * new user is invited as invite_on_create says. When two make the same one at once, the
 * second finds him and edits.
 *
 * A role that was made with him is there when the same is said again: then it is his, or is
 * given to him again. Edits make no other.
 */
#include "user_upsert.h"

#include "changes.h"
#include "json.h"
#include "reply.h"
#include "text.h"
#include "user_edit.h"
#include "user_form.h"
#include "user_structure.h"
#include "users.h"

#define EXTERNAL_ID_MAX 200

static const char *const kinds[] = { "employee", "external", NULL };

const struct body_field user_upsert_fields[] = {
	{ "email", BODY_EMAIL, .is_nullable = true, .max = 254 },
	{ "username", BODY_USERNAME, .is_nullable = true, .max = 64 },
	{ "first_name", BODY_NAME },
	{ "last_name", BODY_NAME },
	{ "phone", BODY_PHONE, .is_nullable = true, .max = 40 },
	{ "kind", BODY_CHOICE, .choices = kinds },
	{ "role_id", BODY_ID, .is_nullable = true },
	{ "role", BODY_OBJECT, .is_nullable = true },
	{ "own_permissions", BODY_PERMISSIONS },
	{ "department_id", BODY_ID, .is_nullable = true },
	{ "position", BODY_NAME, .is_nullable = true, .may_be_empty = true },
	{ "group_ids", BODY_IDS, .max = GROUPS_OF_USER_MAX },
	{ "locale", BODY_LOCALE, .is_nullable = true },
	{ "attributes", BODY_OBJECT },
	{ "external_id", BODY_READ_ONLY }, { "status", BODY_READ_ONLY }, { "password", BODY_READ_ONLY }, { "invite", BODY_READ_ONLY },
	{ "email_pending", BODY_READ_ONLY },
	USER_READ_ONLY_FIELDS,
	{ 0 },
};

static enum step
user_upsert_find(struct request *rq)
{
	const char *external_id = rq->path_values[0];
	struct json_object *role = json_member(rq->body, "role");

	if (segment_is_dots(external_id))
		return request_problem_detail(rq, PROBLEM_NOT_FOUND, NULL, "Dots alone name nothing in a path.");
	if (utf8_length(external_id) > EXTERNAL_ID_MAX)
		return request_problem_detail(rq, PROBLEM_NOT_FOUND, NULL, "An external id has at most 200 characters.");
	return request_query(rq, LANE_READ, &query_user_find_by_external_id, (const char *const[]){
		rq->org_id, external_id, role != NULL ? changes_json(rq->scratch, role) : NULL });
}

/* Whether it says nothing but what a role is found by: a colour is its own. */
static bool
is_description(struct json_object *role)
{
	return json_object_is_type(role, json_type_object)
		&& json_object_object_length(role) == 2 + json_object_object_get_ex(role, "color", NULL);
}

/* An edit takes a role by its id. */
static void
take_described_role(struct request *rq)
{
	const char *role_id = request_column(rq, "described_role_id");

	if (role_id == NULL || !is_description(json_member(rq->body, "role")) || request_has(rq, "role_id")) {
		request_fault(rq, "/role", "read_only", "A role is made with a new user only, and there is no such one: give role_id.");
		return;
	}
	json_object_object_del(rq->body, "role");
	json_object_object_add(rq->body, "role_id", json_object_new_string(role_id));
}

static enum step
edit_him(struct request *rq)
{
	if (json_member(rq->body, "role") != NULL)
		take_described_role(rq);
	else
		json_object_object_del(rq->body, "role");	/* null, which describes none */
	rq->found_id = arena_copy(rq->scratch, request_column(rq, "id"));
	return request_continue(rq, user_edit_steps);
}

static enum step
make_him(struct request *rq)
{
	static const char *const names[] = { "first_name", "last_name" };

	const enum step step = request_check_match(rq, NULL);
	if (step != STEP_NEXT)
		return step;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!request_has(rq, names[i]))
			request_fault(rq, body_pointer(rq, "", names[i]), "required", "This is needed for a new user.");
	}
	json_object_object_add(rq->body, "external_id", json_object_new_string(rq->path_values[0]));
	return request_continue(rq, user_create_steps);
}

static enum step
user_upsert_go_on(struct request *rq)
{
	return request_rows(rq, 0) > 0 ? edit_him(rq) : make_him(rq);
}

request_step *const user_upsert_steps[] = { user_upsert_find, user_upsert_go_on, NULL };
request_step *const *const user_upsert_variants[] = { user_edit_steps, user_create_steps, NULL };
