/*
 * user_actions: what is done to a user: activate, inactivate, invite, set a password,
 * send a reset link, and the list of what can be done now.
 */
#ifndef ROLLCALL_USER_ACTIONS_H
#define ROLLCALL_USER_ACTIONS_H

#include "body.h"
#include "request.h"

extern const struct body_field user_activate_fields[];
extern const struct body_field user_inactivate_fields[];
extern const struct body_field user_password_fields[];

extern request_step *const user_actions_steps[];
extern request_step *const user_activate_steps[];
extern request_step *const user_inactivate_steps[];
extern request_step *const user_invite_steps[];
extern request_step *const user_password_steps[];
extern request_step *const user_send_reset_steps[];

/* For one of many: the steps between loading and writing; results[0] is query_user_load's. */
extern request_step *const user_activate_decisions[];
extern request_step *const user_inactivate_decisions[];
extern request_step *const user_invite_decisions[];

#endif
