/*
 * connect: what a connection to the mail relay may cost.
 *
 * libesmtp connects with a plain blocking connect(2), sets no option on the
 * socket, hands its number to nobody and knows no deadline for a whole session:
 * a relay that answers one byte a second holds it for hours. So the worker
 * interposes connect(2). This is the only place that sees the socket, hence it is
 * also the one that can cut it.
 *
 * Only blocking TCP connections are touched. libpq and libc's resolver use
 * non-blocking ones; these and Unix sockets pass straight through.
 */
#ifndef ROLLCALL_CONNECT_H
#define ROLLCALL_CONNECT_H

#include <stdbool.h>

/* From now until connect_release, one connection attempt takes at most
 * `connect_ms` (5 s when nothing is guarded), and after `session_ms` in all the
 * connection is cut and no new one is made. Takes SIGRTMIN for itself meanwhile
 * (SIGALRM is the supervisor's last resort). */
void connect_guard(int connect_ms, int session_ms);
/* Shuts the guarded connection down at once; its reader sees the end of file. */
void connect_cut(void);
/* Ends the guard. True when the deadline had to cut. */
bool connect_release(void);

#endif
