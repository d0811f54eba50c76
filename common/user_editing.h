/*
 * user_editing: changing what is known of a user.
 *
 * Facts: query_user_load's row, query_user_create_load's, one that says who has the wanted
 * address (query_email_find), and user_structure's where the body names any.
 */
#ifndef ROLLCALL_USER_EDITING_H
#define ROLLCALL_USER_EDITING_H

#include "form.h"
#include "proposal.h"

struct user_writing;

extern const struct body_field user_edit_fields[];
extern const struct body_field me_edit_fields[];
extern proposal_step *const user_edit_decisions[];
/* Of what a user edits of himself. */
extern proposal_step *const me_edit_decisions[];
/* Behind the decisions: whether there is anything to write; and whether the address counts
 * at once, so that nobody else may have it. */
bool user_edit_write(struct proposal *pr, struct user_writing *writing);
bool user_edit_takes_address(const struct proposal *pr);

#endif
