/*
 * audits: what happened, to whom, by whom.
 */
#ifndef ROLLCALL_AUDITS_H
#define ROLLCALL_AUDITS_H

#include "request.h"

extern const char *const audit_list_parameters[];
extern request_step *const audit_list_steps[];

#endif
