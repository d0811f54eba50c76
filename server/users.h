/*
 * users: create and get. Lists are user_list.h's, edits user_edit.h's, actions user_actions.h's.
 */
#ifndef ROLLCALL_USERS_H
#define ROLLCALL_USERS_H

#include "body.h"
#include "request.h"

extern const struct body_field user_create_fields[];
extern request_step *const user_create_steps[];
extern request_step *const user_get_steps[];

#endif
