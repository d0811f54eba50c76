/*
 * fields: what an organization adds to what is known of people.
 */
#ifndef ROLLCALL_FIELDS_H
#define ROLLCALL_FIELDS_H

#include "body.h"
#include "resource.h"

extern const struct body_field field_create_fields[];
extern const struct body_field field_edit_fields[];
extern const struct resource fields;

extern request_step *const field_create_steps[];
extern request_step *const field_edit_steps[];
extern request_step *const field_remove_steps[];

#endif
