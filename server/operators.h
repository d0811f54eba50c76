/*
 * operators: organizations as their operator sees them: founded and listed. Only operators'
 * keys get here. One in the path is read and changed as by its own (organizations.h).
 */
#ifndef ROLLCALL_OPERATORS_H
#define ROLLCALL_OPERATORS_H

#include "body.h"
#include "request.h"

extern const struct body_field organization_create_fields[];
extern const char *const organization_list_parameters[];

extern request_step *const organization_create_steps[];
extern request_step *const organization_list_steps[];

#endif
