/*
 * links: what is reached through a link in a mail: invitations and password resets.
 *
 * A token is verified without the database (common/token.h); the row then says
 * whether it is alive. Opening a link never consumes it.
 */
#ifndef ROLLCALL_LINKS_H
#define ROLLCALL_LINKS_H

#include "body.h"
#include "request.h"

extern const struct body_field link_inspect_fields[];
extern const struct body_field link_password_fields[];

extern request_step *const invitation_inspect_steps[];
extern request_step *const invitation_accept_steps[];
extern request_step *const reset_inspect_steps[];
extern request_step *const reset_complete_steps[];

extern const char *const invitation_list_parameters[];
extern request_step *const invitation_list_steps[];

#endif
