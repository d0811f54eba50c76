/*
 * deletions: deleting users, in two steps where the policy wants it.
 */
#ifndef ROLLCALL_DELETIONS_H
#define ROLLCALL_DELETIONS_H

#include "body.h"
#include "request.h"

extern const struct body_field deletion_create_fields[];
extern request_step *const deletion_create_steps[];
extern request_step *const deletion_confirm_steps[];

#endif
