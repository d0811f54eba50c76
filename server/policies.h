/*
 * policies: the organization's policy (GET, PATCH), and releasing the idle brake.
 */
#ifndef ROLLCALL_POLICIES_H
#define ROLLCALL_POLICIES_H

#include "request.h"

extern request_step *const policy_get_steps[];
extern request_step *const policy_edit_steps[];
extern request_step *const idle_release_steps[];

#endif
