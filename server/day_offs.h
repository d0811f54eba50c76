/*
 * day_offs: when users are away, with date and time.
 */
#ifndef ROLLCALL_DAY_OFFS_H
#define ROLLCALL_DAY_OFFS_H

#include "body.h"
#include "request.h"

extern const struct body_field day_off_create_fields[];
extern const struct body_field day_off_edit_fields[];
extern const char *const day_off_list_parameters[];
extern request_step *const day_off_list_steps[];
extern request_step *const day_off_create_steps[];
extern request_step *const day_off_edit_steps[];
extern request_step *const day_off_remove_steps[];

#endif
