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

enum connect_end {
	CONNECT_ENDED,		/* by itself, or by connect_cut */
	CONNECT_EXPIRED,	/* the deadline had to cut */
	CONNECT_STOPPED,	/* the program is to stop, and that could cut */
};

/* From now until connect_release, one connection attempt takes at most
 * `connect_ms` (5 s when nothing is guarded), and after `session_ms` in all the
 * connection is cut and no new one is made. The same happens at once when the program
 * is to stop, and nothing is in hand. Takes SIGRTMIN for itself meanwhile (SIGALRM is
 * the supervisor's last resort), and supervisor_on_stop. */
void connect_guard(int connect_ms, int session_ms);
/* A connection that was made without blocking, by another library: from now on it is the one
 * that is cut. */
void connect_watch(int fd);
/* Whether the time is over, or the program is to stop: while nothing is connected that could
 * be cut, who waits must ask. */
bool connect_is_over(void);
/* Whether something is in hand that a stop must not cut; at first there is nothing. */
void connect_set_in_hand(bool is_in_hand);
/* Shuts the guarded connection down at once; its reader sees the end of file. */
void connect_cut(void);
/* Ends the guard, and says what had ended the session. */
enum connect_end connect_release(void);

#endif
