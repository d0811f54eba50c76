/*
 * policies: the organization's policy: read, changed by a patch or to a preset, tried out
 * before; and releasing the idle brake.
 */
#ifndef ROLLCALL_POLICIES_H
#define ROLLCALL_POLICIES_H

#include "body.h"
#include "request.h"

extern request_step *const policy_get_steps[];
extern request_step *const policy_edit_steps[];
extern const struct body_field policy_preset_body[];
extern request_step *const policy_preset_steps[];
extern const struct body_field policy_simulate_body[];
extern request_step *const policy_simulate_steps[];
extern request_step *const idle_release_steps[];

#endif
