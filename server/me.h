/*
 * me: the signed-in user's own account. (His edits are user_edit.h's, his sessions
 * sessions.h's.)
 */
#ifndef ROLLCALL_ME_H
#define ROLLCALL_ME_H

#include "body.h"
#include "request.h"

extern request_step *const me_get_steps[];
extern const struct body_field me_password_fields[];
extern request_step *const me_password_steps[];

#endif
