/*
 * process: one server process: event loop, lanes, hashing threads, listener.
 */
#ifndef ROLLCALL_PROCESS_H
#define ROLLCALL_PROCESS_H

struct config;
struct shared_page;

/* Open requests get this long to finish after SIGTERM. */
#define DRAIN_DEADLINE_S 20

/* Runs until SIGTERM and everything in flight is answered; returns the exit code. */
int process_run(const struct config *config, struct shared_page *page, int child);

#endif
