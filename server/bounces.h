/*
 * bounces: delivery reports that somebody passes on to us.
 */
#ifndef ROLLCALL_BOUNCES_H
#define ROLLCALL_BOUNCES_H

#include "request.h"

extern request_step *const bounce_steps[];

#endif
