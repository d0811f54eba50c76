/*
 * user_creation: making a user.
 *
 * Facts: query_user_create_load's row first, and user_structure's where the body names any.
 */
#ifndef ROLLCALL_USER_CREATION_H
#define ROLLCALL_USER_CREATION_H

#include "form.h"
#include "proposal.h"

struct user_writing;

extern const struct body_field user_create_fields[];
extern proposal_step *const user_create_decisions[];
/* Behind the decisions: what is written. */
void user_create_write(struct proposal *pr, struct user_writing *writing);

#endif
