/*
 * sessions: signing in and out, and the sessions of a user.
 */
#ifndef ROLLCALL_SESSIONS_H
#define ROLLCALL_SESSIONS_H

#include "body.h"
#include "request.h"

extern const struct body_field login_fields[];
extern const char *const login_parameters[];
extern request_step *const login_steps[];

extern request_step *const session_current_steps[];
extern request_step *const session_get_steps[];
extern request_step *const session_sign_out_steps[];
extern request_step *const auth_verify_steps[];

extern const char *const session_list_parameters[];
extern request_step *const session_list_steps[];	/* of {id}, or one's own */
extern request_step *const session_delete_steps[];	/* one or all */

/* "forgot password": always 202. */
extern const struct body_field reset_request_fields[];
extern request_step *const reset_request_steps[];

#endif
