/*
 * user_bulk: up to 1000 operations on users in one request (user_batch.h).
 */
#ifndef ROLLCALL_USER_BULK_H
#define ROLLCALL_USER_BULK_H

#include "body.h"
#include "request.h"

extern const struct body_field user_bulk_fields[];
extern request_step *const user_bulk_steps[];

#endif
