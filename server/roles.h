/*
 * roles: named sets of permissions, of which a user has one.
 */
#ifndef ROLLCALL_ROLES_H
#define ROLLCALL_ROLES_H

#include "body.h"
#include "resource.h"

extern const struct body_field role_create_fields[];
extern const struct body_field role_edit_fields[];
extern const struct body_field role_copy_fields[];
extern const char *const role_remove_parameters[];
extern const struct resource roles;

extern request_step *const role_create_steps[];
extern request_step *const role_edit_steps[];
extern request_step *const role_copy_steps[];
extern request_step *const role_remove_steps[];

/* The permissions of a role's body, which it sorts and rids of what stands there twice:
 * a set is always written alike. Empty when it has none. */
struct permission_set role_take_permissions(struct request *rq, struct json_object *body);
/* STEP_NEXT, or the answer that the policy wants no roles made by hand, or that the
 * caller does not hold what the role would give. */
enum step role_check_making(struct request *rq, bool custom_roles, const struct permission_set *permissions);
/* The statement that makes a role of a body whose permissions were taken. */
struct statement role_create_statement(struct request *rq, const char *id, struct json_object *body);

#endif
