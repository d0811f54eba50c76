/*
 * sender: claims mails, sends them, settles what became of them.
 */
#ifndef ROLLCALL_SENDER_H
#define ROLLCALL_SENDER_H

struct config;
struct shared_page;

/* A sender that is busy for longer hangs, and is killed (DESIGN.md §8). */
#define SENDER_DEADLINE_S 120

/* Runs until SIGTERM: the message in hand is finished, what became of its batch is
 * settled. Returns the exit code. */
int sender_run(const struct config *config, struct shared_page *page, int child);

#endif
