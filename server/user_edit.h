/*
 * user_edit: PATCH of a user, by those who may, and of oneself (user_editing.h).
 */
#ifndef ROLLCALL_USER_EDIT_H
#define ROLLCALL_USER_EDIT_H

#include "request.h"
#include "user_editing.h"

extern request_step *const user_edit_steps[];
extern request_step *const me_edit_steps[];

#endif
