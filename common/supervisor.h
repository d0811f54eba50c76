/*
 * supervisor: starts children, starts the dead again, stops them all.
 *
 * A child that dies is started again at once the first time, then with a delay
 * that doubles from 100 ms to 10 s; a minute of life resets it. SIGTERM and
 * SIGINT are passed on to the children as SIGTERM; what lives past the deadline
 * is killed. A child stopped by a second signal of its own does not matter: the
 * supervisor's exit code is 0 when every child ended cleanly and in time. A child whose
 * parent has died ends itself (PR_SET_PDEATHSIG).
 */
#ifndef ROLLCALL_SUPERVISOR_H
#define ROLLCALL_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

struct shared_page;

struct child_spec {
	const char *name;		/* "server", "clock", "sender", "metrics" */
	int count;
	/* Runs in the child; its return value is the exit code. `number` is the
	 * child's place in the shared page; `instance` counts within the spec. */
	int (*run)(void *context, int number, int instance);
	int busy_limit_s;		/* killed when busy for longer; 0: never */
};

/* Returns the exit code of the program. */
int supervisor_run(const struct child_spec *specs, int spec_count, void *context,
	struct shared_page *page, int stop_deadline_s);

/* In a child: SIGTERM has come (SIGINT is ignored there). The handler is installed
 * before `run`. A child with an event loop installs its own, and then asks here
 * once: the signal may have been earlier. */
bool supervisor_stopping(void);
/* In a child: what the signal's handler does besides, for a child that waits inside a
 * library which looks at no flag. Async-signal-safe; NULL: nothing. */
void supervisor_on_stop(void (*interrupt)(void));

#endif
