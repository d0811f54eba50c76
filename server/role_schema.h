/*
 * role_schema: what a user of a role must be made of, as a JSON Schema.
 */
#ifndef ROLLCALL_ROLE_SCHEMA_H
#define ROLLCALL_ROLE_SCHEMA_H

#include "request.h"

extern request_step *const role_schema_steps[];

#endif
