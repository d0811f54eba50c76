/*
 * departments: the tree in which people work.
 */
#ifndef ROLLCALL_DEPARTMENTS_H
#define ROLLCALL_DEPARTMENTS_H

#include "body.h"
#include "resource.h"

extern const struct body_field department_create_fields[];
extern const struct body_field department_edit_fields[];
extern const struct resource departments;

extern request_step *const department_create_steps[];
extern request_step *const department_edit_steps[];
extern request_step *const department_remove_steps[];

#endif
