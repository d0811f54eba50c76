/*
 * audits: what happened, to whom, by whom.
 */
#ifndef ROLLCALL_AUDITS_H
#define ROLLCALL_AUDITS_H

#include "request.h"

extern const char *const audit_list_parameters[];
extern request_step *const audit_list_steps[];
/* Of one user, also of one who is inactive or deleted. */
extern const char *const user_history_parameters[];
extern request_step *const user_history_steps[];

#endif
