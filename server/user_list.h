/*
 * user_list: GET /v1/users.
 */
#ifndef ROLLCALL_USER_LIST_H
#define ROLLCALL_USER_LIST_H

#include "request.h"

extern const char *const user_list_parameters[];
extern request_step *const user_list_steps[];

#endif
