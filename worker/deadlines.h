/*
 * deadlines: promises of time: links that lapse, locks that end.
 *
 * Each function does one batch and says whether there may be more.
 */
#ifndef ROLLCALL_DEADLINES_H
#define ROLLCALL_DEADLINES_H

#include <stdbool.h>

struct worker;

bool deadlines_expire_invitations(struct worker *worker);
bool deadlines_release_locks(struct worker *worker);
/* Guesses that reached the threshold in a process that died before it locked. */
bool deadlines_finish_locks(struct worker *worker);

#endif
