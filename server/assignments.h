/*
 * assignments: what client applications have given to users and departments.
 */
#ifndef ROLLCALL_ASSIGNMENTS_H
#define ROLLCALL_ASSIGNMENTS_H

#include "body.h"
#include "request.h"

extern const struct body_field assignment_fields[];
extern const char *const assignment_remove_parameters[];
extern const char *const assignment_list_parameters[];
extern request_step *const assignment_get_steps[];
extern request_step *const assignment_put_steps[];
extern request_step *const assignment_remove_steps[];
extern request_step *const assignment_list_of_user_steps[];

#endif
