/*
 * user_actions: what is done to a user: activate, inactivate, invite, set a password,
 * send a reset link, and the list of what can be done now.
 */
#ifndef ROLLCALL_USER_ACTIONS_H
#define ROLLCALL_USER_ACTIONS_H

#include "request.h"
#include "user_moving.h"

extern request_step *const user_actions_steps[];
extern request_step *const user_activate_steps[];
extern request_step *const user_inactivate_steps[];
extern request_step *const user_invite_steps[];
extern request_step *const user_password_steps[];
extern request_step *const user_send_reset_steps[];

#endif
