/*
 * user_edit: PATCH of a user, by those who may, and of oneself.
 */
#ifndef ROLLCALL_USER_EDIT_H
#define ROLLCALL_USER_EDIT_H

#include "body.h"
#include "request.h"

extern const struct body_field user_edit_fields[];
extern const struct body_field me_edit_fields[];
extern request_step *const user_edit_steps[];
extern request_step *const me_edit_steps[];

/* For one of many: the steps between loading and writing (the results are those that
 * user_edit_load asks for), and what they lead to. */
struct user_writing;
extern request_step *const user_edit_decisions[];
/* False: nothing changes. */
bool user_edit_write(struct request *rq, struct user_writing *writing);
/* Whether the address of the body is his at once. */
bool user_edit_takes_address(struct request *rq);

#endif
