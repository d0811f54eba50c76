/*
 * email_changes: what is reached through the link to a new e-mail address.
 *
 * An administrator asks for the address (user_edit.c); it becomes the user's when its
 * owner says so, here. Opening the link confirms nothing.
 */
#ifndef ROLLCALL_EMAIL_CHANGES_H
#define ROLLCALL_EMAIL_CHANGES_H

#include "request.h"

extern request_step *const email_change_inspect_steps[];
extern request_step *const email_change_confirm_steps[];

#endif
