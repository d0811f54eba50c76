/*
 * sender: claims mails, sends them, settles what became of them.
 */
#ifndef ROLLCALL_SENDER_H
#define ROLLCALL_SENDER_H

struct config;
struct shared_page;

/* A lease outlives the deadline at which a hung sender is killed (DESIGN.md §8). */
#define LEASE_S 180
#define SENDER_DEADLINE_S 120

/* Runs until SIGTERM and the batch in hand is settled; returns the exit code. */
int sender_run(const struct config *config, struct shared_page *page, int child);

#endif
