/*
 * mails: the outbox as administrators see it: why somebody got no mail.
 */
#ifndef ROLLCALL_MAILS_H
#define ROLLCALL_MAILS_H

#include "request.h"

extern const char *const outbox_list_parameters[];
extern request_step *const outbox_list_steps[];
extern request_step *const outbox_retry_steps[];

#endif
