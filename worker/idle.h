/*
 * idle: users who have gone quiet: warned, then inactivated; and the brake.
 */
#ifndef ROLLCALL_IDLE_H
#define ROLLCALL_IDLE_H

#include <stdbool.h>

struct worker;

/* Where a policy about idleness has changed: computes its users' deadlines anew. */
bool idle_recompute(struct worker *worker);
/* Warns and inactivates whoever is due, organization by organization. */
bool idle_sweep(struct worker *worker);

#endif
