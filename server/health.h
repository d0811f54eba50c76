/*
 * health: /healthz (the process lives) and /readyz (it can do its work).
 */
#ifndef ROLLCALL_HEALTH_H
#define ROLLCALL_HEALTH_H

#include "request.h"

extern request_step *const health_steps[];
extern request_step *const ready_steps[];

#endif
