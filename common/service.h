/*
 * service: what both programs are made of: a configuration, a shared page, and the
 * children that they have in common.
 */
#ifndef ROLLCALL_SERVICE_H
#define ROLLCALL_SERVICE_H

struct config;
struct database;
struct shared_page;

/* The context of every child_spec. */
struct service {
	const struct config *config;
	struct shared_page *page;
	char run_id[37];	/* of this run of the program (worker: who leased a job) */
};

/* At the start of a program: dies when the schema is older than it needs, or
 * incompatible with it. A database that does not answer yet is only spoken of; so
 * what runs afterwards looks again: the server at each /readyz, each child of the
 * worker before its first round (service_await_schema). */
void service_check_schema(const struct config *config, const char *program);
/* In a child: returns when the schema is known to fit, or on SIGTERM. Dies as above:
 * the supervisor's next try comes after a while, when somebody may have migrated. */
void service_await_schema(struct database *database);

/* A child_spec's `run`: /metrics. */
int service_run_metrics(void *context, int number, int instance);

#endif
