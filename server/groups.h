/*
 * groups: what people own and share things as; anyone may be in many.
 */
#ifndef ROLLCALL_GROUPS_H
#define ROLLCALL_GROUPS_H

#include "body.h"
#include "resource.h"

extern const struct body_field group_create_fields[];
extern const struct body_field group_edit_fields[];
extern const struct body_field group_members_fields[];
extern const struct resource groups;
extern const char *const group_member_list_parameters[];

extern request_step *const group_remove_steps[];
extern request_step *const group_member_list_steps[];
extern request_step *const group_members_add_steps[];
extern request_step *const group_members_replace_steps[];
extern request_step *const group_member_remove_steps[];

#endif
