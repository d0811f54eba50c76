/*
 * role_making: making a role, by itself or together with the first user who has it (S3-08).
 */
#ifndef ROLLCALL_ROLE_MAKING_H
#define ROLLCALL_ROLE_MAKING_H

#include "form.h"
#include "proposal.h"

struct policy;

extern const struct body_field role_create_fields[];

/* The permissions of a role's body, which it sorts and rids of what stands there twice:
 * a set is always written alike. Empty when it has none. */
struct permission_set role_take_permissions(struct proposal *pr, struct json_object *body);
/* Refuses where the policy wants no roles made by hand, or the caller does not hold what
 * the role would give. */
bool role_check_making(struct proposal *pr, bool custom_roles, const struct permission_set *permissions)
	__attribute__((warn_unused_result));

/* The body of a new user may have `role: {name, permissions, color?}` in place of role_id. */
struct inline_role {
	const char *id;			/* NULL: the body asks for none */
	struct json_object *body;
	struct permission_set permissions;
};

/* The name that the body gives the role, whatever is wrong with it; NULL: none. */
const char *inline_role_name(const struct proposal *pr);
/* Adds the faults of the member. */
void inline_role_find_faults(struct proposal *pr);
/* Of a body without faults. */
void inline_role_take(struct proposal *pr, struct inline_role *role);
/* Refuses a caller who makes no roles, or not this one. */
bool inline_role_check(struct proposal *pr, const struct policy *policy, const struct inline_role *role)
	__attribute__((warn_unused_result));
/* Adds an element of the roles to make (sql/queries/roles.sql), if it is one. */
void inline_role_write(struct proposal *pr, const struct inline_role *role, struct buffer *out);

#endif
