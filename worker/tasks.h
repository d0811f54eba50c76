/*
 * tasks: what the clock child does, as a table: name, how often, function.
 */
#ifndef ROLLCALL_TASKS_H
#define ROLLCALL_TASKS_H

struct config;
struct shared_page;

/* Before the first fork: tells the page what the metrics of tasks are labelled with. */
void tasks_name(struct shared_page *page);
/* Runs the tasks until SIGTERM; returns the exit code. */
int tasks_run(const struct config *config, struct shared_page *page, int child);

#endif
