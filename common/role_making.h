/*
 * role_making: making a role, by itself or together with the first user who has it (S3-08).
 */
#ifndef ROLLCALL_ROLE_MAKING_H
#define ROLLCALL_ROLE_MAKING_H

#include "form.h"
#include "proposal.h"
#include "query.h"

struct policy;

extern const struct body_field role_create_fields[];

/* The permissions of a role's body, which it sorts and rids of what stands there twice:
 * a set is always written alike. Empty when it has none. */
struct permission_set role_take_permissions(struct proposal *pr, struct json_object *body);
/* Refuses where the policy wants no roles made by hand, or the caller does not hold what
 * the role would give. */
bool role_check_making(struct proposal *pr, bool custom_roles, const struct permission_set *permissions)
	__attribute__((warn_unused_result));
/* The statement that makes a role of a body whose permissions were taken. */
struct statement role_create_statement(struct proposal *pr, const char *id, struct json_object *body);

/* The body of a new user may have `role: {name, permissions, color?}` in place of role_id. */
struct inline_role {
	const char *id;			/* NULL: the body asks for none */
	struct json_object *body;
	struct permission_set permissions;
};

/* Adds the faults of the member. */
void inline_role_find_faults(struct proposal *pr);
/* Of a body without faults. */
void inline_role_take(struct proposal *pr, struct inline_role *role);
/* Refuses a caller who makes no roles, or not this one. */
bool inline_role_check(struct proposal *pr, const struct policy *policy, const struct inline_role *role)
	__attribute__((warn_unused_result));

#endif
