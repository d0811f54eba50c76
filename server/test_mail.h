/*
 * test_mail: a mail that proves the way of all mails.
 */
#ifndef ROLLCALL_TEST_MAIL_H
#define ROLLCALL_TEST_MAIL_H

#include "body.h"

extern const struct body_field test_mail_fields[];
extern request_step *const test_mail_steps[];

#endif
