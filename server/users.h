/*
 * users: create, get and list (users.c), edit (user_edit.c), actions (user_actions.c).
 */
#ifndef ROLLCALL_USERS_H
#define ROLLCALL_USERS_H

#include "body.h"
#include "request.h"

extern const struct body_field user_create_fields[];
extern request_step *const user_create_steps[];
extern request_step *const user_get_steps[];
extern const char *const user_list_parameters[];
extern request_step *const user_list_steps[];

/* For the other files about users. */

/* own_permissions of the body; empty when it has none. */
struct permission_set user_permissions_wanted(struct request *rq);
/* STEP_NEXT, or the answer that the permission is missing and why it is needed. */
enum step user_require(struct request *rq, const char *permission, const char *because);

#endif
