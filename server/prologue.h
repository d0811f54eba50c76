/*
 * prologue: the steps that every request takes before its route's own.
 */
#ifndef ROLLCALL_PROLOGUE_H
#define ROLLCALL_PROLOGUE_H

#include "request.h"

extern request_step *const prologue_steps[];
extern const int prologue_step_count;
/* Where a request that must decide again goes on: at who asks. */
extern const int prologue_again;

#endif
