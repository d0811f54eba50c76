/*
 * inline_role: a role that is made together with the first user who has it (S3-08).
 *
 * The body of a new user has `role: {name, permissions, color?}` in place of role_id.
 */
#ifndef ROLLCALL_INLINE_ROLE_H
#define ROLLCALL_INLINE_ROLE_H

#include "request.h"

struct policy;

struct inline_role {
	const char *id;			/* NULL: the body asks for none */
	struct json_object *body;
	struct permission_set permissions;
};

/* Adds the faults of the member. */
void inline_role_find_faults(struct request *rq);
/* Of a body without faults. */
void inline_role_take(struct request *rq, struct inline_role *role);
/* STEP_NEXT, or the answer that this caller makes no roles, or not this one. */
enum step inline_role_check(struct request *rq, const struct policy *policy, const struct inline_role *role);
/* To be sent before the user's own row. */
struct statement inline_role_create(struct request *rq, const struct inline_role *role);

#endif
