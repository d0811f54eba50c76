/*
 * users: create (user_creation.h) and get. Lists are user_list.h's, edits user_edit.h's,
 * actions user_actions.h's.
 */
#ifndef ROLLCALL_USERS_H
#define ROLLCALL_USERS_H

#include "request.h"
#include "user_creation.h"

extern request_step *const user_create_steps[];
extern request_step *const user_get_steps[];

#endif
