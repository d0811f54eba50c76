/*
 * user_moving: activating, inactivating, inviting a user, setting his password, sending him a
 * reset link. Each decision takes query_user_load's row as the first fact.
 */
#ifndef ROLLCALL_USER_MOVING_H
#define ROLLCALL_USER_MOVING_H

#include "form.h"
#include "proposal.h"

extern const struct body_field user_activate_fields[];
extern const struct body_field user_inactivate_fields[];
extern const struct body_field user_password_fields[];

extern proposal_step *const user_activate_decisions[];
extern proposal_step *const user_inactivate_decisions[];
extern proposal_step *const user_invite_decisions[];
extern proposal_step *const user_password_decisions[];
extern proposal_step *const user_send_reset_decisions[];

#endif
