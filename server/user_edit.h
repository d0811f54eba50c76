/*
 * user_edit: PATCH of a user, by those who may, and of oneself.
 */
#ifndef ROLLCALL_USER_EDIT_H
#define ROLLCALL_USER_EDIT_H

#include "body.h"
#include "request.h"

extern const struct body_field user_edit_fields[];
extern const struct body_field me_edit_fields[];
extern request_step *const user_edit_steps[];
extern request_step *const me_edit_steps[];

#endif
