/*
 * What the files of user_batch share.
 */
#ifndef ROLLCALL_USER_BATCH_PRIV_H
#define ROLLCALL_USER_BATCH_PRIV_H

#include "user_batch.h"

void operation_succeed(struct operation *operation);
/* One failure of an atomic batch is the failure of all. */
void user_batch_apply_nothing(struct user_batch *batch);

#endif
