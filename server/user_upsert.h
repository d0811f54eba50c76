/*
 * user_upsert: PUT /v1/users/by-external-id/{external_id}.
 */
#ifndef ROLLCALL_USER_UPSERT_H
#define ROLLCALL_USER_UPSERT_H

#include "body.h"
#include "request.h"

extern const struct body_field user_upsert_fields[];
extern request_step *const user_upsert_steps[];
extern request_step *const *const user_upsert_variants[];	/* route.variants */

#endif
