/*
 * openapi: the description of the API, put together from server/openapi/ when it was built.
 */
#ifndef ROLLCALL_OPENAPI_H
#define ROLLCALL_OPENAPI_H

#include "request.h"

extern request_step *const openapi_steps[];

#endif
