/*
 * What the files of user_bulk share.
 */
#ifndef ROLLCALL_USER_BULK_PRIV_H
#define ROLLCALL_USER_BULK_PRIV_H

#include "request.h"

/* The first step: checks the envelope, makes the batch (rq->data) and fills it in. */
enum step user_bulk_begin(struct request *rq);

#endif
