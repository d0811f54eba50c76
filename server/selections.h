/*
 * selections: doing something to all users that a filter chooses, in two steps.
 */
#ifndef ROLLCALL_SELECTIONS_H
#define ROLLCALL_SELECTIONS_H

#include "body.h"
#include "request.h"

extern const struct body_field selection_create_fields[];
extern const char *const selection_user_parameters[];
extern request_step *const selection_create_steps[];
extern request_step *const selection_confirm_steps[];
extern request_step *const selection_get_steps[];
extern request_step *const selection_users_steps[];

#endif
