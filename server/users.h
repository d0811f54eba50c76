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

/* For one of many: the steps between loading and writing (query_user_create_load's row in
 * results[0], user_structure's where the body names any), and what they lead to. */
struct user_writing;
extern request_step *const user_create_decisions[];
bool user_create_makes_role(struct request *rq);
void user_create_write(struct request *rq, struct user_writing *writing);

#endif
