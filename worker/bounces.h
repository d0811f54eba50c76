/*
 * bounces: reads the delivery reports that a mail system leaves in a Maildir.
 */
#ifndef ROLLCALL_BOUNCES_H
#define ROLLCALL_BOUNCES_H

#include <stdbool.h>

struct worker;

/* A task of the clock: takes some of what is new in ROLLCALL_BOUNCE_MAILDIR. True: there may be
 * more at once. */
bool bounces_take(struct worker *worker);

#endif
