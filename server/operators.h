/*
 * operators: organizations as their operator sees them: founded, listed, read, changed. Only
 * operators' keys get here.
 */
#ifndef ROLLCALL_OPERATORS_H
#define ROLLCALL_OPERATORS_H

#include "body.h"
#include "request.h"

extern const struct body_field organization_create_fields[];
extern const char *const organization_list_parameters[];

extern request_step *const organization_create_steps[];
extern request_step *const organization_list_steps[];
/* GET and PATCH of the one in the path. */
extern request_step *const organization_enter_steps[];

#endif
