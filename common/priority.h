/*
 * Who waits when the processor is short: what somebody waits for goes before what has time.
 */
#ifndef ROLLCALL_PRIORITY_H
#define ROLLCALL_PRIORITY_H

/* Lowers the priority of the thread that calls, and of the processes that it starts from then on,
 * by so many steps of nice(2). A warning in the log when the system forbids it. */
void priority_lower(int steps);

#endif
