/*
 * A role made with its first user: the same fields, rules and statement as POST of a role.
 *
 * What is always true: it stands before the user in the same transaction, so neither is
 * there without the other.
 */
#include "inline_role.h"

#include "policy.h"
#include "roles.h"
#include "user_steps.h"

void
inline_role_find_faults(struct request *rq)
{
	struct json_object *body = json_member(rq->body, "role");

	if (!json_object_is_type(body, json_type_object))
		return;
	body_check_object(rq, body, "/role", role_create_fields);
	if (json_member(rq->body, "role_id") != NULL)
		request_fault(rq, "/role", "invalid", "Give role_id or role, not both.");
}

void
inline_role_take(struct request *rq, struct inline_role *role)
{
	role->body = json_member(rq->body, "role");
	if (role->body == NULL)
		return;
	role->id = request_new_id(rq);
	role->permissions = role_take_permissions(rq, role->body);
}

enum step
inline_role_check(struct request *rq, const struct policy *policy, const struct inline_role *role)
{
	const enum step step = user_require(rq, "roles:write", "a role is made");

	return step == STEP_NEXT ? role_check_making(rq, policy->custom_roles, &role->permissions) : step;
}

struct statement
inline_role_create(struct request *rq, const struct inline_role *role)
{
	return role_create_statement(rq, role->id, role->body);
}
