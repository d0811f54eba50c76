/*
 * roles: named sets of permissions, of which a user has one.
 */
#ifndef ROLLCALL_ROLES_H
#define ROLLCALL_ROLES_H

#include "body.h"
#include "resource.h"
#include "role_making.h"

extern const struct body_field role_edit_fields[];
extern const struct body_field role_copy_fields[];
extern const char *const role_remove_parameters[];
extern const struct resource roles;

extern request_step *const role_create_steps[];
extern request_step *const role_edit_steps[];
extern request_step *const role_copy_steps[];
extern request_step *const role_remove_steps[];

#endif
